//! What handlers work with, and how they wait for their own writes.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use forewarn_batch::{BatchError, SchedulerHandle};
use forewarn_ingest::Intake;
use forewarn_ingest::decode::{DecodeOptions, InfluxMapping};
use forewarn_lake::Lake;
use forewarn_log::Log;
use forewarn_models::ModelService;
use forewarn_notify::{Health, Outbox, Tester};
use forewarn_query::QueryEngine;
use forewarn_sources::SourceHandles;
use forewarn_spec::{HttpConfig, InfluxConfig, Limits};
use forewarn_state::{AssetAttributes, LiveDefinitions, Metrics, Rules, SharedState, TakeSnapshot};
use forewarn_types::{Clock, Offset, SignalName};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::{Access, Users};
use crate::error::ApiError;
use crate::http::budget::Budget;
use crate::http::hub::Hub;
use crate::http::streams::StreamPlaces;
use crate::problem::Problem;
use crate::problems;
use crate::serve::places::Places;
use crate::serve::tls::Tls;

/// A read waits this long for the read model to catch up with the log. Then it is refused, as an answer would
/// lack what was stored before.
const CATCH_UP: Duration = Duration::from_secs(10);
/// Most histories that are computed at one time; others wait.
const MAX_HISTORIES: usize = 16;
/// Most event streams that read the log at one time; others wait.
const MAX_CATCHING_UP: usize = 4;
/// Most questions about rules that are answered at one time; others wait.
const MAX_RULE_QUESTIONS: usize = 2;

/// What the API is built from.
pub struct ApiComponents {
    /// Takes in readings.
    pub intake: Arc<Intake>,
    /// The sources that fetch readings themselves.
    pub sources: SourceHandles,
    /// Takes in everything else.
    pub log: Arc<dyn Log>,
    /// History.
    pub lake: Lake,
    /// Answers SQL over it.
    pub queries: QueryEngine,
    /// Jobs and their runs.
    pub scheduler: SchedulerHandle,
    /// Models and their versions.
    pub models: ModelService,
    /// The read model, which the real-time path keeps up to date.
    pub state: SharedState,
    /// The rules, on each asset.
    pub rules: Rules,
    /// What is to be told of alerts, and what was.
    pub outbox: Outbox,
    /// How the contacts are doing.
    pub contacts: Health,
    /// Sends test messages.
    pub tester: Tester,
    /// The attributes of assets.
    pub attributes: AssetAttributes,
    /// Takes a snapshot of the read model and all else that is folded from the log.
    pub take_snapshot: TakeSnapshot,
    /// The definitions in force, for texts and units, and the way to their owner.
    pub definitions: LiveDefinitions,
    /// How the server finds out who asks.
    pub access: Access,
    /// The server's clock.
    pub clock: Arc<dyn Clock>,
    /// Who may connect, and how often.
    pub http: HttpConfig,
    /// Bounds.
    pub limits: Limits,
    /// How line protocol becomes assets and signals.
    pub influx: InfluxConfig,
    /// Where requests are counted, and what `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// Ends event streams when the server goes down.
    pub shutdown: CancellationToken,
}

/// The state of all handlers; cheap to clone.
#[derive(Clone)]
pub struct ApiState(Arc<Context>);

/// What [`ApiState`] shares.
pub struct Context {
    components: ApiComponents,
    pub(crate) mapping: InfluxMapping,
    pub(crate) decode: DecodeOptions,
    /// The memory of request bodies.
    pub(crate) bodies: Budget,
    /// The memory of answers that wait to be read.
    pub(crate) answers: Budget,
    /// The places of connections.
    pub(crate) places: Arc<Places>,
    /// The certificate, where HTTPS is spoken.
    pub(crate) tls: Option<Arc<Tls>>,
    /// One rendering of alerts for all event streams.
    pub(crate) hub: Hub,
    /// Whether the log answers, as it was found last.
    pub(crate) probe: Mutex<Option<(Instant, Result<String, String>)>>,
    pub(crate) histories: Semaphore,
    pub(crate) rule_questions: Arc<Semaphore>,
    pub(crate) streams: StreamPlaces,
    /// Streams that read the log, to catch up with the present.
    pub(crate) catching_up: Semaphore,
    /// One backup at a time.
    pub(crate) backups: Arc<Semaphore>,
    document: OnceLock<Bytes>,
}

impl Deref for ApiState {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.0
    }
}

impl Deref for Context {
    type Target = ApiComponents;

    fn deref(&self) -> &ApiComponents {
        &self.components
    }
}

impl ApiState {
    pub(crate) fn new(components: ApiComponents) -> Result<Self, ApiError> {
        let mapping = InfluxMapping::new(&components.influx.asset, &components.influx.signal)
            .map_err(|error| ApiError::Options(error.to_string()))?;
        let connections = &components.http.connections;
        let (buffer_bytes, most) = (connections.buffer_bytes, components.limits.max_body_bytes);
        let places = Arc::new(Places::new(connections));
        let streams = StreamPlaces::new(connections);
        let tls = components.http.tls.clone().map(Tls::open).transpose().map_err(ApiError::Options)?;
        let tls = tls.map(Arc::new);
        let decode = DecodeOptions { max_line_bytes: components.limits.max_line_bytes };
        Ok(Self(Arc::new(Context {
            components,
            mapping,
            decode,
            bodies: Budget::new(buffer_bytes, most),
            answers: Budget::new(buffer_bytes, most),
            places,
            tls,
            hub: Hub::default(),
            probe: Mutex::new(None),
            histories: Semaphore::new(MAX_HISTORIES),
            rule_questions: Arc::new(Semaphore::new(MAX_RULE_QUESTIONS)),
            streams,
            catching_up: Semaphore::new(MAX_CATCHING_UP),
            backups: Arc::new(Semaphore::new(1)),
            document: OnceLock::new(),
        })))
    }
}

impl Context {
    /// Keeps the description of all routes, for `/openapi.json`.
    pub(crate) fn set_document(&self, document: &utoipa::openapi::OpenApi) -> Result<(), ApiError> {
        let text = document
            .to_json()
            .map_err(|error| ApiError::Options(format!("the description of the routes: {error}")))?;
        self.document.get_or_init(|| text.into());
        Ok(())
    }

    /// The description of all routes.
    pub(crate) fn document(&self) -> Bytes {
        self.document.get().cloned().unwrap_or_default()
    }

    /// Waits until the read model holds everything that is in the log by now.
    pub(crate) async fn fresh(&self) -> Result<(), Problem> {
        self.reached(self.log.end()).await
    }

    /// Waits until the read model holds everything that is in the log by now, and what the engine makes of
    /// it. The engine's transitions are durable before the read model takes in what caused them, so the log's
    /// end as of then lies behind them.
    pub(crate) async fn judged(&self) -> Result<(), Problem> {
        self.fresh().await?;
        self.fresh().await
    }

    async fn reached(&self, offset: Offset) -> Result<(), Problem> {
        if self.state.applied() >= offset || self.state.wait(offset, CATCH_UP).await {
            return Ok(());
        }
        Err(Problem::unavailable("the server has not yet processed all that it has stored")
            .hint("it is starting or overloaded; try again later"))
    }

    /// Waits until the runs on record are known, which they are soon after the start; within it, why they
    /// cannot be read so far.
    pub(crate) async fn past_read(&self) -> Result<Result<(), BatchError>, Problem> {
        let read = tokio::time::timeout(CATCH_UP, self.scheduler.past_known()).await;
        read.map_err(|_| {
            Problem::unavailable("the runs on record have not been read from the lake yet")
                .hint("the server has just started; try again")
        })
    }

    /// Waits until the runs on record are known.
    pub(crate) async fn past_known(&self) -> Result<(), Problem> {
        self.past_read().await?.map_err(|error| problems::batch(&error))
    }

    /// The declared unit of a signal.
    pub(crate) fn unit(&self, asset: &str, signal: &SignalName) -> Option<String> {
        let definitions = self.definitions.get();
        let signals = definitions.pipelines.iter().flat_map(|pipeline| &pipeline.signals);
        signals
            .filter(|declared| declared.name == *signal && declared.assets.matches(asset))
            .find_map(|declared| declared.unit.clone())
    }
}

impl ApiState {
    /// The accounts, or why there are none.
    pub(crate) fn accounts(&self) -> Result<&Users, Problem> {
        self.access.users().ok_or_else(|| {
            Problem::conflict("this server has no users: anyone may do everything")
                .hint("set `auth: { mode: users }` in forewarn.yaml and restart it")
        })
    }
}

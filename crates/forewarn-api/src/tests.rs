//! The API as a client sees it: the real log, intake and lake in a temporary folder, and a runner that folds
//! the log and does for operators' commands what the engine would.

mod access;
mod accounts;
mod alerts;
mod bounded;
mod disk;
mod errors;
mod jobs;
mod notifications;
mod ops;
mod readings;
mod roles;
mod rules;
mod sources;
mod ui;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use forewarn_engine::EngineOptions;
use forewarn_ingest::{Intake, IntakeLimits};
use forewarn_lake::{Branch, Lake, LakeOptions};
use forewarn_log::{Disk, Follower, LocalLog, LogOptions, RealDisk};
use forewarn_models::ModelService;
use forewarn_notify::{Notifier, NotifierParts, Outbox, OutboxFold};
use forewarn_query::{QueryEngine, QueryOptions};
use forewarn_sources::{SourceHandle, SourceHandles};
use forewarn_spec::{AuthConfig, AuthMode, Definitions, HttpConfig, InfluxConfig, Limits};
use forewarn_state::{
    Accounts, AssetAttributes, Decisions, EngineFold, Fold as _, LiveDefinitions, Metrics, Rules,
    SharedState, State,
};
use forewarn_types::{
    AlertId, AlertState, AlertTransition, BoxFuture, Clock, CommandAction, Evidence, JobKind, Journal as _,
    ManualClock, Offset, OperatorCommand, Record, SeriesTable, Severity, Timestamp, Transition,
};
use futures::StreamExt as _;
use parking_lot::RwLock;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::access::{Access, UsersParts};
use crate::{Api, ApiComponents, ApiError};
use forewarn_batch::{CatchUp, Job, Outcome, RunContext, Scheduler, SchedulerHandle, Trigger, Work};

pub(crate) const NOW: &str = "2026-01-01T12:00:00Z";
/// How clients that are no browsers name the server.
pub(crate) const HOST: HeaderValue = HeaderValue::from_static("127.0.0.1:8080");
/// The earliest time that readings may have.
const YEAR_2000: Timestamp = Timestamp(946_684_800_000_000);

pub(crate) struct Server {
    pub(crate) api: Option<Api>,
    pub(crate) router: Router,
    pub(crate) log: Arc<LocalLog>,
    pub(crate) lake: Lake,
    pub(crate) scheduler: SchedulerHandle,
    pub(crate) sources: Vec<SourceHandle>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) accounts: Accounts,
    pub(crate) first_code: Option<String>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) serving: JoinHandle<Result<(), ApiError>>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Checks the form of a problem and gives it back.
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        for field in ["type", "title", "detail"] {
            assert!(
                problem[field].as_str().is_some_and(|text| !text.is_empty()),
                "{field} is missing in {problem}"
            );
        }
        problem
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        max_series: 1_000,
        max_body_bytes: 20_000,
        max_line_bytes: 1_000,
        max_future_us: 3_600_000_000,
        max_ahead_us: 60_000_000,
        min_time: YEAR_2000,
        max_sql_rows: 1_000,
        max_sql_us: 30_000_000,
        max_sql_memory_bytes: 1 << 30,
        max_sql_spill_bytes: 1 << 30,
        max_sql_answer_bytes: 1 << 28,
    }
}

/// A job that counts to 7.
fn count() -> Job {
    Job {
        name: "count".into(),
        kind: JobKind::Sql,
        trigger: Trigger::OnRequest,
        catch_up: CatchUp::None,
        late: forewarn_batch::Late::default(),
        description: "Counts to 7.".into(),
        work: Arc::new(Counts),
    }
}

/// A source that is connected, and one that is not.
fn sources(clock: &Arc<dyn Clock>) -> Vec<SourceHandle> {
    let [one, two] =
        ["line-1", "line-2"].map(|name| SourceHandle::new(name.into(), "mqtt", Arc::clone(clock)));
    one.set_connected();
    two.set_lost("connection refused".into());
    vec![one, two]
}

/// Whom a server asks who they are.
enum Asks {
    Nobody(Access),
    Users,
}

fn users_parts(accounts: &Accounts, log: &Arc<LocalLog>, clock: &Arc<dyn Clock>) -> UsersParts {
    UsersParts {
        accounts: accounts.clone(),
        journal: log.clone(),
        clock: Arc::clone(clock),
        random: Arc::new(|bytes| {
            fastrand::fill(bytes);
            true
        }),
        auth: AuthConfig { mode: AuthMode::Users, ..AuthConfig::default() },
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with_log(|_| {}).await
    }

    pub(crate) async fn with_log(options: impl FnOnce(&mut LogOptions)) -> Self {
        Self::on_disk(options, Arc::new(RealDisk)).await
    }

    pub(crate) async fn on_disk(options: impl FnOnce(&mut LogOptions), disk: Arc<dyn Disk>) -> Self {
        Self::with(options, disk, |_| {}, Asks::Nobody(Access::open())).await
    }

    pub(crate) async fn with_queries(options: impl FnOnce(&mut QueryOptions)) -> Self {
        Self::with(|_| {}, Arc::new(RealDisk), options, Asks::Nobody(Access::open())).await
    }

    pub(crate) async fn with_access(access: Access) -> Self {
        Self::with(|_| {}, Arc::new(RealDisk), |_| {}, Asks::Nobody(access)).await
    }

    /// One that asks who sends a request.
    pub(crate) async fn with_users() -> Self {
        Self::with(|_| {}, Arc::new(RealDisk), |_| {}, Asks::Users).await
    }

    #[expect(clippy::too_many_lines, reason = "it puts a whole server together, part by part")]
    async fn with(
        options: impl FnOnce(&mut LogOptions),
        disk: Arc<dyn Disk>,
        of_queries: impl FnOnce(&mut QueryOptions),
        asks: Asks,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let manual = Arc::new(ManualClock::new(Timestamp::parse(NOW).unwrap()));
        let clock: Arc<dyn Clock> = manual.clone();
        let mut log_options = LogOptions::new(dir.path().join("log"));
        options(&mut log_options);
        let log = LocalLog::open_on(log_options, disk).unwrap();
        let series = Arc::new(RwLock::new(SeriesTable::new(limits().max_series)));
        let lake_options = LakeOptions {
            url: format!("file://{}", dir.path().join("lake").display()),
            ..LakeOptions::default()
        };
        let mut query_options = QueryOptions::default();
        of_queries(&mut query_options);
        let lake = Lake::open(lake_options, Arc::clone(&series), Arc::clone(&clock)).await.unwrap();
        let queries = QueryEngine::new(lake.clone(), Arc::clone(&clock), query_options).unwrap();
        let shutdown = CancellationToken::new();
        let tasks = TaskTracker::new();
        let branch = Branch::build(lake.clone(), log.clone(), Arc::clone(&clock));
        let stop = shutdown.clone();
        // It ends with a log whose disk fails.
        tasks.spawn(async move { drop(branch.run(stop).await) });
        let state = SharedState::new(State::default());
        let rules = Rules::new(EngineOptions::default());
        let outbox = Outbox::default();
        let told = OutboxFold::new(outbox.clone());
        let notifier = Notifier::build(NotifierParts {
            outbox: outbox.clone(),
            log: log.clone(),
            clock: Arc::clone(&clock),
            settings: forewarn_spec::NotifyConfig::default(),
            url: "http://forewarn".into(),
        })
        .unwrap();
        let accounts = Accounts::default();
        let shared = (state.clone(), rules.clone(), accounts.clone());
        tasks.spawn(fold(log.clone(), shared, told, shutdown.clone()));
        let access = match asks {
            Asks::Nobody(access) => access,
            Asks::Users => {
                let parts = users_parts(&accounts, &log, &clock);
                let (access, writer) = Access::users_of(parts).unwrap();
                let stop = shutdown.clone();
                tasks.spawn(async move { drop(writer.run(stop).await) });
                access
            }
        };
        let (scheduler, handle) =
            Scheduler::build(vec![count()], log.clone(), queries.clone(), Arc::clone(&clock)).unwrap();
        let stop = shutdown.clone();
        tasks.spawn(async move { scheduler.run(stop).await.unwrap() });
        let first_code = access.first_code();
        let models = ModelService::open(
            Vec::new(),
            queries.clone(),
            log.clone(),
            Arc::clone(&series),
            Arc::clone(&clock),
        )
        .await
        .unwrap();
        let sources = sources(&clock);
        let of_intake = IntakeLimits { min_time: YEAR_2000, duplicate_window: 64, ..IntakeLimits::default() };
        let api = Api::build(ApiComponents {
            intake: Arc::new(Intake::new(log.clone(), series, Arc::clone(&clock), of_intake)),
            sources: SourceHandles::of(sources.clone()),
            log: log.clone(),
            lake: lake.clone(),
            queries,
            scheduler: handle.clone(),
            models,
            state,
            rules,
            outbox,
            contacts: notifier.health(),
            tester: notifier.tester(),
            attributes: AssetAttributes::default(),
            take_snapshot: Arc::new(|| Box::pin(async { Err("there are none here".into()) })),
            definitions: LiveDefinitions::new(Definitions::default()).0,
            access,
            clock,
            http: HttpConfig::default(),
            limits: limits(),
            influx: InfluxConfig { asset: "{tags}".into(), signal: "{measurement}_{field}".into() },
            metrics: Arc::new(Metrics::default()),
            shutdown: shutdown.clone(),
        })
        .unwrap();
        Self {
            router: api.router(),
            api: Some(api),
            log,
            lake,
            scheduler: handle,
            sources,
            clock: manual,
            accounts,
            first_code,
            shutdown,
            tasks,
            dir,
        }
    }

    /// Behind a socket; the server's own folder stays until it has ended.
    pub(crate) async fn start_served() -> Served {
        let mut server = Self::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (api, shutdown) = (server.api.take().unwrap(), server.shutdown.clone());
        let stop = shutdown.clone();
        let serving = tokio::spawn(async move {
            let served = api.run(listener, stop).await;
            server.stop().await;
            served
        });
        Served { address, shutdown, serving }
    }

    /// Whatever is answered, clients must be able to find in the description of the routes.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        request.headers_mut().entry("host").or_insert(HOST);
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_described(&method, &path, response.status());
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(Request::post(path).header("content-type", "application/json").body(body.into()).unwrap())
            .await
    }

    pub(crate) async fn call(&self, method: Method, path: &str) -> Answer {
        self.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    }

    /// Appends what the engine would, and gives its offset.
    pub(crate) async fn alert(&self, transition: AlertTransition) -> Offset {
        self.log.append(Record::Alert(transition)).await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Checks that the description of the routes names the status with which a request was answered. Paths and
/// methods that no route takes are not described.
fn assert_described(method: &Method, path: &str, status: StatusCode) {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
        serde_json::from_str(&crate::routes::all(&Access::open()).split_for_parts().1.to_json().unwrap())
            .unwrap()
    });
    let fits = |template: &&String| {
        let (template, path): (Vec<&str>, Vec<&str>) =
            (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len()
            && template.iter().zip(&path).all(|(part, found)| part.starts_with('{') || part == found)
    };
    // Where two templates fit, the one with fewer placeholders is the route.
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let Some(template) = paths.keys().filter(fits).min_by_key(|template| template.matches('{').count())
    else {
        return;
    };
    let operation = &paths[template][method.as_str().to_lowercase()];
    let described = operation.is_null() || operation["responses"].get(status.as_str()).is_some();
    assert!(described, "{method} {template} answers {status}, which its description does not name");
}

/// The work of a job that succeeds at once.
struct Counts;

impl Work for Counts {
    fn run(&self, _: RunContext) -> BoxFuture<'_, Result<Outcome, String>> {
        Box::pin(std::future::ready(Ok(Outcome { rows: 7, details: Some("{\"most\":7}".into()) })))
    }
}

async fn fold(
    log: Arc<LocalLog>,
    (state, rules, accounts): (SharedState, Rules, Accounts),
    mut told: OutboxFold,
    shutdown: CancellationToken,
) {
    let mut engine = EngineFold::behind(rules);
    let mut follower = Follower::new(log.clone(), Offset(0));
    let mut acknowledged = BTreeSet::new();
    loop {
        let records = tokio::select! {
            () = shutdown.cancelled() => return,
            records = follower.next(64) => records,
        };
        let Ok(records) = records else { return };
        // What the real engine decides is left out here; its rules can be asked about.
        engine.judge(&records, &mut Decisions::default());
        for (offset, record) in &records {
            if let Record::Command(command) = &**record
                && let Some(answer) = judge(command, *offset, &state, &mut acknowledged)
            {
                log.append(Record::Alert(answer)).await.unwrap();
            }
        }
        told.apply(&records);
        accounts.apply(&records);
        state.apply(&records);
    }
}

/// As the engine does it: the first to acknowledge an alert does, of others the comment is kept.
fn judge(
    command: &OperatorCommand,
    offset: Offset,
    state: &SharedState,
    acknowledged: &mut BTreeSet<AlertId>,
) -> Option<AlertTransition> {
    let state = state.read();
    let alert = state.alerts().get(command.alert)?;
    let (transition, after) = match command.action {
        CommandAction::Acknowledge if acknowledged.insert(command.alert) => {
            (Transition::Acknowledged, AlertState::Acknowledged)
        }
        CommandAction::Acknowledge => {
            command.comment.as_ref()?;
            (Transition::Commented, AlertState::Acknowledged)
        }
        CommandAction::Shelve { .. } => (Transition::Shelved, AlertState::Shelved),
        CommandAction::Unshelve => (Transition::Unshelved, AlertState::Unacknowledged),
        CommandAction::Comment | CommandAction::Assign { .. } => (Transition::Commented, alert.state),
    };
    let mut answer = step(&alert.rule, alert.started.0, transition, after);
    answer.alert = alert.id;
    answer.time = command.time;
    answer.actor = Some(command.actor.clone());
    answer.comment.clone_from(&command.comment);
    answer.cause = offset;
    Some(answer)
}

/// A transition of the alert of `rule` on a pump that began at `started`.
pub(crate) fn step(rule: &str, started: i64, transition: Transition, state: AlertState) -> AlertTransition {
    AlertTransition {
        alert: AlertId::derive(rule, "plant/pump0", Timestamp(started)),
        rule: rule.into(),
        asset: "plant/pump0".into(),
        severity: Severity::Major,
        transition,
        state,
        unknown: false,
        time: Timestamp(started + 5),
        started: Timestamp(started),
        value: Some(1.5),
        score: None,
        message: format!("{rule} {}", transition.as_str()),
        actor: None,
        comment: None,
        cause: Offset(0),
        ordinal: 0,
        evidence: Evidence::default(),
    }
}

/// The next `count` events of a stream, as (event, id, data); fewer if it ends before.
pub(crate) async fn events(stream: &mut BodyDataStream, count: usize) -> Vec<(String, String, Value)> {
    let mut text = String::new();
    let mut found = Vec::new();
    while found.len() < count {
        let Some(chunk) = stream.next().await else { break };
        text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            let field = |name: &str| {
                event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
            };
            if !field("data:").is_empty() {
                found.push((field("event:"), field("id:"), serde_json::from_str(&field("data:")).unwrap()));
            }
            text = rest.to_owned();
        }
    }
    found
}

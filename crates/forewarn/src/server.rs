//! The server, put together: which parts there are, what each is given, and in which order they start and
//! stop. Reads top-down: what is durable is opened, then the back starts, then the front.

mod back;
mod definitions;
mod folds;
mod front;
mod open;
mod stages;

use std::sync::Arc;

use anyhow::{Context as _, Error, Result, anyhow};
use forewarn_batch::SchedulerHandle;
use forewarn_log::{LocalLog, Log as _, LogHealth};
use forewarn_spec::{AuthMode, ServerConfig};
use forewarn_state::SharedState;
use forewarn_types::Clock;
use tokio::net::TcpListener;

pub(crate) use self::front::Ticks;
use self::stages::Stages;
use crate::config::Tree;

/// A server that runs.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: std::net::SocketAddr,
    /// The log.
    pub(crate) log: Arc<LocalLog>,
    /// Jobs and their runs.
    pub(crate) scheduler: SchedulerHandle,
    /// The read model.
    pub(crate) state: SharedState,
    /// The code that makes the first administrator, while there is none.
    pub(crate) first_code: Option<String>,
    front: Stages,
    back: Stages,
}

impl Server {
    /// Starts everything; returns once requests are served.
    ///
    /// # Errors
    /// What could not be started, and why.
    pub(crate) async fn start(tree: Tree, clock: Arc<dyn Clock>, ticks: Ticks) -> Result<Self> {
        let settings = tree.settings.clone();
        let listener = TcpListener::bind(&settings.listen)
            .await
            .with_context(|| format!("cannot listen on {}", settings.listen))?;
        let address = listener.local_addr()?;
        check_address(address, &settings)?;
        let (base, folded, starting) = open::open(&settings, tree, clock).await?;
        let back = back::start(&base, folded, &settings);
        let front = front::start(&base, &back, starting, settings, ticks, listener).await?;
        Ok(Self {
            address,
            log: base.log,
            scheduler: front.scheduler,
            state: base.known.state,
            first_code: front.first_code,
            front: front.stages,
            back: back.stages,
        })
    }

    /// Waits until a part ends by itself, which none should. Once the log's disk has failed, the parts that
    /// follow or fill the log end, each with an error in the server's log. The rest goes on: what is on
    /// record can still be asked for, and the API says what is wrong.
    pub(crate) async fn failed(&mut self) -> Error {
        loop {
            let error = tokio::select! {
                Some(error) = self.front.ended() => error,
                Some(error) = self.back.ended() => error,
                else => return anyhow!("every part of the server has ended"),
            };
            if !matches!(self.log.health(), LogHealth::Failed(_)) {
                return error;
            }
            let error = format!("{error:#}");
            tracing::error!(
                error,
                "a part has ended since the log's disk has failed; repair the disk and restart the server"
            );
        }
    }

    /// Stops in order: first what takes in, then what works off the log, then the log. Where the log's disk
    /// is full nothing waits for room: a sender that waits for an acknowledgement gets a refusal.
    ///
    /// # Errors
    /// The first part that failed.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.log.hurry();
        let front = self.front.stop().await;
        let back = self.back.stop().await;
        let log = Arc::clone(&self.log);
        tokio::task::spawn_blocking(move || log.close()).await?.context("the log did not close well")?;
        front.and(back)
    }
}

/// Refuses to serve other machines without asking who sends a request.
fn check_address(address: std::net::SocketAddr, settings: &ServerConfig) -> Result<()> {
    if address.ip().is_loopback() || settings.auth.mode == AuthMode::Users {
        return Ok(());
    }
    Err(anyhow!(
        "the server would listen on {address}, where other machines reach it, and ask nobody who they are. Add \
         these two lines to forewarn.yaml:\n\nauth:\n  mode: users\n\nor listen on this machine only: \
         listen: 127.0.0.1:{}",
        address.port()
    ))
}

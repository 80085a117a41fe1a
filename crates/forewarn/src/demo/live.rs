//! The plant running on: each step sends what the sensors read, moves the clock, waits until the server has
//! done what is due, and shows what came of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use forewarn_batch::SchedulerHandle;
use forewarn_log::{LocalLog, Log as _};
use forewarn_state::SharedState;
use forewarn_types::{
    AlertTransition, Clock as _, Journal as _, LifeEventKind, ManualClock, Offset, Prediction, Record,
    Timestamp, Transition,
};
use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval};

use super::past::Past;
use super::plant::STEP_US;
use super::screen::Screen;
use super::seen::{Failure, Seen, unit_us};
use super::sensors::{Event, Sensors};
use crate::output::print;

/// The server follows the log within this long, or the demo gives up.
const PATIENCE: Duration = Duration::from_mins(1);
const DAY_US: i64 = 86_400_000_000;

/// What the demo needs of the server.
pub(super) struct Parts {
    /// For ticks.
    pub(super) log: Arc<LocalLog>,
    /// Jobs that must keep up.
    pub(super) scheduler: SchedulerHandle,
    /// Where alerts and predictions are seen.
    pub(super) state: SharedState,
    /// The simulated time.
    pub(super) clock: Arc<ManualClock>,
}

/// The plant running on.
pub(super) struct Live<'a> {
    parts: Parts,
    sensors: &'a Sensors<'a>,
    screen: &'a Screen,
    feed: broadcast::Receiver<(Offset, Arc<Record>)>,
    past: Past,
    shown: Option<Timestamp>,
    seen: Seen,
}

impl<'a> Live<'a> {
    /// A plant of which `past` is known.
    pub(super) fn new(parts: Parts, sensors: &'a Sensors<'a>, screen: &'a Screen, past: Past) -> Self {
        let feed = parts.state.alert_feed();
        Self { parts, sensors, screen, feed, past, shown: None, seen: Seen::default() }
    }

    /// Shows `missed`, which happened when the demo was stopped, and runs step by step, at `pace` or as fast
    /// as it goes; with `once` until the first failure, otherwise without end.
    ///
    /// # Errors
    /// The server's refusal.
    pub(super) async fn run(mut self, missed: &[Event], pace: Option<Duration>, once: bool) -> Result<Seen> {
        missed.iter().try_for_each(|event| self.show_event(event))?;
        let mut pace = pace.map(|pace| {
            let mut pace = interval(pace);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        while !once || self.seen.failures.is_empty() {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            self.step().await?;
        }
        Ok(self.seen)
    }

    async fn step(&mut self) -> Result<()> {
        let before = self.parts.clock.now();
        let now = Timestamp((before.0.div_euclid(STEP_US) + 1) * STEP_US);
        // The readings of this moment are there before its jobs begin.
        self.sensors.step(now).await?;
        let events = self.sensors.record(before, now).await?;
        self.parts.clock.set(now);
        self.parts.log.append(Record::Tick(now)).await?;
        self.caught_up().await?;
        self.show_alerts()?;
        self.parts.scheduler.idle().await?;
        self.caught_up().await?;
        self.show_predictions(now)?;
        events.iter().try_for_each(|event| self.show_event(event))
    }

    /// Waits until the read model holds all that is in the log, and what the engine makes of it.
    async fn caught_up(&self) -> Result<()> {
        for _ in 0..2 {
            if !self.parts.state.wait(self.parts.log.end(), PATIENCE).await {
                bail!("the server does not keep up with its log");
            }
        }
        Ok(())
    }

    fn show_alerts(&mut self) -> Result<()> {
        loop {
            match self.feed.try_recv() {
                Ok((_, record)) => {
                    if let Record::Alert(step) = record.as_ref() {
                        self.note(step);
                        self.screen.alert(step)?;
                    }
                }
                Err(broadcast::error::TryRecvError::Lagged(missed)) => {
                    print(&format!("{missed} alerts were too quick to be shown\n"))?;
                }
                Err(_) => return Ok(()),
            }
        }
    }

    fn note(&mut self, step: &AlertTransition) {
        if matches!(step.transition, Transition::Raised | Transition::Reraised) {
            self.seen.alerts += 1;
            self.past.alerted.entry(step.asset.to_string()).or_insert(step.time);
        }
    }

    /// Keeps every new prediction, and once a day shows that of the pump that will fail soonest.
    fn show_predictions(&mut self, now: Timestamp) -> Result<()> {
        let mut soonest: Option<Prediction> = None;
        for asset in self.sensors.plant.pumps() {
            let Some(prediction) =
                self.parts.state.read().prediction(asset, None).map(|(_, prediction)| prediction.clone())
            else {
                continue;
            };
            let past = self.past.predicted.entry(asset.clone()).or_default();
            if past.last().is_some_and(|last| last.made >= prediction.made) {
                continue;
            }
            self.seen.predictions += 1;
            past.push(prediction.clone());
            if soonest.as_ref().is_none_or(|soonest| prediction.p50 < soonest.p50) {
                soonest = Some(prediction);
            }
        }
        match soonest {
            Some(prediction) if self.shown.is_none_or(|shown| now.since_us(shown) >= DAY_US) => {
                self.shown = Some(now);
                self.screen.prediction(&prediction)
            }
            _ => Ok(()),
        }
    }

    fn show_event(&mut self, event: &Event) -> Result<()> {
        if event.kind != LifeEventKind::Failed {
            return self.screen.installed(event.time, &event.asset);
        }
        let predictions = self.past.predicted.remove(&event.asset).unwrap_or_default();
        let first_alert = self.past.alerted.remove(&event.asset);
        let failure = Failure { asset: event.asset.clone(), time: event.time, predictions, first_alert };
        self.screen.failed(&failure)?;
        self.seen.failures.push(failure);
        Ok(())
    }
}

impl Failure {
    /// The newest prediction that was made at least `days` before the failure.
    pub(super) fn predicted_before(&self, days: i64) -> Option<&Prediction> {
        self.predictions.iter().rev().find(|prediction| self.time.since_us(prediction.made) >= days * DAY_US)
    }

    /// Shares of the predictions whose interval held the time that was really left.
    ///
    /// # Errors
    /// If a prediction's unit is not known.
    pub(super) fn covered(&self) -> Result<(usize, usize)> {
        let mut held = 0;
        for prediction in &self.predictions {
            let unit_us = unit_us(&prediction.unit)?;
            let left = (self.time.since_us(prediction.time) as f64 / unit_us).min(prediction.cap);
            held += usize::from((prediction.p05..=prediction.p95).contains(&left));
        }
        Ok((held, self.predictions.len()))
    }
}

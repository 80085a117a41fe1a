//! A job of a pipeline.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::frame::{self, RawFrame};
use super::known::Known;
use super::names::{Names, job_table};
use crate::diagnostics::Report;
use crate::model::{CatchUp, FrameJob, SqlJob};
use crate::yaml::field::{Choice, Chosen, Text, choice, only};
use crate::yaml::kinds::{CronText, Duration, Name, PositiveDuration, Sql, Table, Zone};
use crate::yaml::values::{cron, duration, positive_duration, timezone};

/// A job: what is computed on a schedule and goes to a table. It has exactly one of sql and frame.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Job", extend("oneOf" = one_work()))]
pub(super) struct RawJob {
    /// The name of the job.
    name: Text<Name>,
    /// When it runs.
    schedule: Text<CronText>,
    /// The time zone of the schedule.
    #[schemars(extend("default" = "UTC"))]
    timezone: Option<Text<Zone>>,
    /// The query whose rows it writes.
    sql: Option<Text<Sql>>,
    /// The signals that it puts side by side on a time grid.
    frame: Option<RawFrame>,
    /// The table its rows go to.
    into: Text<Table>,
    /// What to do about runs that were due while the server was down.
    #[schemars(extend("default" = "all"))]
    catch_up: Option<Chosen<CatchUp>>,
    /// How long after its end an interval is run, so that readings which come a little late are in it.
    #[schemars(extend("default" = "0s"))]
    delay: Option<Text<Duration>>,
    /// How long after its end an interval is run again when readings of it have come late. Left out, it
    /// is not.
    recompute: Option<Text<PositiveDuration>>,
}

fn one_work() -> Value {
    json!([only("sql", &["frame"]), only("frame", &["sql"])])
}

impl Choice for CatchUp {
    const NAME: &'static str = "CatchUp";
    const ABOUT: &'static str = "What to do about runs that were due while the server was down: all of \
        them, the latest only, or none.";
    const CHOICES: &'static [(&'static str, Self)] =
        &[("all", Self::All), ("latest", Self::Latest), ("none", Self::None)];
}

/// A job, by what it computes.
pub(super) enum Job {
    Sql(SqlJob),
    Frame(Box<FrameJob>),
}

/// Checks a job; `known` are the signals of its pipeline, `everywhere` those of all.
pub(super) fn check(
    raw: &RawJob,
    known: &Known,
    everywhere: &Known,
    names: &mut Names,
    report: &mut Report<'_>,
) -> Option<Job> {
    names.claim("job", &raw.name, report);
    job_table(&raw.into, report);
    let (name, into) = (raw.name.value.clone(), raw.into.value.clone());
    let (schedule, timezone) = (cron(&raw.schedule, report), timezone(raw.timezone.as_ref(), report));
    let catch_up = raw.catch_up.as_ref().and_then(|text| choice(text, report)).unwrap_or_default();
    let delay_us = raw.delay.as_ref().map_or(0, |text| duration(text, report));
    let recompute_us = raw.recompute.as_ref().map_or(0, |text| positive_duration(text, report));
    match (&raw.sql, &raw.frame) {
        (Some(sql), None) => {
            let sql = sql.value.clone();
            Some(Job::Sql(SqlJob { name, schedule, timezone, sql, into, catch_up, delay_us, recompute_us }))
        }
        (None, Some(frame)) => {
            let frame = frame::check(frame, known, everywhere, report)?;
            Some(Job::Frame(Box::new(FrameJob {
                name,
                schedule,
                timezone,
                frame,
                into,
                catch_up,
                delay_us,
                recompute_us,
            })))
        }
        _ => {
            let hint = Some("give either `sql` or `frame`".to_owned());
            report.on(&raw.name, format!("the job '{name}' must compute one thing"), hint);
            None
        }
    }
}

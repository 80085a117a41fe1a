//! What clients see: the JSON shapes of answers that several routes share. They are kept apart from the read
//! model, so that neither binds the other.

use forewarn_spec::Definitions;
use forewarn_types::{Contribution, Evidence, LifeEvent, Offset, Prediction, Record, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use forewarn_state::{Alert, AlertStep, Alerts, Asset};

/// One alert.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertView {
    /// Names the alert; 32 hexadecimal digits.
    pub id: String,
    /// The rule that raised it.
    pub rule: String,
    /// The asset it concerns.
    pub asset: String,
    /// `warning`, `minor`, `major` or `critical`.
    pub severity: &'static str,
    /// `pending`, `unacknowledged`, `acknowledged`, `returned`, `normal`, `shelved`, `suppressed` or
    /// `out-of-service`.
    pub state: &'static str,
    /// Whether the state is in doubt because inputs are missing or bad.
    pub unknown: bool,
    /// Whether a later run over the complete history found that it should not have been raised.
    pub withdrawn: bool,
    /// When its condition began to hold.
    #[schema(value_type = String, format = DateTime)]
    pub started: Timestamp,
    /// When it was first raised.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub raised: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended: Option<Timestamp>,
    /// The value at its newest onset.
    pub value: Option<f64>,
    /// The detector's score at its newest onset; 1 is the limit.
    pub score: Option<f64>,
    /// What happened, with numbers.
    pub message: String,
    /// What happens if no action is taken.
    pub consequence: Option<String>,
    /// What to do.
    pub action: Option<String>,
    /// Who has acknowledged it.
    pub acknowledged_by: Option<String>,
    /// Who is to deal with it.
    pub assigned_to: Option<String>,
    /// Until when it is shelved.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub shelved_until: Option<Timestamp>,
    /// The rule version and the readings it is based on.
    #[schema(value_type = Object)]
    pub evidence: Evidence,
    /// The log's record of its newest transition.
    #[schema(value_type = u64)]
    pub offset: Offset,
}

impl AlertView {
    /// The view of `alert`, with the texts of its rule.
    #[must_use]
    pub fn new(alert: &Alert, definitions: &Definitions) -> Self {
        let rule = definitions
            .pipelines
            .iter()
            .flat_map(|pipeline| &pipeline.rules)
            .find(|rule| rule.name == alert.rule);
        let hidden = alert.state == forewarn_types::AlertState::Shelved;
        Self {
            id: alert.id.to_string(),
            rule: alert.rule.to_string(),
            asset: alert.asset.to_string(),
            severity: alert.severity.as_str(),
            state: alert.state.as_str(),
            unknown: alert.unknown,
            withdrawn: alert.withdrawn,
            started: alert.started,
            raised: alert.raised,
            ended: alert.ended,
            value: alert.value,
            score: alert.score,
            message: alert.message.clone(),
            consequence: rule.and_then(|rule| rule.consequence.clone()),
            action: rule.and_then(|rule| rule.action.clone()),
            acknowledged_by: alert.acknowledged_by.clone(),
            assigned_to: alert.assigned_to.clone(),
            shelved_until: alert.shelved_until.filter(|_| hidden),
            evidence: alert.evidence.clone(),
            offset: alert.offset,
        }
    }
}

/// One alert with its history.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertDetail {
    /// The alert.
    #[serde(flatten)]
    pub alert: AlertView,
    /// What happened to it, oldest first: the first transition and the newest ones.
    pub transitions: Vec<TransitionView>,
    /// How many transitions between the first and the others are left out; the table `alert_events` has them
    /// all.
    pub transitions_left_out: u64,
}

impl AlertDetail {
    /// The view of `alert`, with its history.
    #[must_use]
    pub fn new(alert: &Alert, definitions: &Definitions) -> Self {
        Self {
            alert: AlertView::new(alert, definitions),
            transitions: alert.steps.iter().map(TransitionView::new).collect(),
            transitions_left_out: alert.steps_dropped,
        }
    }
}

/// One transition of an alert.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TransitionView {
    /// The log's record of it.
    #[schema(value_type = u64)]
    pub offset: Offset,
    /// When it happened, in event time.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// `pending`, `raised`, `reraised`, `acknowledged`, `returned`, `normal`, `shelved`, `unshelved`,
    /// `suppressed`, `unsuppressed`, `unknown`, `known`, `amended`, `withdrawn` or `commented`.
    pub transition: &'static str,
    /// The state after it.
    pub state: &'static str,
    /// The value that decided.
    pub value: Option<f64>,
    /// The detector's score.
    pub score: Option<f64>,
    /// What happened.
    pub message: String,
    /// Who did it.
    pub actor: Option<String>,
    /// The comment of that person.
    pub comment: Option<String>,
}

impl TransitionView {
    /// The view of `step`.
    #[must_use]
    pub fn new(step: &AlertStep) -> Self {
        Self {
            offset: step.offset,
            time: step.time,
            transition: step.transition.as_str(),
            state: step.state.as_str(),
            value: step.value,
            score: step.score,
            message: step.message.clone(),
            actor: step.actor.clone(),
            comment: step.comment.clone(),
        }
    }
}

/// One event of the stream of alerts: the alert right after the transition, and the transition.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertEvent {
    /// The alert.
    #[serde(flatten)]
    pub alert: AlertView,
    /// What happened to it.
    pub transition: &'static str,
    /// When, in event time.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// Who did it.
    pub actor: Option<String>,
    /// The comment of that person.
    pub comment: Option<String>,
}

impl AlertEvent {
    /// The event of the record at `offset`, where `alerts` are all that are kept; `None` if it is no
    /// transition of an alert.
    #[must_use]
    pub fn new(offset: Offset, record: &Record, alerts: &Alerts, definitions: &Definitions) -> Option<Self> {
        let Record::Alert(step) = record else { return None };
        let mut alert =
            AlertView::new(&Alert::after_transition(offset, step, alerts.get(step.alert)), definitions);
        // The text of this transition, of every kind.
        alert.message.clone_from(&step.message);
        Some(Self {
            alert,
            transition: step.transition.as_str(),
            time: step.time,
            actor: step.actor.clone(),
            comment: step.comment.clone(),
        })
    }
}

/// What a model says about one asset.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PredictionView {
    /// The asset.
    pub asset: String,
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// Event time of the newest reading it is based on.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// When it was made, by the server's clock.
    #[schema(value_type = String, format = DateTime)]
    pub made: Timestamp,
    /// How old the newest reading is by now, in seconds.
    pub data_age_s: f64,
    /// Unit of the quantiles: `minutes`, `hours`, `days` or `cycles`.
    pub unit: String,
    /// Time to failure: lower end of the interval.
    pub p05: f64,
    /// Time to failure: the point prediction.
    pub p50: f64,
    /// Time to failure: upper end of the interval.
    pub p95: f64,
    /// The longest time to failure that the model predicts; longer ones all count as this.
    pub cap: f64,
    /// Whether `p50` is at the cap: failure is at least that far.
    pub at_cap: bool,
    /// Which signals moved the prediction most, largest first; negative brings failure closer.
    #[schema(value_type = Vec<Object>)]
    pub contributions: Vec<Contribution>,
    /// Whether the inputs lie outside what the model was trained on.
    pub out_of_distribution: bool,
    /// When the present life of the asset began.
    #[schema(value_type = String, format = DateTime)]
    pub life_started: Timestamp,
    /// Event time of the oldest reading it is based on: from the readings from here to `time` the same
    /// version predicts the same again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// The share of true values that the interval from `p05` to `p95` is meant to hold, such as 0.9.
    pub coverage: Option<f64>,
}

impl PredictionView {
    /// The view of `prediction` at `now`.
    #[must_use]
    pub fn new(prediction: &Prediction, now: Timestamp) -> Self {
        Self {
            asset: prediction.asset.to_string(),
            model: prediction.model.clone(),
            version: prediction.version.clone(),
            time: prediction.time,
            made: prediction.made,
            data_age_s: now.since_us(prediction.time) as f64 / 1e6,
            unit: prediction.unit.clone(),
            p05: prediction.p05,
            p50: prediction.p50,
            p95: prediction.p95,
            cap: prediction.cap,
            at_cap: prediction.p50 >= prediction.cap,
            contributions: prediction.contributions.clone(),
            out_of_distribution: prediction.out_of_distribution,
            life_started: prediction.life_started,
            from: prediction.from,
            coverage: prediction.coverage,
        }
    }
}

/// What happened to a machine.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LifeEventView {
    /// The asset.
    pub asset: String,
    /// `installed`, `repaired`, `failed` or `retired`; `withdrawn` if it takes another one back.
    pub event: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: Timestamp,
    /// Who reported it.
    pub actor: Option<String>,
    /// A comment.
    pub comment: Option<String>,
    /// The log's record of it.
    #[schema(value_type = u64)]
    pub offset: Offset,
    /// The record of the event that it takes the place of.
    #[schema(value_type = Option<u64>)]
    pub corrects: Option<Offset>,
    /// The record that has taken its place: it counts no more.
    #[schema(value_type = Option<u64>)]
    pub corrected_by: Option<Offset>,
}

impl LifeEventView {
    /// The life events of `asset` that are remembered, in the order they were recorded.
    #[must_use]
    pub fn of(asset: &Asset) -> Vec<Self> {
        let view = |(offset, event): &(Offset, LifeEvent)| Self {
            corrected_by: asset.correction_of(*offset),
            ..Self::new(*offset, event)
        };
        asset.lives.iter().map(view).collect()
    }

    /// The view of the event at `offset`, which nothing has corrected.
    #[must_use]
    pub fn new(offset: Offset, event: &LifeEvent) -> Self {
        Self {
            asset: event.asset.to_string(),
            event: event.event.as_str(),
            time: event.time,
            actor: event.actor.clone(),
            comment: event.comment.clone(),
            offset,
            corrects: event.corrects,
            corrected_by: None,
        }
    }
}

//! A plant that does not exist: seeded readings, the same in every run, with enough trouble in them that
//! every kind of rule speaks.
//!
//! Readings stand ten minutes apart. The engine lets wall-clock time pass for holds and for the age of
//! inputs, so a test whose alerts are to be the same in every run needs readings much further apart than it
//! takes to restart a server.
//!
//! Values are multiples of 1/64, which have an exact decimal text and an exact sum in any order.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Value, json};

use crate::random::Random;
use crate::site::Server;

/// 2026-01-01T00:00:00Z.
const START_MS: i64 = 1_767_225_600_000;
const STEP_MS: i64 = 600_000;
/// How far back a late reading lies: between two steps, so that it never meets another reading.
const LATE_MS: i64 = 7 * STEP_MS / 2;
const SIGNALS: [&str; 3] = ["temperature", "vibration", "pressure"];

/// Rules of every kind that look at event time alone.
pub const RULES: &str = r#"
signals:
  - { name: heat_margin, assets: "plant1/**", expr: "90.0 - temperature" }
rules:
  - name: hot
    assets: "plant1/**"
    when: "temperature > 80.0"
    for: 25m
    until: "temperature < 70.0"
    clear_for: 25m
    tolerance: 1h
    severity: critical
  - { name: warm, assets: "plant1/**", when: "temperature > 75.0", for: 55m, severity: minor }
  - name: hot-and-shaking
    assets: "plant1/**"
    when: "heat_margin < 12.0 && vibration > 4.5"
    tolerance: 1h
    severity: major
  - { name: jump, assets: "plant1/**", rate: { signal: temperature, above: 1.5, per: 1m }, severity: minor }
  - { name: surge, assets: "plant1/**", rate: { signal: pressure }, severity: minor }
  - name: unusual
    assets: "plant1/**"
    deviation: { signal: vibration, method: learned_limits, sensitivity: high }
    severity: major
  - name: far
    assets: "plant1/**"
    deviation: { signal: pressure, method: robust_z, baseline: "300", above: 5.0 }
    severity: warning
"#;

/// How many rules [`RULES`] has.
pub const RULE_COUNT: usize = 7;

/// One reading as a sensor sends it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The number of its asset.
    pub asset: usize,
    /// Its signal.
    pub signal: &'static str,
    /// Its time, ms since 1970.
    pub time_ms: i64,
    /// Its value.
    pub value: f64,
    /// Whether the sensor distrusts it.
    pub bad: bool,
}

impl Reading {
    /// The path of its asset.
    pub fn asset_path(&self) -> String {
        asset_path(self.asset)
    }

    /// As a line of NDJSON for `/v1/readings`.
    pub fn json(&self) -> String {
        let line = json!({
            "asset": self.asset_path(),
            "signal": self.signal,
            "time": self.time_ms,
            "value": self.value,
            "quality": self.quality(),
        });
        format!("{line}\n")
    }

    /// As line protocol with times in ms, which has no place for the quality.
    pub fn line_protocol(&self) -> String {
        let Self { signal, asset, value, time_ms, .. } = self;
        format!(
            "{signal},a_plant=plant1,b_line=line{},c_pump=pump{asset} value={value} {time_ms}\n",
            asset % 3
        )
    }

    /// `good` or `bad`.
    pub const fn quality(&self) -> &'static str {
        if self.bad { "bad" } else { "good" }
    }
}

/// The path of the asset of that number.
pub fn asset_path(asset: usize) -> String {
    format!("plant1/line{}/pump{asset}", asset % 3)
}

/// What a sender does beside sending each reading once, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Nothing else.
    Orderly,
    /// It also sends late readings, and some readings a second time.
    Untidy,
}

/// What one asset sends, in the order it sends it.
pub fn readings(seed: u64, asset: usize, steps: usize, manner: Manner) -> Vec<Reading> {
    let mut random = Random::new(seed ^ (asset as u64) << 32);
    let mut sent: Vec<Reading> = Vec::new();
    let (mut hot_left, mut shift, mut time_ms) = (0, 0.0, START_MS);
    for _ in 0..steps {
        time_ms += STEP_MS;
        if hot_left == 0 && random.once_in(40) {
            hot_left = 1 + random.below(12);
        }
        let heat = if hot_left > 0 { 22.0 } else { 0.0 };
        hot_left = hot_left.saturating_sub(1);
        if random.once_in(150) {
            shift = if shift == 0.0 { 1.5 } else { 0.0 };
        }
        let spike = if random.once_in(90) { 9.0 } else { 0.0 };
        let values = [
            62.0 + 4.0 * random.wobble() + heat,
            3.0 + shift + random.wobble() + heat / 16.0,
            8.0 + random.wobble() + spike,
        ];
        for (signal, value) in SIGNALS.into_iter().zip(values) {
            sent.push(Reading { asset, signal, time_ms, value, bad: random.once_in(120) });
        }
        if manner == Manner::Untidy && random.once_in(12) {
            let value = 50.0 + 40.0 * random.wobble();
            sent.push(Reading {
                asset,
                signal: SIGNALS[random.below(2) as usize],
                time_ms: time_ms - LATE_MS,
                value,
                bad: false,
            });
        }
        if manner == Manner::Untidy && random.once_in(15) {
            let again = sent.len() - 1 - random.below(sent.len().min(40) as u64) as usize;
            sent.push(sent[again].clone());
        }
    }
    sent
}

/// What a server must hold once it has taken readings in.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stored {
    /// How many different ones there are.
    pub count: u64,
    /// How many of them were not newer than their series' newest.
    pub late: u64,
    /// The sum of their values.
    pub sum: f64,
}

/// What must be stored after each of `batches`, sent one after the other.
pub fn stored<'a>(batches: impl IntoIterator<Item = &'a [Reading]>) -> Vec<Stored> {
    let mut seen: HashSet<(usize, &str, i64)> = HashSet::new();
    let mut newest: HashMap<(usize, &str), i64> = HashMap::new();
    let mut stored = Stored::default();
    let mut after = Vec::new();
    for batch in batches {
        for reading in batch {
            if !seen.insert((reading.asset, reading.signal, reading.time_ms)) {
                continue;
            }
            let newest = newest.entry((reading.asset, reading.signal)).or_insert(i64::MIN);
            stored.count += 1;
            stored.late += u64::from(reading.time_ms <= *newest);
            stored.sum += reading.value;
            *newest = reading.time_ms.max(*newest);
        }
        after.push(stored);
    }
    after
}

/// Everything two runs of the same readings must agree on, in a form in which they can be compared.
#[derive(Debug, PartialEq)]
pub struct History {
    /// Every reading stored.
    pub readings: Vec<Vec<Value>>,
    /// Every alert, as the API shows it.
    pub alerts: Vec<Value>,
    /// Every transition, in order for each asset.
    pub transitions: Vec<Vec<Value>>,
}

impl History {
    /// What `server` knows.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn of(server: &Server) -> Self {
        // The list of alerts waits for the engine, so it comes before the transitions.
        let mut alerts = server.alerts("&state=all").await;
        alerts.sort_by_key(|alert| alert["id"].to_string());
        for alert in &mut alerts {
            // Ticks and the other assets' readings stand in the log as well, at places of their own in each
            // run.
            alert.as_object_mut().expect("an alert is an object").remove("offset");
        }
        let transitions = "SELECT asset, rule, alert, time, transition, state, unknown, started, value, \
            score, message, evidence FROM alert_events ORDER BY asset, \"offset\"";
        let readings = "SELECT asset, signal, time, value, quality, late FROM readings \
            WHERE asset LIKE 'plant1/%' ORDER BY asset, signal, time";
        Self { readings: server.sql(readings).await, alerts, transitions: server.sql(transitions).await }
    }

    /// What two runs agree on in which the values of a sample came one by one, as messages do. Which of them
    /// stood in one record is a matter of chance: `rule`, which looks at several signals, says other things
    /// in between, and rules of different signals speak in another order.
    #[must_use]
    pub fn rule_by_rule_without(mut self, rule: &str) -> Self {
        self.alerts.retain(|alert| alert["rule"] != rule);
        self.transitions.retain(|transition| transition[1] != rule);
        self.transitions.sort_by_key(|transition| (transition[0].to_string(), transition[1].to_string()));
        self
    }

    /// Panics at the first difference to `other`, which it shows.
    ///
    /// # Panics
    /// If there is one.
    pub fn assert_same(&self, other: &Self) {
        for (mine, theirs) in self.readings.iter().zip(&other.readings) {
            assert_eq!(mine, theirs, "a reading differs");
        }
        assert_eq!(self.readings.len(), other.readings.len(), "the number of readings differs");
        for (mine, theirs) in self.transitions.iter().zip(&other.transitions) {
            assert_eq!(mine, theirs, "a transition differs");
        }
        assert_eq!(self.transitions.len(), other.transitions.len(), "the number of transitions differs");
        for (mine, theirs) in self.alerts.iter().zip(&other.alerts) {
            assert_eq!(mine, theirs, "an alert differs");
        }
        assert_eq!(self.alerts.len(), other.alerts.len(), "the number of alerts differs");
    }

    /// How many transitions each rule has made, by name of the rule.
    ///
    /// # Panics
    /// If a transition has no rule.
    pub fn transitions_by_rule(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for transition in &self.transitions {
            *counts.entry(transition[1].as_str().expect("a rule's name").to_owned()).or_default() += 1;
        }
        counts
    }
}

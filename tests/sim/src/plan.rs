//! What a seed plans: how the program is set up, how bad the weather is, and what is done one after the
//! other.

use std::sync::Arc;

use forewarn_types::{DefinitionFile, Definitions, Quality};

use crate::server::Setup;
use crate::store::MAX_DELAY_US;
use crate::world::{NEW_YEAR, Weather};

const RULES: &str = "pipeline: plant
signals:
  - { name: strain, assets: \"plant/**\", expr: \"temperature / 20.0 + vibration\" }
rules:
  - name: hot
    assets: \"plant/**\"
    when: \"temperature > 95.0\"
    for: 2s
    until: \"temperature < 90.0\"
    severity: critical
  - { name: shaky, assets: \"plant/**\", when: \"vibration > 4.0\", severity: major }
  - name: silent
    assets: \"plant/**\"
    missing: { signal: temperature, longer_than: 40s }
    severity: warning
  - { name: strained, assets: \"plant/**\", when: \"strain > 9.0\", severity: minor }
  - { name: jumpy, assets: \"plant/**\", rate: { signal: vibration, above: 8.0 }, severity: minor }
";

/// For so long a file is left alone that no table has, µs.
pub const SAFETY_US: i64 = 600_000_000;

/// What may be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A sender sends a few readings.
    Send,
    /// A sender sends again what was not acknowledged.
    Resend,
    /// The log writes a group.
    Write,
    /// The runner takes records.
    Engine,
    /// The branch takes records.
    TakeIn,
    /// The branch commits, often after it has taken in more.
    Commit,
    /// A snapshot of the folds.
    Snapshot,
    /// Small files of a table are merged.
    Compact,
    /// Old files leave the table of readings.
    Retain,
    /// Files that no table needs are deleted.
    Vacuum,
    /// A checkpoint of a Delta log.
    Checkpoint,
    /// History is asked for.
    Query,
    /// The clock goes on and is written into the log.
    Tick,
    /// An operator acts on an alert.
    Command,
    /// A job appends what it has computed to a table of its own, or does so again if it does not know that it
    /// did.
    Job,
    /// The store is away for a while.
    Outage,
    /// The program dies within the next operations.
    Die,
    /// The program is stopped in order, and started.
    Restart,
    /// The program stands still while it is started elsewhere, on the same disk.
    Pause,
    /// The one that stood still goes on where it was. The disk is no longer its own, the store is.
    Resume,
    /// Another program rewrites a file of a table.
    Others,
    /// What others have done to the tables is taken in.
    Refresh,
}

/// All acts, and how often each is done.
const ACTS: [(Act, u64); 22] = [
    (Act::Send, 30),
    (Act::Resend, 6),
    (Act::Write, 24),
    (Act::Engine, 14),
    (Act::TakeIn, 8),
    (Act::Commit, 12),
    (Act::Snapshot, 8),
    (Act::Compact, 6),
    (Act::Retain, 1),
    (Act::Vacuum, 8),
    (Act::Checkpoint, 3),
    (Act::Query, 3),
    (Act::Tick, 8),
    (Act::Command, 2),
    (Act::Job, 12),
    (Act::Outage, 1),
    (Act::Die, 2),
    (Act::Restart, 1),
    (Act::Pause, 1),
    (Act::Resume, 2),
    (Act::Others, 3),
    (Act::Refresh, 2),
];

/// The plan of a seed.
pub struct Plan {
    /// What everything is drawn from.
    pub chance: fastrand::Rng,
    /// How the program is set up.
    pub setup: Setup,
    /// The series that are sent.
    pub names: Vec<(String, String)>,
    /// How many acts there are.
    pub acts: usize,
    /// The time by the plant's own clock, µs.
    pub now: i64,
    /// How far the server's clock is behind it, µs.
    pub behind: i64,
    /// For so long entries of a Delta log are kept that a checkpoint covers, µs.
    pub log_retention_us: i64,
    weights: Vec<(Act, u64)>,
}

/// One reading that is to be sent: the place of its series, its time, its value, its quality.
pub type Sent = (usize, i64, f64, Quality);

impl Plan {
    /// The plan of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed);
        let signals = ["temperature", "vibration"];
        let assets = 1 + chance.usize(0..3);
        let names = (0..assets)
            .flat_map(|asset| signals.map(|signal| (format!("plant/pump{asset}"), signal.to_owned())))
            .collect();
        let segment_bytes = *pick(&mut chance, &[400, 1_500, 6_000, 40_000]);
        let file = DefinitionFile { path: "plant.yaml".to_owned(), text: Arc::from(RULES) };
        let definitions = Definitions::of(vec![file]);
        let setup = Setup {
            segment_bytes,
            max_bytes: *pick(&mut chance, &[120_000, 1 << 20, 1 << 30]),
            cache_bytes: *pick(&mut chance, &[0, 3_000, 1 << 20]),
            definitions,
        };
        // Most seeds do without some acts, so that others come to what these would prevent.
        let spared = |act: Act, chance: &mut fastrand::Rng| match act {
            Act::Send | Act::Write | Act::Die => false,
            // Each start opens one more table then.
            Act::Job => chance.u8(0..4) > 0,
            Act::Others => chance.u8(0..3) > 0,
            _ => chance.u8(0..5) == 0,
        };
        let weights = ACTS.map(|(act, weight)| (act, if spared(act, &mut chance) { 0 } else { weight }));
        let acts = *pick(&mut chance, &[20, 50, 100, 200]);
        // A commit that is still under way must not find its version free again.
        let log_retention_us = *pick(&mut chance, &[MAX_DELAY_US, SAFETY_US]);
        Self {
            setup,
            names,
            acts,
            now: NEW_YEAR,
            behind: 0,
            log_retention_us,
            weights: weights.to_vec(),
            chance,
        }
    }

    /// How often operations fail in this seed.
    pub fn weather(&mut self) -> Weather {
        let chance = &mut self.chance;
        let store = *pick(chance, &[0, 0, 10, 60]);
        let disk = *pick(chance, &[0, 0, 3]);
        Weather {
            store_fails: store,
            store_loses: store,
            store_delays: store / 2,
            store_repeats: store / 2,
            outage: 0..0,
            disk_fails: disk,
            disk_fulls: disk * 5,
        }
    }

    /// Whether `act` is ever done.
    #[must_use]
    pub fn does(&self, act: Act) -> bool {
        self.weights.iter().any(|(other, weight)| *other == act && *weight > 0)
    }

    /// What is done next.
    pub fn act(&mut self) -> Act {
        let mut draw = self.chance.u64(0..self.weights.iter().map(|(_, weight)| weight).sum());
        for (act, weight) in &self.weights {
            if draw < *weight {
                return *act;
            }
            draw -= weight;
        }
        Act::Send
    }

    /// A few readings: most of them new, some late, some said before.
    pub fn readings(&mut self, said: &[Sent]) -> Vec<Sent> {
        let count = 1 + self.chance.usize(0..8);
        (0..count).map(|_| self.reading(said)).collect()
    }

    fn reading(&mut self, said: &[Sent]) -> Sent {
        let chance = &mut self.chance;
        if !said.is_empty() && chance.u8(0..12) == 0 {
            return *pick(chance, said);
        }
        self.now += chance.i64(0..900_000);
        let late = match chance.u8(0..20) {
            0 => chance.i64(0..172_800_000_000),
            1 | 2 => chance.i64(0..20_000_000),
            _ => 0,
        };
        let series = chance.usize(0..self.names.len());
        let value = if series.is_multiple_of(2) {
            80.0 + f64::from(chance.u8(0..50)) / 2.0
        } else {
            f64::from(chance.u8(0..60)) / 10.0
        };
        let quality = *pick(
            chance,
            &[Quality::Good, Quality::Good, Quality::Good, Quality::Good, Quality::Uncertain, Quality::Bad],
        );
        (series, self.now - late, value, quality)
    }

    /// Time goes on, and the server's clock sometimes jumps back. What it shows comes back.
    pub fn tick(&mut self) -> i64 {
        // Now and then so much that files may be vacuumed.
        let most = if self.chance.u8(0..4) == 0 { 1_200_000_000 } else { 60_000_000 };
        self.now += self.chance.i64(0..most);
        if self.chance.u8(0..20) == 0 {
            self.behind = self.chance.i64(0..1_800_000_000);
        }
        self.now - self.behind
    }
}

/// One of `choices`, of which there are some.
pub fn pick<'a, T>(chance: &mut fastrand::Rng, choices: &'a [T]) -> &'a T {
    &choices[chance.usize(0..choices.len())]
}

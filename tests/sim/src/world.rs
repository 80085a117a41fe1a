//! The world around the program under test: what time it is, which operation fails and how, and when
//! everything stops.
//!
//! Whether an operation fails depends on the seed, its kind, its path and how often that was tried before,
//! never on threads or on real time. All operations are counted; the crash comes at one of them.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use forewarn_types::{ManualClock, Timestamp};
use parking_lot::Mutex;

/// 2026-01-01T00:00:00Z, when every simulation begins.
pub const NEW_YEAR: i64 = 1_767_225_600_000_000;

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It works.
    Works,
    /// It fails and has no effect.
    Fails,
    /// It has its effect, but the answer gets lost: it seems to fail.
    Lost,
    /// It seems to fail, and has its effect some operations later.
    Late,
    /// It is carried out twice, and the second answer is what the program hears.
    Twice,
    /// The disk has no room.
    Full,
    /// The program dies before the effect.
    DiesBefore,
    /// The program dies after the effect.
    DiesAfter,
    /// The program has died before: nothing happens at all.
    Dead,
}

impl Fate {
    const fn name(self) -> Option<&'static str> {
        match self {
            Self::Works | Self::Dead => None,
            Self::Fails => Some("operations that failed"),
            Self::Lost => Some("answers lost"),
            Self::Late => Some("requests delayed"),
            Self::Twice => Some("requests repeated"),
            Self::Full => Some("writes without room"),
            Self::DiesBefore | Self::DiesAfter => Some("deaths in an operation"),
        }
    }
}

/// How often operations fail, per thousand.
#[derive(Debug, Clone, Default)]
pub struct Weather {
    /// Requests to the store that fail without effect.
    pub store_fails: u64,
    /// Requests that have their effect, while the answer is lost.
    pub store_loses: u64,
    /// Requests that have their effect after their failure was reported.
    pub store_delays: u64,
    /// Requests that are carried out twice.
    pub store_repeats: u64,
    /// The store is away for these of its requests.
    pub outage: Range<u64>,
    /// Writes to the disk, and fsyncs, that fail.
    pub disk_fails: u64,
    /// Writes to the disk for which there is no room.
    pub disk_fulls: u64,
}

/// Whom an operation is asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The log's disk.
    Disk,
    /// The lake's object store.
    Store,
}

/// Shared by the disk, the store and the driver of one seed.
pub struct World {
    /// The clock that the program is given.
    pub clock: Arc<ManualClock>,
    /// Where the names of new data files come from.
    pub names: Arc<AtomicU64>,
    state: Mutex<State>,
}

struct State {
    seed: u64,
    weather: Weather,
    /// Operations so far, and of these those of the store.
    operations: u64,
    requests: u64,
    /// The operation at which the program dies.
    dies_at: Option<u64>,
    /// How often the program was started. Operations of an earlier life have no effect.
    life: u64,
    dead: bool,
    /// An earlier life that was only paused, and goes on for a moment: its requests still reach the store.
    lingers: Option<u64>,
    counts: HashMap<(&'static str, String), u64>,
    trace: Trace,
    tally: BTreeMap<&'static str, u64>,
    broken: Vec<String>,
}

/// What has happened, as a hash, and in words if they are wanted.
struct Trace {
    hash: u64,
    loud: bool,
}

impl World {
    /// The world of `seed`; a `loud` one tells on standard output what happens.
    #[must_use]
    pub fn new(seed: u64, loud: bool) -> Arc<Self> {
        let state = State {
            seed,
            weather: Weather::default(),
            operations: 0,
            requests: 0,
            dies_at: None,
            life: 0,
            dead: false,
            lingers: None,
            counts: HashMap::new(),
            trace: Trace { hash: 0, loud },
            tally: BTreeMap::new(),
            broken: Vec::new(),
        };
        let clock = Arc::new(ManualClock::new(Timestamp(NEW_YEAR)));
        Arc::new(Self { clock, names: Arc::new(AtomicU64::new(1)), state: Mutex::new(state) })
    }

    /// What becomes of the operation `kind` on `path` that the program asks for in its life number `life`.
    pub fn judge(&self, life: u64, device: Device, kind: &'static str, path: &str) -> Fate {
        let mut state = self.state.lock();
        let lingers = device == Device::Store && state.lingers == Some(life);
        if !lingers && (state.dead || life != state.life) {
            return Fate::Dead;
        }
        let number = state.operations;
        state.operations += 1;
        state.requests += u64::from(device == Device::Store);
        let count = state.counts.entry((kind, path.to_owned())).or_default();
        *count += 1;
        let count = *count;
        let hash = mix(mix(mix(state.seed, kind.as_bytes()), path.as_bytes()), &count.to_le_bytes());
        let mut chance = fastrand::Rng::with_seed(mix(hash, &[device as u8]));
        let fate = if !lingers && state.dies_at.is_some_and(|at| at <= number) {
            state.dead = true;
            if chance.bool() { Fate::DiesBefore } else { Fate::DiesAfter }
        } else {
            state.fate(device, kind, path, &mut chance)
        };
        if let Some(name) = fate.name() {
            *state.tally.entry(name).or_default() += 1;
        }
        state.trace.note(&format_args!("{number} {kind} {path}: {fate:?}"));
        fate
    }

    /// A source of chance for what is left open by the fate of an operation, such as which pages survive.
    pub fn chance(&self, what: &str) -> fastrand::Rng {
        let state = self.state.lock();
        fastrand::Rng::with_seed(mix(mix(state.seed, what.as_bytes()), &state.operations.to_le_bytes()))
    }

    /// Begins a life of the program that has not yet died.
    pub fn begin_life(&self) -> u64 {
        let mut state = self.state.lock();
        state.life += 1;
        state.dead = false;
        state.dies_at = None;
        state.life
    }

    /// The number of the present life.
    pub fn life(&self) -> u64 {
        self.state.lock().life
    }

    /// The life `life`, which was paused, goes on until this is called with none.
    pub fn linger(&self, life: Option<u64>) {
        self.state.lock().lingers = life;
    }

    /// The program dies at the operation that many from now.
    pub fn die_in(&self, operations: u64) {
        let mut state = self.state.lock();
        state.dies_at = Some(state.operations + operations);
    }

    /// The program dies now.
    pub fn die(&self) {
        self.state.lock().dead = true;
    }

    /// Whether the program is dead.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.state.lock().dead
    }

    /// From now on operations fail this often.
    pub fn set_weather(&self, weather: Weather) {
        self.state.lock().weather = weather;
    }

    /// The store is away for this many requests.
    pub fn take_store_away(&self, requests: u64) {
        let mut state = self.state.lock();
        let now = state.requests;
        state.weather.outage = now..now + requests;
    }

    /// How many requests the store has seen.
    pub fn requests(&self) -> u64 {
        self.state.lock().requests
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Counts what has happened, so that one sees what the seeds get to.
    pub fn count(&self, what: &'static str, times: u64) {
        *self.state.lock().tally.entry(what).or_default() += times;
    }

    /// How often what was counted has happened.
    #[must_use]
    pub fn tally(&self) -> BTreeMap<&'static str, u64> {
        self.state.lock().tally.clone()
    }

    /// Adds the content of something that was written to the trace.
    pub fn note_content(&self, bytes: &[u8]) {
        self.note(&format_args!("    {} bytes, {:016x}", bytes.len(), mix(0, bytes)));
    }

    /// Adds to the trace.
    pub fn note(&self, what: &std::fmt::Arguments<'_>) {
        self.state.lock().trace.note(what);
    }

    /// Something that must hold does not.
    pub fn accuse(&self, what: String) {
        let mut state = self.state.lock();
        state.trace.note(&format_args!("BROKEN {what}"));
        state.broken.push(what);
    }

    /// What was found not to hold.
    #[must_use]
    pub fn broken(&self) -> Vec<String> {
        self.state.lock().broken.clone()
    }

    /// The hash of all that has happened.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.state.lock().trace.hash
    }
}

impl State {
    fn fate(&self, device: Device, kind: &str, path: &str, chance: &mut fastrand::Rng) -> Fate {
        let Weather { store_fails, store_loses, store_delays, store_repeats, disk_fails, disk_fulls, .. } =
            self.weather;
        let draw = chance.u64(0..1000);
        let pick = |choices: &[(u64, Fate)]| {
            let mut bound = 0;
            let mut hit = |rate: u64| {
                bound += rate;
                draw < bound
            };
            choices.iter().find(|(rate, _)| hit(*rate)).map_or(Fate::Works, |(_, fate)| *fate)
        };
        match (device, kind) {
            (Device::Store, _) if self.weather.outage.contains(&self.requests) => Fate::Fails,
            // What becomes of a commit matters most, and few requests are commits.
            (Device::Store, "put") if is_commit(path) => {
                let (loses, delays, repeats) = (3 * store_loses, 3 * store_delays, 2 * store_repeats);
                pick(&[
                    (store_fails, Fate::Fails),
                    (loses, Fate::Lost),
                    (delays, Fate::Late),
                    (repeats, Fate::Twice),
                ])
            }
            (Device::Store, "put" | "delete") => pick(&[
                (store_fails, Fate::Fails),
                (store_loses, Fate::Lost),
                (store_delays, Fate::Late),
                (store_repeats, Fate::Twice),
            ]),
            (Device::Store, _) => pick(&[(store_fails, Fate::Fails)]),
            (Device::Disk, "write" | "set_length" | "create") => {
                pick(&[(disk_fails, Fate::Fails), (disk_fulls, Fate::Full)])
            }
            (Device::Disk, _) => pick(&[(disk_fails, Fate::Fails)]),
        }
    }
}

/// `hash` and what follows, as one number: the same with every compiler, and fast without optimisation.
fn mix(hash: u64, next: &[u8]) -> u64 {
    (hash.rotate_left(23) ^ u64::from(crc32fast::hash(next))).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Whether `path` is that of a commit to a table that is there.
fn is_commit(path: &str) -> bool {
    path.split_once("/_delta_log/0").is_some_and(|(_, entry)| {
        entry.strip_suffix(".json").is_some_and(|digits| digits.bytes().any(|digit| digit != b'0'))
    })
}

impl Trace {
    fn note(&mut self, what: &std::fmt::Arguments<'_>) {
        let text = what.to_string();
        self.hash = mix(self.hash, text.as_bytes());
        if self.loud {
            use std::io::Write as _;
            // The reader of the trace may be gone.
            let _written = writeln!(std::io::stdout(), "{text}");
        }
    }
}

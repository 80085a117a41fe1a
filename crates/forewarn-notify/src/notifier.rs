//! Sends what the outbox wants sent, and appends what became of it.
//!
//! Each contact is told by itself: one that does not answer holds up no other. To a contact several messages
//! may be under way, but never two about the same alert, so that a person never hears that an alert is over
//! before hearing of it. What fails is tried again, later and later, for a day.

mod attempts;
mod delivery;
mod tester;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use forewarn_log::Log;
use forewarn_spec::NotifyConfig;
use forewarn_types::{AlertId, Clock, JournalError, Offset, Timestamp};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::attempts::Attempts;
use self::delivery::{Outcome, Shared};
use crate::channel::{Channels, forgets};
use crate::outbox::Outbox;
use crate::pending::Pending;
use crate::status::Health;

pub use self::tester::{TestReport, Tester};

/// Most messages under way to one contact.
const MAX_UNDER_WAY: usize = 8;
/// How often is looked at what waits, if nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a channel that forgets is told again.
const REFRESH_EVERY: Duration = Duration::from_mins(1);
/// How long the end waits for what is under way.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// What the notifier is built from.
pub struct NotifierParts {
    /// What is to be sent.
    pub outbox: Outbox,
    /// Takes what became of it.
    pub log: Arc<dyn Log>,
    /// The server's clock.
    pub clock: Arc<dyn Clock>,
    /// Contacts, and how they are reached.
    pub settings: NotifyConfig,
    /// What links begin with, where the settings do not say.
    pub url: String,
}

/// Sends messages.
pub struct Notifier {
    shared: Arc<Shared>,
    outbox: Outbox,
    /// The log's end at the start: what was sent before stands in front of it.
    begin: Offset,
    attempts: HashMap<String, Attempts>,
    under_way: JoinSet<Done>,
    counts: HashMap<String, usize>,
    /// When each contact may be sent the next message.
    free: HashMap<String, Instant>,
    refreshed: Option<Instant>,
}

/// A message that was tried.
struct Done {
    key: String,
    contact: String,
    outcome: Outcome,
}

impl Notifier {
    /// Puts it together.
    ///
    /// # Errors
    /// What keeps the channels from working, in words.
    pub fn build(parts: NotifierParts) -> Result<Self, String> {
        let NotifierParts { outbox, log, clock, settings, url } = parts;
        let health = Health::default();
        for contact in &settings.contacts {
            health.add(&contact.name, contact.destination.channel());
        }
        let base = settings.public_url.clone().unwrap_or(url);
        let channels = Channels::new(&settings)?;
        let begin = log.end();
        let shared = Arc::new(Shared { log, clock, settings, base, channels, health });
        Ok(Self {
            shared,
            outbox,
            begin,
            attempts: HashMap::new(),
            under_way: JoinSet::new(),
            counts: HashMap::new(),
            free: HashMap::new(),
            refreshed: None,
        })
    }

    /// How contacts are doing.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health.clone()
    }

    /// What sends test messages.
    #[must_use]
    pub fn tester(&self) -> Tester {
        Tester::new(Arc::clone(&self.shared), self.outbox.clone())
    }

    /// Sends what is due until `shutdown`. What is not sent by then is sent after the next start.
    ///
    /// # Errors
    /// If the log takes no more.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), JournalError> {
        let mut applied = self.outbox.applied();
        // What was sent before the start is known only once the outbox has read the log to its end.
        while *applied.borrow_and_update() < self.begin {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                changed = applied.changed() => if changed.is_err() { return Ok(()) },
            }
        }
        loop {
            let wake = self.dispatch();
            tokio::select! {
                () = shutdown.cancelled() => break,
                changed = applied.changed() => if changed.is_err() { break },
                Some(done) = self.under_way.join_next() => if let Ok(done) = done { self.done(done)?; },
                () = tokio::time::sleep(wake) => {}
            }
        }
        // What is under way may have arrived: its record keeps it from being sent again.
        let rest = async { while self.under_way.join_next().await.is_some() {} };
        let _all_or_time_is_up = tokio::time::timeout(LAST_WAIT, rest).await;
        Ok(())
    }

    /// Sends what may be sent now; gives when to look again.
    fn dispatch(&mut self) -> Duration {
        self.refresh();
        let pending = self.outbox.pending();
        self.note_pending(&pending);
        let now = Instant::now();
        let mut wake = LOOK_EVERY;
        let mut busy: HashMap<&str, HashSet<AlertId>> = HashMap::new();
        let mut free: Vec<(u64, &Arc<Pending>)> = Vec::new();
        for (number, one) in &pending {
            let busy = busy.entry(one.contact.as_str()).or_default();
            let follows = one.alerts().any(|alert| busy.contains(&alert));
            let attempts = self.attempts.get(&one.key);
            if let Some(next) = attempts.and_then(Attempts::next) {
                wake = wake.min(next.saturating_duration_since(now));
            }
            if !follows && attempts.is_none_or(|attempts| attempts.may_try(now)) {
                free.push((*number, one));
            }
            busy.extend(one.alerts());
        }
        // The worst first, so that a flood of what matters less holds nothing up.
        free.sort_by_key(|(number, one)| (std::cmp::Reverse(one.severity()), *number));
        for (_, one) in free {
            wake = wake.min(self.send(one, now));
        }
        wake
    }

    /// Sends a message, if its contact has room for it; gives when to look again.
    fn send(&mut self, one: &Arc<Pending>, now: Instant) -> Duration {
        let under_way = self.counts.entry(one.contact.clone()).or_default();
        if *under_way >= MAX_UNDER_WAY {
            return LOOK_EVERY;
        }
        let spacing = self.shared.settings.contact(&one.contact).map_or(0, |contact| contact.spacing_us);
        if spacing > 0 {
            let free = self.free.entry(one.contact.clone()).or_insert(now);
            if *free > now {
                return free.saturating_duration_since(now);
            }
            *free = now + Duration::from_micros(spacing.unsigned_abs());
        }
        *under_way += 1;
        let tries = self.attempts.entry(one.key.clone()).or_default().begin();
        let (shared, one) = (Arc::clone(&self.shared), Arc::clone(one));
        self.under_way.spawn(async move {
            let (key, contact) = (one.key.clone(), one.contact.clone());
            let outcome = shared.attempt(&one, tries).await;
            Done { key, contact, outcome }
        });
        LOOK_EVERY
    }

    fn done(&mut self, done: Done) -> Result<(), JournalError> {
        if let Some(under_way) = self.counts.get_mut(&done.contact) {
            *under_way = under_way.saturating_sub(1);
        }
        let attempts = self.attempts.entry(done.key).or_default();
        match done.outcome {
            Outcome::Recorded => attempts.finish(),
            Outcome::Refused(refusal) => attempts.fail(Instant::now(), refusal.after),
            Outcome::Stopped(error) => return Err(error),
        }
        Ok(())
    }

    /// Counts what waits, and forgets what does not any more.
    fn note_pending(&mut self, pending: &[(u64, Arc<Pending>)]) {
        let mut counts: BTreeMap<&str, (u64, Timestamp)> = BTreeMap::new();
        for (_, one) in pending {
            counts.entry(one.contact.as_str()).or_insert((0, one.time)).0 += 1;
        }
        self.shared.health.set_pending(&counts);
        if self.attempts.len() > pending.len() {
            let keys: HashSet<&str> = pending.iter().map(|(_, one)| one.key.as_str()).collect();
            self.attempts.retain(|key, _| keys.contains(key.as_str()));
        }
    }

    /// Tells channels that forget what they were told.
    fn refresh(&mut self) {
        let now = Instant::now();
        if self.refreshed.is_some_and(|last| now.duration_since(last) < REFRESH_EVERY) {
            return;
        }
        self.refreshed = Some(now);
        let forgetful = self.shared.settings.contacts.iter().filter(|contact| forgets(&contact.destination));
        for contact in forgetful.cloned() {
            let items = self.outbox.told_to(&contact.name);
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move {
                let now = shared.clock.now();
                if let Err(refusal) = shared.channels.refresh(&contact, &items, &shared.base, now).await {
                    shared.health.failed(&contact.name, now, &refusal.text);
                }
            });
        }
    }
}

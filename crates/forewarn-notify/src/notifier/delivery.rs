//! One attempt to send a message, and the record of what became of it.

use std::sync::Arc;
use std::time::Duration;

use forewarn_log::Log;
use forewarn_spec::{Contact, Destination, NotifyConfig};
use forewarn_types::{
    Clock, JournalError, Notification, NotificationOutcome, Record, Timestamp, crash_point,
};

use crate::calendar::on_duty;
use crate::channel::Channels;
use crate::message::Message;
use crate::pending::Pending;
use crate::refusal::Refusal;
use crate::status::Health;

/// A message is given up after this time, µs.
const GIVE_UP_US: i64 = 24 * 3_600 * 1_000_000;
/// A record that finds no room in the log is offered again after this time.
const NO_ROOM: Duration = Duration::from_millis(500);

/// What sending needs.
pub(super) struct Shared {
    pub(super) log: Arc<dyn Log>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: NotifyConfig,
    pub(super) base: String,
    pub(super) channels: Channels,
    pub(super) health: Health,
}

/// What became of an attempt.
pub(super) enum Outcome {
    /// What became of it stands in the log.
    Recorded,
    /// It is to be tried again.
    Refused(Refusal),
    /// The log takes no more.
    Stopped(JournalError),
}

impl Shared {
    /// Tries to send a message, and records what became of it if that is known.
    pub(super) async fn attempt(&self, one: &Pending, tries: u32) -> Outcome {
        let sent = match self.recipient(&one.contact, one.time) {
            Ok(contact) => {
                let message = Message::of(one, &self.base);
                crash_point("notify.before");
                let sent = self.channels.send(contact, &message).await;
                crash_point("notify.sent");
                sent.map(|said| (contact, said)).map_err(|refusal| (Some(contact), refusal))
            }
            Err(refusal) => Err((None, refusal)),
        };
        let now = self.clock.now();
        let (contact, outcome, detail) = match sent {
            Ok((contact, said)) => {
                self.health.delivered(&one.contact);
                (Some(contact), NotificationOutcome::Delivered, said)
            }
            Err((contact, refusal)) => {
                self.health.failed(&one.contact, now, &refusal.text);
                if now.since_us(one.time) < GIVE_UP_US {
                    let (contact, why) = (&one.contact, &refusal.text);
                    tracing::warn!(
                        contact,
                        why,
                        tries,
                        "a notification could not be sent; it is tried again"
                    );
                    return Outcome::Refused(refusal);
                }
                self.health.given_up(&one.contact);
                tracing::error!(contact = one.contact, key = one.key, "a notification was given up");
                (contact, NotificationOutcome::Failed, refusal.text)
            }
        };
        let record = record(one, contact, outcome, detail, tries, now, &self.base);
        self.record(record).await
    }

    /// Appends a record, however long it takes to find room for it.
    pub(super) async fn record(&self, notification: Notification) -> Outcome {
        loop {
            match self.log.append(Record::Notification(notification.clone())).await {
                Ok(_) => return Outcome::Recorded,
                Err(JournalError::Full(_)) => tokio::time::sleep(NO_ROOM).await,
                Err(error) => return Outcome::Stopped(error),
            }
        }
    }

    /// The contact of that name, or whose turn it was at `time`.
    pub(super) fn recipient(&self, name: &str, time: Timestamp) -> Result<&Contact, Refusal> {
        let missing =
            |name: &str| Refusal::new(format!("there is no contact '{name}' in the server's settings"));
        let contact = self.settings.contact(name).ok_or_else(|| missing(name))?;
        let Destination::Rotation(rotation) = &contact.destination else { return Ok(contact) };
        let name = on_duty(rotation, time)
            .ok_or_else(|| Refusal::new(format!("the rotation '{name}' has no contacts")))?;
        self.settings.contact(name).ok_or_else(|| missing(name))
    }
}

/// What became of a message, as the log holds it.
pub(super) fn record(
    one: &Pending,
    contact: Option<&Contact>,
    outcome: NotificationOutcome,
    detail: String,
    attempts: u32,
    now: Timestamp,
    base: &str,
) -> Notification {
    Notification {
        key: one.key.clone(),
        kind: one.kind,
        route: one.route.clone(),
        contact: one.contact.clone(),
        recipient: contact.map_or_else(|| one.contact.clone(), |contact| contact.name.clone()),
        channel: contact.map_or("none", |contact| contact.destination.channel()).to_owned(),
        outcome,
        attempts,
        detail: Some(detail),
        alerts: one.alerts().collect(),
        count: one.count(),
        title: Message::of(one, base).title,
        due: one.time,
        time: now,
    }
}

//! How contacts are doing: what was sent to them, and since when they cannot be reached.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forewarn_state::Exposition;
use forewarn_types::Timestamp;
use parking_lot::Mutex;

/// How contacts are doing; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, Figures>>>);

#[derive(Debug, Default)]
struct Figures {
    channel: String,
    delivered: AtomicU64,
    given_up: AtomicU64,
    failed_attempts: AtomicU64,
    pending: u64,
    oldest: Option<Timestamp>,
    failing: Option<(Timestamp, String)>,
}

/// How a contact is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactStatus {
    /// The contact.
    pub contact: String,
    /// How it is reached.
    pub channel: String,
    /// Messages delivered since the start.
    pub delivered: u64,
    /// Messages given up since the start.
    pub given_up: u64,
    /// Attempts that failed since the start.
    pub failed_attempts: u64,
    /// Messages that are still to be sent.
    pub pending: u64,
    /// When the oldest of them was due.
    pub oldest: Option<Timestamp>,
    /// Since when nothing can be delivered, and what the other side says.
    pub failing: Option<(Timestamp, String)>,
}

impl Health {
    pub(crate) fn add(&self, contact: &str, channel: &str) {
        channel.clone_into(&mut self.0.lock().entry(contact.to_owned()).or_default().channel);
    }

    pub(crate) fn delivered(&self, contact: &str) {
        self.with(contact, |figures| {
            figures.delivered.fetch_add(1, Ordering::Relaxed);
            figures.failing = None;
        });
    }

    pub(crate) fn failed(&self, contact: &str, now: Timestamp, why: &str) {
        self.with(contact, |figures| {
            figures.failed_attempts.fetch_add(1, Ordering::Relaxed);
            let since = figures.failing.as_ref().map_or(now, |(since, _)| *since);
            figures.failing = Some((since, why.to_owned()));
        });
    }

    pub(crate) fn given_up(&self, contact: &str) {
        self.with(contact, |figures| {
            figures.given_up.fetch_add(1, Ordering::Relaxed);
        });
    }

    pub(crate) fn set_pending(&self, pending: &BTreeMap<&str, (u64, Timestamp)>) {
        let mut all = self.0.lock();
        for figures in all.values_mut() {
            (figures.pending, figures.oldest) = (0, None);
        }
        for (contact, (count, oldest)) in pending {
            let figures = all.entry((*contact).to_owned()).or_default();
            (figures.pending, figures.oldest) = (*count, Some(*oldest));
        }
    }

    fn with(&self, contact: &str, change: impl FnOnce(&mut Figures)) {
        change(self.0.lock().entry(contact.to_owned()).or_default());
    }

    /// All contacts that the settings name, or that routes named.
    #[must_use]
    pub fn contacts(&self) -> Vec<ContactStatus> {
        let all = self.0.lock();
        let status = |(contact, figures): (&String, &Figures)| ContactStatus {
            contact: contact.clone(),
            channel: figures.channel.clone(),
            delivered: figures.delivered.load(Ordering::Relaxed),
            given_up: figures.given_up.load(Ordering::Relaxed),
            failed_attempts: figures.failed_attempts.load(Ordering::Relaxed),
            pending: figures.pending,
            oldest: figures.oldest,
            failing: figures.failing.clone(),
        };
        all.iter().map(status).collect()
    }

    /// Writes the figures for `/metrics`; `now` is what the server's clock shows.
    pub fn show(&self, out: &mut Exposition, now: Timestamp) {
        for status in self.contacts() {
            let labels = [("contact", status.contact.as_str()), ("channel", status.channel.as_str())];
            let help = "Notifications delivered.";
            out.counter("forewarn_notifications_sent_total", help, &labels, status.delivered);
            let help = "Notifications given up after a day of attempts.";
            out.counter("forewarn_notifications_failed_total", help, &labels, status.given_up);
            let help = "Attempts to deliver a notification that failed.";
            out.counter("forewarn_notification_failed_attempts_total", help, &labels, status.failed_attempts);
            let help = "Notifications that are still to be sent.";
            out.gauge("forewarn_notifications_pending", help, &labels, status.pending as f64);
            let age = status.oldest.map_or(0.0, |oldest| now.since_us(oldest).max(0) as f64 / 1e6);
            let help = "Age of the oldest notification that is still to be sent.";
            out.gauge("forewarn_notifications_oldest_pending_seconds", help, &labels, age);
            let failing = status.failing.map_or(0.0, |(since, _)| now.since_us(since).max(0) as f64 / 1e6);
            let help = "For how long nothing could be delivered to the contact; 0 while all is well.";
            out.gauge("forewarn_contact_failing_seconds", help, &labels, failing);
        }
    }
}

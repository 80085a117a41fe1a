//! Sends a message on request, so that somebody sees whether it arrives.

use std::sync::Arc;

use forewarn_types::{
    AlertId, AlertState, NotificationKind, NotificationOutcome, Offset, Severity, fingerprint,
};

use super::delivery::{Outcome, Shared, record};
use crate::item::{About, Item, Status};
use crate::message::Message;
use crate::outbox::Outbox;
use crate::pending::Pending;

/// Sends test messages; cheap to clone.
#[derive(Clone)]
pub struct Tester {
    shared: Arc<Shared>,
    outbox: Outbox,
}

/// What became of a test message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestReport {
    /// The contact.
    pub contact: String,
    /// Who got it, where the contact is a rotation.
    pub recipient: Option<String>,
    /// How.
    pub channel: Option<String>,
    /// Whether it was taken.
    pub delivered: bool,
    /// What the other side said.
    pub detail: String,
}

impl Tester {
    pub(super) const fn new(shared: Arc<Shared>, outbox: Outbox) -> Self {
        Self { shared, outbox }
    }

    /// The contacts that `name` stands for: itself, or those of the route of that name.
    #[must_use]
    pub fn contacts(&self, name: &str) -> Option<Vec<String>> {
        if self.shared.settings.contact(name).is_some() {
            return Some(vec![name.to_owned()]);
        }
        self.outbox.contacts_of(name)
    }

    /// Sends a test message to a contact. It is tried once.
    pub async fn test(&self, route: &str, contact: &str) -> TestReport {
        let now = self.shared.clock.now();
        let item = Item {
            alert: AlertId(0),
            offset: Offset(0),
            status: Status::Firing,
            severity: Severity::Warning,
            state: AlertState::Unacknowledged,
            rule: "test".into(),
            asset: "forewarn".into(),
            time: now,
            started: now,
            message: "This is a test. Nothing is wrong.".to_owned(),
            value: None,
            signal: None,
            about: About::default(),
        };
        let key = format!("test-{}", fingerprint(format!("{contact}{}", now.0).as_bytes()));
        let one = Pending {
            key,
            kind: NotificationKind::Test,
            route: route.to_owned(),
            contact: contact.to_owned(),
            group: Vec::new(),
            items: vec![item],
            more: 0,
            time: now,
            lane: String::new(),
        };
        let (recipient, sent) = match self.shared.recipient(contact, now) {
            Ok(recipient) => {
                let message = Message::of(&one, &self.shared.base);
                (Some(recipient), self.shared.channels.send(recipient, &message).await)
            }
            Err(refusal) => (None, Err(refusal)),
        };
        let (outcome, detail) = match sent {
            Ok(said) => (NotificationOutcome::Delivered, said),
            Err(refusal) => (NotificationOutcome::Failed, refusal.text),
        };
        let mut on_record = record(&one, recipient, outcome, detail.clone(), 1, now, &self.shared.base);
        on_record.alerts.clear();
        on_record.count = 0;
        let delivered = outcome == NotificationOutcome::Delivered;
        if let Outcome::Stopped(error) = self.shared.record(on_record).await {
            tracing::warn!(%error, "a test message is not on record");
        }
        TestReport {
            contact: contact.to_owned(),
            recipient: recipient.map(|one| one.name.clone()),
            channel: recipient.map(|one| one.destination.channel().to_owned()),
            delivered,
            detail,
        }
    }
}

//! Tells people of alerts.
//!
//! Two parts, which meet in the log. The [outbox](Outbox) is a fold over it: from transitions of alerts,
//! ticks, definitions and silences it computes which messages are due, without a clock and without I/O, so
//! that a replay makes the same messages with the same keys. The [`Notifier`] sends what is due, each contact
//! by itself, and appends what became of it; only then does the outbox strike the message off. So a message
//! is sent at least once: it goes out a second time, with the same key, if the server ends between the other
//! side's answer and the record.
//!
//! Nothing in here says that an alert is over because its readings stopped: such an alert is told as unknown.

mod calendar;
mod channel;
mod item;
mod message;
mod notifier;
mod outbox;
mod pending;
mod refusal;
mod rulebook;
mod status;
#[cfg(test)]
mod tests;

pub use calendar::{is_zone, on_duty};
pub use item::{Item, Status};
pub use notifier::{Notifier, NotifierParts, TestReport, Tester};
pub use outbox::{Outbox, OutboxFold, Reason, RouteReason, Sent};
pub use pending::Pending;
pub use status::{ContactStatus, Health};

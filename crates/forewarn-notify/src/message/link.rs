//! Where an alert is looked at.

use crate::item::Item;

/// A link to an alert; `base` is where people reach the server.
pub(super) fn link(base: &str, item: &Item) -> String {
    format!("{base}/v1/alerts/{}", item.alert)
}

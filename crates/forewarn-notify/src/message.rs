//! What a message says: a title, words for people, and JSON for programs.

mod html;
mod link;
mod words;

use forewarn_types::{Severity, Timestamp};
use serde_json::{Value, json};

use crate::item::{Item, Status};
use crate::pending::Pending;

use self::link::link;

/// Most alerts that the words of a message list; its JSON has more.
const MAX_LISTED: usize = 50;

/// A message, ready for any channel.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Names it.
    pub(crate) key: String,
    /// What it says of all its alerts: the worst of what it says of each.
    pub(crate) status: Status,
    /// The worst severity.
    pub(crate) severity: Severity,
    /// In one line.
    pub(crate) title: String,
    /// In words.
    pub(crate) text: String,
    /// In words, with markup.
    pub(crate) html: String,
    /// For programs.
    pub(crate) json: Value,
    /// What it says about each alert.
    pub(crate) items: Vec<Item>,
    /// A link to the first alert.
    pub(crate) link: String,
    /// When it became due.
    pub(crate) time: Timestamp,
}

impl Message {
    /// The message that `pending` is; links begin with `base`.
    pub(crate) fn of(pending: &Pending, base: &str) -> Self {
        let status = pending.items.iter().map(|item| item.status).min().unwrap_or(Status::Firing);
        let title = words::title(pending, status);
        let link = pending.items.first().map_or_else(|| base.to_owned(), |item| link(base, item));
        let group: serde_json::Map<String, Value> =
            pending.group.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
        let text = words::text(pending, base, MAX_LISTED);
        let json = json!({
            "key": pending.key,
            "kind": pending.kind.as_str(),
            "status": status.as_str(),
            "severity": pending.severity().as_str(),
            "route": pending.route,
            "contact": pending.contact,
            "group": group,
            "title": title,
            "text": text,
            "count": pending.count(),
            "more": pending.more,
            "time": pending.time,
            "link": link,
            "alerts": pending.items.iter().map(|item| alert(item, base)).collect::<Vec<_>>(),
        });
        Self {
            key: pending.key.clone(),
            status,
            severity: pending.severity(),
            html: html::page(pending, &title, base, MAX_LISTED),
            title,
            text,
            json,
            items: pending.items.clone(),
            link,
            time: pending.time,
        }
    }
}

fn alert(item: &Item, base: &str) -> Value {
    json!({
        "id": item.alert,
        "status": item.status.as_str(),
        "rule": &*item.rule,
        "asset": &*item.asset,
        "severity": item.severity.as_str(),
        "state": item.state.as_str(),
        "started": item.started,
        "time": item.time,
        "message": item.message,
        "signal": item.signal.as_deref(),
        "value": item.value,
        "unit": item.about.unit.as_deref(),
        "limit": item.about.limit.as_deref(),
        "consequence": item.about.consequence.as_deref(),
        "action": item.about.action.as_deref(),
        "link": link(base, item),
    })
}

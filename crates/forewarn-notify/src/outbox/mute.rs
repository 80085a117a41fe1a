//! Which alerts are not told for now, and why.

use forewarn_spec::AssetGlob;
use forewarn_types::{AlertState, Quiet, Timestamp};

use super::state::{Known, State};
use crate::calendar::is_in_week;
use crate::item::Item;

/// A silence or window that has ended is listed for so long, µs.
const KEEP_US: i64 = 24 * 3_600 * 1_000_000;

impl State {
    /// Why an alert is not told now, if it is not.
    pub(crate) fn muted(&self, known: &Known) -> Option<String> {
        match known.item.state {
            AlertState::Shelved => return Some("it is shelved".to_owned()),
            AlertState::Suppressed => return Some("it is suppressed by design".to_owned()),
            AlertState::OutOfService => return Some("its asset is out of service".to_owned()),
            _ => {}
        }
        let now = self.now();
        let by = self.quiets.values().find(|quiet| holds(quiet, now) && concerns(quiet, &known.item))?;
        let until = by.until.map_or_else(String::new, |until| format!(" until {until}"));
        let who = by.actor.as_ref().map_or_else(String::new, |actor| format!(" by {actor}"));
        Some(format!("{} {}{who}{until}", by.kind.as_str(), by.id))
    }

    /// Takes in a silence or a maintenance window.
    pub(crate) fn quiet(&mut self, quiet: &Quiet) {
        // It holds from now on, and not only from the next tick on.
        if self.wall.is_none_or(|wall| wall < quiet.time) {
            self.advance(quiet.time);
        }
        if quiet.removed {
            self.quiets.remove(&quiet.id);
        } else {
            self.quiets.insert(quiet.id.clone(), quiet.clone());
        }
        self.unmute();
    }

    /// Tells what was missed by alerts that are muted no more.
    pub(crate) fn unmute(&mut self) {
        let missed = |known: &Known| known.told.values().any(|told| told.missed);
        let ids: Vec<_> = self.alerts.iter().filter(|(_, known)| missed(known)).map(|(id, _)| *id).collect();
        for id in ids {
            let Some(mut known) = self.alerts.remove(&id) else { continue };
            for route in self.routes() {
                self.catch_up(&mut known, &route);
            }
            self.alerts.insert(id, known);
        }
        self.flush_ready();
    }

    /// Forgets silences and windows that ended long ago.
    pub(crate) fn forget_quiets(&mut self) {
        let now = self.now();
        self.quiets.retain(|_, quiet| quiet.until.is_none_or(|until| now.since_us(until) < KEEP_US));
    }
}

/// Whether a silence or window holds at `now`.
pub(super) fn holds(quiet: &Quiet, now: Timestamp) -> bool {
    quiet.from <= now
        && quiet.until.is_none_or(|until| now < until)
        && quiet.weekly.as_ref().is_none_or(|weekly| is_in_week(weekly, now))
}

/// Whether it is about an alert.
fn concerns(quiet: &Quiet, item: &Item) -> bool {
    // What cannot be read was refused when it was set.
    let selects = |selectors: &[String], name: &str| {
        selectors.is_empty() || AssetGlob::parse_all(selectors).is_ok_and(|glob| glob.matches(name))
    };
    (quiet.severities.is_empty() || quiet.severities.contains(&item.severity))
        && selects(&quiet.assets, &item.asset)
        && selects(&quiet.rules, &item.rule)
}

//! The lives that a file of run-to-failure data shows: training needs to know when each machine began and
//! when it failed.

use forewarn_types::{LifeEvent, LifeEventKind, Timestamp};
use hashbrown::HashMap;

use crate::mapping::Lives;

/// From when to when each asset has rows.
pub(super) struct LifeSpans {
    lives: Lives,
    /// The time between two rows, where the mapping tells it.
    step_us: Option<i64>,
    spans: Vec<Span>,
    by_asset: HashMap<String, usize>,
    last: usize,
}

struct Span {
    asset: String,
    first: i64,
    last: i64,
    /// The smallest time between two neighbouring rows; 0 as long as there is one row.
    gap: i64,
    newest: i64,
}

impl LifeSpans {
    pub(super) fn new(lives: Lives, step_us: Option<i64>) -> Self {
        Self { lives, step_us, spans: Vec::new(), by_asset: HashMap::new(), last: 0 }
    }

    /// Notes a row.
    pub(super) fn add(&mut self, asset: &str, time: i64) {
        if self.lives == Lives::None {
            return;
        }
        let index = if self.spans.get(self.last).is_some_and(|span| span.asset == asset) {
            self.last
        } else if let Some(&index) = self.by_asset.get(asset) {
            index
        } else {
            self.by_asset.insert(asset.to_owned(), self.spans.len());
            self.spans.push(Span { asset: asset.to_owned(), first: time, last: time, gap: 0, newest: time });
            self.spans.len() - 1
        };
        self.last = index;
        let span = &mut self.spans[index];
        let gap = time.saturating_sub(span.newest).saturating_abs();
        if gap > 0 && (span.gap == 0 || gap < span.gap) {
            span.gap = gap;
        }
        span.newest = time;
        span.first = span.first.min(time);
        span.last = span.last.max(time);
    }

    /// The events, asset by asset in order of appearance. A life begins one step before its first row.
    pub(super) fn events(&self) -> Vec<LifeEvent> {
        let mut events = Vec::new();
        for span in &self.spans {
            let event = |event, time| LifeEvent {
                asset: span.asset.as_str().into(),
                event,
                time: Timestamp(time),
                actor: Some("import".into()),
                comment: None,
                corrects: None,
            };
            let step = self.step_us.unwrap_or(span.gap);
            events.push(event(LifeEventKind::Installed, span.first.saturating_sub(step)));
            if self.lives == Lives::Failed {
                events.push(event(LifeEventKind::Failed, span.last));
            }
        }
        events
    }
}

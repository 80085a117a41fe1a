//! What a question has to read: the one place that says what lake and tail together are.
//!
//! A row of a table is in the files of the view's snapshot or, from the offset this ends at, in the tail;
//! never in both. Every reader takes both from here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use forewarn_types::{Offset, SeriesId, SeriesTable};
use parking_lot::RwLock;

use super::reader::Reader;
use super::view::{TableView, View};
use crate::table::{Bounds, DataFile};
use crate::tail::Columns;

/// One table of a view, as far as it may hold rows within some bounds.
pub(crate) struct Scan<'a> {
    pub(crate) table: &'a TableView,
    pub(crate) bounds: &'a Bounds,
    /// Files that may hold such rows.
    pub(crate) files: Vec<Arc<DataFile>>,
    view: &'a View,
}

impl Reader {
    /// What there is to be read of `table`.
    pub(crate) fn scan<'a>(&self, view: &'a View, table: &'a TableView, bounds: &'a Bounds) -> Scan<'a> {
        let files: Vec<_> = table.files.iter().filter(|file| bounds.may_match(file)).cloned().collect();
        self.files_scanned.fetch_add(files.len(), Ordering::Relaxed);
        Scan { table, bounds, files, view }
    }
}

impl Scan<'_> {
    /// The readings behind the files that lie within the bounds on asset, signal and time.
    pub(crate) fn tail_readings(&self, series: &RwLock<SeriesTable>) -> Columns {
        let Some(from) = self.table.committed else { return Columns::default() };
        let oldest = self.bounds.int("offset").map_or(0, |(low, _)| u64::try_from(low).unwrap_or(0));
        let from = from.max(Offset(oldest));
        let (low, high) = self.bounds.time("time").unwrap_or((i64::MIN, i64::MAX));
        let (assets, signals) = (self.bounds.texts("asset"), self.bounds.texts("signal"));
        if assets.is_none() && signals.is_none() && (low, high) == (i64::MIN, i64::MAX) {
            return Columns::all(&self.view.tail.chunks, from);
        }
        let fits =
            |texts: Option<&BTreeSet<String>>, name: &str| texts.is_none_or(|texts| texts.contains(name));
        let pass: Vec<bool> = series
            .read()
            .defs()
            .iter()
            .map(|def| fits(assets, &def.asset) && fits(signals, &def.signal))
            .collect();
        // A series that is not in the table of series is reported where its name is looked up.
        let wanted = |id: SeriesId, time: i64| {
            low <= time && time <= high && pass.get(id.index()).copied().unwrap_or(true)
        };
        Columns::collect(&self.view.tail.chunks, from, wanted)
    }
}

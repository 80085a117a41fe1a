//! What everything that reads the lake shares.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use forewarn_types::{Offset, SeriesTable};
use parking_lot::RwLock;

use super::progress::Progress;
use super::view::View;
use crate::options::LakeOptions;
use crate::store::ObjectFiles;

/// Lake and tail, as those see them that read.
pub(crate) struct Reader {
    pub(crate) options: LakeOptions,
    pub(crate) store: ObjectFiles,
    pub(crate) series: Arc<RwLock<SeriesTable>>,
    pub(crate) view: RwLock<View>,
    pub(crate) progress: Progress,
    /// Files handed to a scan so far: what pruning left.
    pub(crate) files_scanned: AtomicUsize,
}

impl Reader {
    /// A reader of `view`, in which the tail ends at `applied`.
    pub(crate) fn new(
        options: LakeOptions,
        store: ObjectFiles,
        series: Arc<RwLock<SeriesTable>>,
        view: View,
        applied: Offset,
    ) -> Self {
        Self {
            options,
            store,
            series,
            view: RwLock::new(view),
            progress: Progress::at(applied),
            files_scanned: AtomicUsize::new(0),
        }
    }

    /// Lake and tail as they are now.
    pub(crate) fn view(&self) -> View {
        self.view.read().clone()
    }
}

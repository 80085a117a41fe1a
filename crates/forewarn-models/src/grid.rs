//! Readings of one life, resampled onto rows of fixed spacing.
//!
//! Slot k covers the time from k × spacing to (k + 1) × spacing after the start of the life. A signal's value
//! there is the mean of its good readings in the slot, so that a dense and a sparse sensor weigh the same and
//! noise is averaged out. A slot without a reading takes the value before it, for a limited number of slots;
//! after that the value is unknown (NaN). A slot in which no signal has a reading is no row.

/// What a grid is made of. Times are µs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GridSpec {
    /// Spacing of the rows.
    pub every_us: i64,
    /// How many slots a value may be carried forward.
    pub fill_slots: usize,
    /// When the life began: where ages count from.
    pub start: i64,
    /// Readings before this are not of interest; not before `start`.
    pub from: i64,
    /// Readings from here on are of another life.
    pub until: i64,
}

/// Most cells (slots × signals) of all grids that are in memory at once; while a grid is made a cell takes up
/// to 20 bytes. A life that is too long even alone keeps its newest part.
pub(crate) const MAX_CELLS: usize = 16 << 20;

/// How many cells the grid of `signals` signals over `length_us` has at most.
pub(crate) fn cells(length_us: i64, every_us: i64, signals: usize) -> usize {
    let slots = usize::try_from(length_us / every_us.max(1)).unwrap_or(0).saturating_add(2);
    slots.saturating_mul(signals.max(1)).min(MAX_CELLS)
}

/// Takes in readings, ascending in time within a signal.
#[derive(Debug)]
pub(crate) struct GridBuilder {
    spec: GridSpec,
    /// Number of slot 0 of this grid, counted from the start of the life.
    first_slot: i64,
    sums: Vec<Vec<f64>>,
    counts: Vec<Vec<u32>>,
    oldest: Vec<i64>,
    newest: Vec<i64>,
    max_slots: usize,
}

/// A life on rows.
#[derive(Debug, Clone)]
pub(crate) struct LifeGrid {
    /// When the life began.
    pub start: i64,
    /// Per signal, per slot; NaN where unknown.
    pub values: Vec<Vec<f64>>,
    /// Per slot: time of the oldest reading in it; `i64::MAX` where there is none.
    pub oldest: Vec<i64>,
    /// Per slot: time of the newest reading in it; `i64::MIN` where there is none.
    pub newest: Vec<i64>,
}

impl GridBuilder {
    pub(crate) fn new(spec: GridSpec, signals: usize) -> Self {
        Self::with_max_cells(spec, signals, MAX_CELLS)
    }

    fn with_max_cells(mut spec: GridSpec, signals: usize, max_cells: usize) -> Self {
        spec.from = spec.from.max(spec.start);
        let first_slot = spec.from.saturating_sub(spec.start).div_euclid(spec.every_us);
        let max_slots = (max_cells / signals.max(1)).max(1);
        let (sums, counts) = (vec![Vec::new(); signals], vec![Vec::new(); signals]);
        Self { spec, first_slot, sums, counts, oldest: Vec::new(), newest: Vec::new(), max_slots }
    }

    /// Takes in a good reading of signal number `signal`; one outside the life, or a value that is no number,
    /// is passed over.
    pub(crate) fn push(&mut self, signal: usize, time: i64, value: f64) {
        if time < self.spec.from || time >= self.spec.until || !value.is_finite() {
            return;
        }
        let number = time.saturating_sub(self.spec.start).div_euclid(self.spec.every_us) - self.first_slot;
        let Ok(mut slot) = usize::try_from(number) else { return };
        if slot >= self.max_slots {
            let drop = slot + 1 - self.max_slots + self.max_slots / 8;
            self.forget(drop);
            slot = slot.saturating_sub(drop);
        }
        let (sums, counts) = (&mut self.sums[signal], &mut self.counts[signal]);
        if sums.len() <= slot {
            sums.resize(slot + 1, 0.0);
            counts.resize(slot + 1, 0);
        }
        sums[slot] += value;
        counts[slot] += 1;
        if self.newest.len() <= slot {
            self.oldest.resize(slot + 1, i64::MAX);
            self.newest.resize(slot + 1, i64::MIN);
        }
        self.oldest[slot] = self.oldest[slot].min(time);
        self.newest[slot] = self.newest[slot].max(time);
    }

    /// Drops the oldest `slots`, so that memory stays bounded however long a life is.
    fn forget(&mut self, slots: usize) {
        self.first_slot += i64::try_from(slots).unwrap_or(i64::MAX);
        for (sums, counts) in self.sums.iter_mut().zip(&mut self.counts) {
            sums.drain(..slots.min(sums.len()));
            counts.drain(..slots.min(counts.len()));
        }
        self.oldest.drain(..slots.min(self.oldest.len()));
        self.newest.drain(..slots.min(self.newest.len()));
        self.spec.from = self.spec.start.saturating_add(self.first_slot.saturating_mul(self.spec.every_us));
    }

    /// The rows: means, gaps filled up to the bound.
    pub(crate) fn finish(self) -> LifeGrid {
        let slots = self.newest.len();
        let fill = self.spec.fill_slots;
        let values = self.sums.iter().zip(&self.counts).map(|(sums, counts)| {
            let mut last = (f64::NAN, usize::MAX);
            (0..slots)
                .map(|slot| {
                    match counts.get(slot) {
                        Some(&count) if count > 0 => last = (sums[slot] / f64::from(count), 0),
                        _ => last.1 = last.1.saturating_add(1),
                    }
                    if last.1 <= fill { last.0 } else { f64::NAN }
                })
                .collect()
        });
        LifeGrid {
            start: self.spec.start,
            values: values.collect(),
            oldest: self.oldest,
            newest: self.newest,
        }
    }
}

impl LifeGrid {
    /// The slots in which at least one signal has a reading.
    pub(crate) fn rows(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.newest.iter().enumerate().filter(|&(_, &newest)| newest != i64::MIN).map(|(slot, _)| slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> GridSpec {
        GridSpec { every_us: 10, fill_slots: 2, start: 100, from: 100, until: 1_000 }
    }

    fn grid(spec: GridSpec, signals: usize, readings: &[(usize, i64, f64)]) -> LifeGrid {
        let mut builder = GridBuilder::new(spec, signals);
        for &(signal, time, value) in readings {
            builder.push(signal, time, value);
        }
        builder.finish()
    }

    #[test]
    fn slots_hold_means_and_short_gaps_are_filled() {
        let grid = grid(
            spec(),
            2,
            &[(0, 100, 1.0), (0, 109, 3.0), (0, 110, 5.0), (1, 105, 7.0), (1, 145, 9.0), (0, 108, f64::NAN)],
        );
        assert_eq!(grid.values[0][..4], [2.0, 5.0, 5.0, 5.0]);
        assert!(grid.values[0][4].is_nan(), "a value is carried two slots, not three");
        assert_eq!(grid.values[1][..3], [7.0, 7.0, 7.0]);
        assert!(grid.values[1][3].is_nan());
        assert_eq!(grid.values[1][4], 9.0);
        assert_eq!(grid.oldest, [100, 110, i64::MAX, i64::MAX, 145]);
        assert_eq!(grid.newest, [109, 110, i64::MIN, i64::MIN, 145]);
        assert_eq!(grid.rows().collect::<Vec<_>>(), [0, 1, 4]);
    }

    #[test]
    fn readings_of_other_lives_are_passed_over() {
        let spec = GridSpec { from: 120, until: 140, ..spec() };
        let grid = grid(spec, 1, &[(0, 99, 1.0), (0, 119, 1.0), (0, 120, 2.0), (0, 139, 4.0), (0, 140, 1.0)]);
        assert_eq!(grid.values[0], [2.0, 4.0], "slots keep the alignment of the life's start");
    }

    #[test]
    fn a_long_life_keeps_its_newest_part() {
        let mut builder = GridBuilder::with_max_cells(spec(), 1, 16);
        for slot in 0..50 {
            builder.push(0, 100 + 10 * slot, slot as f64);
        }
        let grid = builder.finish();
        assert!(grid.newest.len() <= 16, "{}", grid.newest.len());
        assert_eq!(grid.values[0].last(), Some(&49.0));
        assert_eq!(grid.newest.last(), Some(&590));
    }
}

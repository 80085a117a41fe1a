//! Portions: the work of a run, divided so that the readings of each part fit in memory.
//!
//! A first look at names and times counts the readings of each asset in each bucket of time. The whole is
//! then divided until each part is small enough: by days, as a file holds one, unless a part has to look
//! beyond its days; then by assets, by which files are sorted; and at last by time.

use std::collections::{BTreeMap, BTreeSet};

const HOUR_US: i64 = 3_600_000_000;
pub(super) const DAY_US: i64 = 24 * HOUR_US;
/// Longest run that is counted by the hour, by the times of its readings. Others are counted by days, which a
/// file tells for all of its rows.
const BY_HOUR_US: i64 = 2 * DAY_US;
/// Most buckets of a run.
const MAX_BUCKETS: i64 = 128;

/// A part of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Portion {
    /// Only these assets; `None`: all that the frame selects.
    pub(super) assets: Option<BTreeSet<String>>,
    /// Steps that end after this time, µs.
    pub(super) from: i64,
    /// Steps that do not end after this time, µs.
    pub(super) to: i64,
    /// About how many readings it reads.
    pub(super) readings: u64,
}

/// How many readings there are of each asset, by time.
pub(super) struct Counts {
    /// Start of the first bucket, µs; a border of days or hours in UTC.
    origin: i64,
    bucket_us: i64,
    buckets: usize,
    assets: BTreeMap<String, Vec<u32>>,
}

impl Counts {
    /// None yet, for times from `from` on and before `to`.
    pub(super) fn new(from: i64, to: i64) -> Self {
        let length = to.saturating_sub(from).max(1);
        let bucket_us = if length <= BY_HOUR_US {
            HOUR_US
        } else {
            DAY_US.saturating_mul(length / DAY_US / MAX_BUCKETS + 1)
        };
        let origin = from.div_euclid(bucket_us).saturating_mul(bucket_us);
        let buckets = usize::try_from(to.saturating_sub(origin) / bucket_us + 1).unwrap_or(1);
        Self { origin, bucket_us, buckets, assets: BTreeMap::new() }
    }

    /// Whether the day of a reading is all that matters of its time.
    pub(super) const fn by_day(&self) -> bool {
        self.bucket_us >= DAY_US
    }

    /// Counts the readings of `asset` at `times`. What lies outside counts as being at the edge.
    pub(super) fn add(&mut self, asset: &str, times: impl Iterator<Item = i64>) {
        if !self.assets.contains_key(asset) {
            self.assets.insert(asset.to_owned(), vec![0; self.buckets]);
        }
        let Some(counts) = self.assets.get_mut(asset) else { return };
        for time in times {
            let bucket = time.saturating_sub(self.origin).div_euclid(self.bucket_us).max(0);
            let bucket = usize::try_from(bucket).unwrap_or(usize::MAX).min(self.buckets - 1);
            if let Some(count) = counts.get_mut(bucket) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// Portions of the steps that end after `from` and not after `to`, each of at most about `most` readings
    /// where it can be; a portion also reads what lies up to `reach_us` before and after it.
    pub(super) fn portions(&self, from: i64, to: i64, reach_us: i64, most: u64) -> Vec<Portion> {
        let names: Vec<&String> = self.assets.keys().collect();
        let sums: Vec<Vec<u64>> = self.assets.values().map(|counts| running_sums(counts)).collect();
        let reach = if reach_us == 0 { 0 } else { reach_us / self.bucket_us + 1 };
        let reach = usize::try_from(reach).unwrap_or(usize::MAX);
        let cutter = Cutter { counts: self, sums: &sums, reach, most };
        let mut parts = Vec::new();
        cutter.cut(Part { assets: (0, sums.len()), buckets: (0, self.buckets) }, &mut parts);
        let mut portions = Vec::new();
        for part in parts {
            let (first, last) = part.buckets;
            let first = if first == 0 { from } else { self.start(first).clamp(from, to) };
            let last = if last == self.buckets { to } else { self.start(last).clamp(from, to) };
            let assets: BTreeSet<String> =
                names[part.assets.0..part.assets.1].iter().map(|name| (*name).clone()).collect();
            let pieces = cutter.pieces(part);
            let readings = cutter.weight(part) / u64::try_from(pieces).unwrap_or(1).max(1);
            let piece_us = (last - first).checked_div(pieces).unwrap_or(0).max(1);
            let mut start = first;
            while start < last {
                let end = if last - start < 2 * piece_us { last } else { start + piece_us };
                portions.push(Portion { assets: Some(assets.clone()), from: start, to: end, readings });
                start = end;
            }
        }
        portions
    }

    fn start(&self, bucket: usize) -> i64 {
        let buckets = i64::try_from(bucket).unwrap_or(i64::MAX);
        self.origin.saturating_add(buckets.saturating_mul(self.bucket_us))
    }
}

fn running_sums(counts: &[u32]) -> Vec<u64> {
    let mut sum = 0;
    let sums = counts.iter().map(|count| {
        sum += u64::from(*count);
        sum
    });
    std::iter::once(0).chain(sums).collect()
}

/// Some assets and buckets: from the first on, before the second.
#[derive(Clone, Copy)]
struct Part {
    assets: (usize, usize),
    buckets: (usize, usize),
}

struct Cutter<'a> {
    counts: &'a Counts,
    /// Of each asset, the readings before each bucket.
    sums: &'a [Vec<u64>],
    /// Buckets that are read beyond a part.
    reach: usize,
    most: u64,
}

impl Cutter<'_> {
    fn cut(&self, part: Part, parts: &mut Vec<Part>) {
        let assets = part.assets.1 - part.assets.0;
        let buckets = part.buckets.1 - part.buckets.0;
        let weight = self.weight(part);
        let halves = if weight <= self.most {
            None
        } else if let Some(border) = self.border_of_days(part) {
            Some(by_time(part, border))
        } else if assets > 1 {
            let border = self.half_of_assets(part, weight);
            let (first, last) = part.assets;
            Some([Part { assets: (first, border), ..part }, Part { assets: (border, last), ..part }])
        } else if buckets > 1 && self.own_weight(part) >= weight / 2 {
            // Else most of it would be read again for each half.
            Some(by_time(part, part.buckets.0 + buckets / 2))
        } else {
            None
        };
        match halves {
            Some([first, second]) => {
                self.cut(first, parts);
                self.cut(second, parts);
            }
            None if assets > 0 => parts.push(part),
            None => {}
        }
    }

    /// How many parts of equal length a part is best divided into. Where one bucket of one asset is too much,
    /// its readings are taken to lie evenly in time.
    fn pieces(&self, part: Part) -> i64 {
        let own = self.own_weight(part);
        let is_one_bucket = part.buckets.1 - part.buckets.0 == 1;
        if !is_one_bucket || own < self.weight(part) / 2 {
            return 1;
        }
        i64::try_from(own.div_ceil(self.most.max(1))).unwrap_or(i64::MAX).max(1)
    }

    /// The readings that a part reads.
    fn weight(&self, part: Part) -> u64 {
        let first = part.buckets.0.saturating_sub(self.reach);
        let last = part.buckets.1.saturating_add(self.reach).min(self.counts.buckets);
        self.own_weight(Part { buckets: (first, last), ..part })
    }

    /// Those among them of which it computes rows.
    fn own_weight(&self, part: Part) -> u64 {
        let (first, last) = part.buckets;
        self.sums[part.assets.0..part.assets.1].iter().map(|sums| sums[last] - sums[first]).sum()
    }

    /// The border of two days nearest to the middle. There is none if a part looks beyond its days, as files
    /// of other days would be read for it.
    fn border_of_days(&self, part: Part) -> Option<usize> {
        if self.reach > 0 {
            return None;
        }
        let (first, last) = part.buckets;
        let is_border = |bucket: &usize| self.counts.start(*bucket).rem_euclid(DAY_US) == 0;
        let middle = usize::midpoint(first, last);
        (first + 1..last).filter(is_border).min_by_key(|bucket| bucket.abs_diff(middle))
    }

    /// The asset up to which about as many readings are as half of the portions that it takes can hold.
    fn half_of_assets(&self, part: Part, weight: u64) -> usize {
        let (first, last) = part.assets;
        let parts = weight.div_ceil(self.most.max(1)).max(2);
        let share = weight / parts * (parts / 2);
        let mut sum = 0;
        for asset in first..last - 1 {
            let of_asset = self.weight(Part { assets: (asset, asset + 1), ..part });
            if asset > first && sum + of_asset / 2 > share {
                return asset;
            }
            sum += of_asset;
        }
        last - 1
    }
}

fn by_time(part: Part, border: usize) -> [Part; 2] {
    let (first, last) = part.buckets;
    [Part { buckets: (first, border), ..part }, Part { buckets: (border, last), ..part }]
}

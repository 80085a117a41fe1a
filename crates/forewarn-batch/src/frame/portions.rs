//! Portions: the work of a run, divided so that the readings of each part fit in memory.
//!
//! A first look at names and times counts the readings of each asset in each bucket of time. The whole is
//! then halved until each part is small enough: by days while it has several, as files hold a day each, then by
//! assets, as files are sorted by them, and at last by time.

use std::collections::{BTreeMap, BTreeSet};

const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
/// Most buckets of a run.
const MAX_BUCKETS: i64 = 480;

/// A part of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Portion {
    /// Only these assets; `None`: all that the frame selects.
    pub(super) assets: Option<BTreeSet<String>>,
    /// Steps that end after this time, µs.
    pub(super) from: i64,
    /// Steps that do not end after this time, µs.
    pub(super) to: i64,
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
        let bucket_us = if length / HOUR_US < MAX_BUCKETS {
            HOUR_US
        } else {
            DAY_US.saturating_mul(length / DAY_US / MAX_BUCKETS + 1)
        };
        let origin = from.div_euclid(bucket_us).saturating_mul(bucket_us);
        let buckets = usize::try_from(to.saturating_sub(origin) / bucket_us + 1).unwrap_or(1);
        Self { origin, bucket_us, buckets, assets: BTreeMap::new() }
    }

    /// Counts the readings of `asset` at `times`. Times outside are left out.
    pub(super) fn add(&mut self, asset: &str, times: &[i64]) {
        if !self.assets.contains_key(asset) {
            self.assets.insert(asset.to_owned(), vec![0; self.buckets]);
        }
        let Some(counts) = self.assets.get_mut(asset) else { return };
        for time in times {
            let bucket = time.saturating_sub(self.origin).div_euclid(self.bucket_us);
            let count = usize::try_from(bucket).ok().and_then(|bucket| counts.get_mut(bucket));
            if let Some(count) = count {
                *count = count.saturating_add(1);
            }
        }
    }

    /// Portions of the steps that end after `from` and not after `to`, each of at most about `most` readings
    /// where it can be; a portion also reads what lies up to `reach_us` beyond it.
    pub(super) fn portions(&self, from: i64, to: i64, reach_us: i64, most: u64) -> Vec<Portion> {
        let names: Vec<&String> = self.assets.keys().collect();
        let sums: Vec<Vec<u64>> = self.assets.values().map(|counts| running_sums(counts)).collect();
        let reach = usize::try_from(reach_us / self.bucket_us + 1).unwrap_or(usize::MAX);
        let cutter = Cutter { counts: self, sums: &sums, reach, most };
        let mut parts = Vec::new();
        cutter.cut(Part { assets: (0, sums.len()), buckets: (0, self.buckets) }, &mut parts);
        let portion = |part: Part| {
            let first = if part.buckets.0 == 0 { from } else { self.start(part.buckets.0).clamp(from, to) };
            let last =
                if part.buckets.1 == self.buckets { to } else { self.start(part.buckets.1).clamp(from, to) };
            let assets = names[part.assets.0..part.assets.1].iter().map(|name| (*name).clone()).collect();
            (first < last).then_some(Portion { assets: Some(assets), from: first, to: last })
        };
        parts.into_iter().filter_map(portion).collect()
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
        let weight = self.weight(part);
        if weight == 0 {
            return;
        }
        let days = (weight > self.most).then(|| self.border_of_days(part)).flatten();
        let assets = part.assets.1 - part.assets.0;
        let buckets = part.buckets.1 - part.buckets.0;
        let halves = if weight <= self.most {
            None
        } else if let Some(border) = days {
            Some(by_time(part, border))
        } else if assets > 1 {
            let border = self.half_of_assets(part, weight);
            let (first, last) = part.assets;
            Some([Part { assets: (first, border), ..part }, Part { assets: (border, last), ..part }])
        } else if buckets > 1 {
            Some(by_time(part, part.buckets.0 + buckets / 2))
        } else {
            None
        };
        match halves {
            Some([first, second]) => {
                self.cut(first, parts);
                self.cut(second, parts);
            }
            None => parts.push(part),
        }
    }

    /// The readings that a part reads.
    fn weight(&self, part: Part) -> u64 {
        let first = part.buckets.0.saturating_sub(self.reach);
        let last = part.buckets.1.saturating_add(self.reach).min(self.counts.buckets);
        self.sums[part.assets.0..part.assets.1].iter().map(|sums| sums[last] - sums[first]).sum()
    }

    /// The border of two days nearest to the middle, if what is read beyond it is little beside the part.
    fn border_of_days(&self, part: Part) -> Option<usize> {
        let (first, last) = part.buckets;
        if (last - first) / 4 < self.reach && self.reach > 1 {
            return None;
        }
        let is_border = |bucket: &usize| self.counts.start(*bucket).rem_euclid(DAY_US) == 0;
        let middle = usize::midpoint(first, last);
        (first + 1..last).filter(is_border).min_by_key(|bucket| bucket.abs_diff(middle))
    }

    /// The asset up to which about half of the readings are.
    fn half_of_assets(&self, part: Part, weight: u64) -> usize {
        let (first, last) = part.assets;
        let mut sum = 0;
        for asset in first..last - 1 {
            sum += self.weight(Part { assets: (asset, asset + 1), ..part });
            if sum >= weight / 2 {
                return asset + 1;
            }
        }
        last - 1
    }
}

fn by_time(part: Part, border: usize) -> [Part; 2] {
    let (first, last) = part.buckets;
    [Part { buckets: (first, border), ..part }, Part { buckets: (border, last), ..part }]
}

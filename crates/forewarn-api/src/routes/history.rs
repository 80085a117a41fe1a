//! History of one signal: raw, or in buckets where it has more readings than a chart has pixels.

use axum::Json;
use axum::extract::State as Extract;
use forewarn_lake::{LakeError, ReadingsQuery, SeriesReadings};
use forewarn_types::{Quality, SeriesId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::assets::unknown;
use crate::access::Principal;
use crate::context::ApiState;
use crate::http::params::time_range;
use crate::http::{AssetParam, Params, PathParam, TimeInput};
use crate::problem::{Problem, sets};
use crate::problems;

const MAX_POINTS: usize = 100_000;
const POINTS: usize = 1_000;
/// Without `from`, history begins this long before its end.
const SPAN_US: i64 = 30 * 86_400_000_000;
/// A history is fetched in parts, of which one is in memory at a time. The first is this long, µs.
const FIRST_PART_US: i64 = 86_400_000_000;
/// No part is made shorter than this, µs.
const SHORTEST_PART_US: i64 = 1_000_000;
/// A part with fewer readings than this doubles the next.
const FEW_READINGS: usize = 500_000;
/// A part with more readings than this halves the next.
const MANY_READINGS: usize = 4_000_000;
/// The narrowest bucket, µs; wider ones are this times a power of two.
const NARROWEST_US: i64 = 1_000;

/// Which part of a history, and how fine.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// At this time or later; left out: 30 days before `to`.
    #[param(value_type = Option<String>)]
    from: Option<TimeInput>,
    /// Before this time; left out: up to the newest reading.
    #[param(value_type = Option<String>)]
    to: Option<TimeInput>,
    /// Most points in the answer, 1 to 100000; default 1000. With more readings than that they are put in
    /// buckets.
    max_points: Option<usize>,
}

/// The history of one signal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct History {
    /// The asset.
    asset: String,
    /// The signal.
    signal: String,
    /// Its unit, if a pipeline declares one.
    unit: Option<String>,
    /// `raw`, or `buckets`.
    resolution: &'static str,
    /// Width of a bucket in milliseconds, if there are buckets.
    bucket_ms: Option<i64>,
    /// The readings, or the buckets, in order of time.
    readings: Vec<Point>,
}

/// One reading, or one bucket of them.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Point {
    /// Event time of the reading, or where the bucket begins.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// The value, or the mean of the bucket without readings of bad quality; null if there are no others.
    value: Option<f64>,
    /// The quality; of a bucket the worst.
    quality: &'static str,
    /// Smallest value of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    /// Largest value of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    /// Mean of the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    /// How many readings there are in the bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// Present and true if the reading was late.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    late: bool,
}

/// The readings of one signal: raw, or minimum, maximum and mean of buckets of equal width.
#[utoipa::path(get, path = "/v1/assets/{asset}/signals/{signal}/readings", tag = "assets",
    params(
        ("asset" = String, Path, description = "The asset's path, percent-encoded: plant1%2Fpump7"),
        ("signal" = String, Path, description = "The signal"), HistoryQuery,
    ), responses(
    (status = 200, description = "The readings", body = History),
    sets::Parameters, sets::Missing,
))]
pub(crate) async fn get_readings(
    Extract(api): Extract<ApiState>,
    principal: Principal,
    PathParam((AssetParam(asset), signal)): PathParam<(AssetParam, String)>,
    Params(query): Params<HistoryQuery>,
) -> Result<Json<History>, Problem> {
    principal.check_sees(&asset)?;
    let points = crate::http::params::limit(query.max_points, POINTS, MAX_POINTS)?;
    let (mut from, mut to) = time_range(query.from, query.to)?;
    api.fresh().await?;
    let (id, newest) = find(&api, &asset, &signal)?;
    if query.to.is_none() {
        to = newest.map_or(from, |newest| newest.plus_us(1)).max(from);
    }
    if query.from.is_none() {
        from = to.plus_us(-SPAN_US);
    }
    let _turn = api.histories.acquire().await.map_err(|error| Problem::internal(&error))?;
    let lake = api.lake.clone();
    let part = move |from, to| {
        let lake = lake.clone();
        async move { lake.readings(ReadingsQuery { series: vec![id], from, to }).await }
    };
    let thinner = collect(part, from, to, points).await.map_err(|error| problems::lake(&error))?;
    let (resolution, bucket_ms) =
        if thinner.width_us == 0 { ("raw", None) } else { ("buckets", Some(thinner.width_us / 1_000)) };
    let unit = api.unit(&asset, &signal.as_str().into());
    Ok(Json(History {
        asset: asset.to_string(),
        signal,
        unit,
        resolution,
        bucket_ms,
        readings: thinner.into_points(),
    }))
}

fn find(api: &ApiState, asset: &str, signal: &str) -> Result<(SeriesId, Option<Timestamp>), Problem> {
    let state = api.state.read();
    let known = state.asset(asset).ok_or_else(|| unknown(asset))?;
    let id = *known.signals.get(signal).ok_or_else(|| {
        let names: Vec<&str> = known.signals.keys().take(20).map(|name| &**name).collect();
        let signal: String = signal.chars().take(80).collect();
        Problem::not_found(format!("asset {asset} has no signal {signal}"))
            .hint(format!("its signals are {}", names.join(", ")))
    })?;
    Ok((id, state.series(id).and_then(|series| series.last).map(|last| last.time)))
}

/// Fetches a history part by part. How long a part is follows from how many readings the one before held, so
/// that dense signals need no more memory than others, and sparse ones few parts.
async fn collect<F: Future<Output = Result<Vec<SeriesReadings>, LakeError>>>(
    part: impl Fn(Timestamp, Timestamp) -> F,
    from: Timestamp,
    to: Timestamp,
    points: usize,
) -> Result<Thinner, LakeError> {
    let mut thinner = Thinner::new(points);
    let mut length = FIRST_PART_US;
    let mut begin = from;
    while begin < to {
        let end = begin.plus_us(length).min(to);
        let found = match part(begin, end).await {
            Err(LakeError::TooLarge(_)) if length > SHORTEST_PART_US => {
                length = (length / 8).max(SHORTEST_PART_US);
                continue;
            }
            found => found?,
        };
        for series in &found {
            for ((time, value), flags) in series.time.iter().zip(&series.value).zip(&series.flags) {
                thinner.push(*time, *value, flags.quality(), flags.is_late());
            }
        }
        begin = end;
        match found.iter().map(|series| series.time.len()).sum::<usize>() {
            ..FEW_READINGS => length = length.saturating_mul(2),
            MANY_READINGS.. => length = (length / 2).max(SHORTEST_PART_US),
            _ => {}
        }
    }
    Ok(thinner)
}

/// Keeps readings as they are while they are few, and from then on in buckets that double in width as often
/// as is needed.
#[derive(Debug)]
struct Thinner {
    most: usize,
    /// Width of a bucket; 0: readings are kept as they are.
    width_us: i64,
    raw: Vec<(i64, f64, Quality, bool)>,
    buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Start over width, rounded down.
    index: i64,
    count: u64,
    usable: u64,
    sum: f64,
    min: f64,
    max: f64,
    worst: Quality,
}

impl Bucket {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.usable += other.usable;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        if other.worst as u8 > self.worst as u8 {
            self.worst = other.worst;
        }
    }
}

impl Thinner {
    const fn new(most: usize) -> Self {
        Self { most, width_us: 0, raw: Vec::new(), buckets: Vec::new() }
    }

    /// Takes the next reading, in order of time.
    fn push(&mut self, time: i64, value: f64, quality: Quality, late: bool) {
        if self.width_us > 0 {
            return self.bucket(time, value, quality);
        }
        self.raw.push((time, value, quality, late));
        if self.raw.len() > self.most {
            self.width_us = NARROWEST_US;
            for (time, value, quality, _) in std::mem::take(&mut self.raw) {
                self.bucket(time, value, quality);
            }
        }
    }

    fn bucket(&mut self, time: i64, value: f64, quality: Quality) {
        let usable = quality != Quality::Bad;
        let (min, max) = if usable { (value, value) } else { (f64::INFINITY, f64::NEG_INFINITY) };
        let sum = if usable { value } else { 0.0 };
        let index = time.div_euclid(self.width_us);
        let one = Bucket { index, count: 1, usable: u64::from(usable), sum, min, max, worst: quality };
        match self.buckets.last_mut() {
            Some(last) if last.index == index => last.merge(&one),
            _ => self.buckets.push(one),
        }
        // The bound on the width ends the loop also where buckets lie on both sides of 1970, which never
        // merge.
        while self.buckets.len() > self.most && self.width_us < i64::MAX / 4 {
            self.widen();
        }
    }

    fn widen(&mut self) {
        self.width_us *= 2;
        self.buckets.iter_mut().for_each(|bucket| bucket.index = bucket.index.div_euclid(2));
        self.buckets.dedup_by(|later, earlier| {
            let same = later.index == earlier.index;
            if same {
                earlier.merge(later);
            }
            same
        });
    }

    fn into_points(self) -> Vec<Point> {
        let width_us = self.width_us;
        let raw = self.raw.into_iter().map(|(time, value, quality, late)| Point {
            time: Timestamp(time),
            value: Some(value),
            quality: quality.as_str(),
            min: None,
            max: None,
            mean: None,
            count: None,
            late,
        });
        let buckets = self.buckets.into_iter().map(|bucket| {
            let some = |value: f64| (bucket.usable > 0).then_some(value);
            let mean = some(bucket.sum / bucket.usable as f64);
            Point {
                time: Timestamp(bucket.index.saturating_mul(width_us)),
                value: mean,
                quality: bucket.worst.as_str(),
                min: some(bucket.min),
                max: some(bucket.max),
                mean,
                count: Some(bucket.count),
                late: false,
            }
        });
        raw.chain(buckets).collect()
    }
}

#[cfg(test)]
mod tests {
    use forewarn_types::ReadingFlags;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_readings_stay_as_they_are() {
        let mut thinner = Thinner::new(2);
        thinner.push(5, 1.0, Quality::Good, false);
        thinner.push(6, 2.0, Quality::Bad, true);
        let points = thinner.into_points();
        assert_eq!(
            points.iter().map(|point| (point.time.0, point.value, point.late)).collect::<Vec<_>>(),
            [(5, Some(1.0), false), (6, Some(2.0), true)]
        );
    }

    #[test]
    fn bad_readings_count_but_do_not_distort() {
        let mut thinner = Thinner::new(1);
        for (time, value, quality) in
            [(0, 1.0, Quality::Good), (1_000, 3.0, Quality::Uncertain), (2_000, 99.0, Quality::Bad)]
        {
            thinner.push(time, value, quality, false);
        }
        assert_eq!(thinner.width_us, 4_000);
        let points = thinner.into_points();
        assert_eq!(
            (points[0].min, points[0].max, points[0].mean, points[0].count),
            (Some(1.0), Some(3.0), Some(2.0), Some(3))
        );
        assert_eq!(points[0].quality, "bad");
    }

    /// Readings of one signal, `step_us` apart; more than `most` of them in one part are refused.
    fn every(
        step_us: i64,
        most: usize,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<SeriesReadings>, LakeError> {
        let first = (from.0 + step_us - 1).div_euclid(step_us) * step_us;
        let time: Vec<i64> =
            (first..to.0).step_by(usize::try_from(step_us).unwrap()).take(most + 1).collect();
        if time.len() > most {
            return Err(LakeError::TooLarge("too many".into()));
        }
        let flags = vec![ReadingFlags::new(Quality::Good, false); time.len()];
        Ok(vec![SeriesReadings {
            id: SeriesId(0),
            value: vec![1.0; time.len()],
            offset: Vec::new(),
            flags,
            time,
        }])
    }

    #[tokio::test]
    async fn a_history_of_any_density_is_fetched_in_parts_that_fit() {
        let day = 86_400_000_000;
        // From one reading in two weeks to fifty a second; 10,000 is what a part may hold.
        for (step_us, days) in [(14 * day, 20_000), (3_600_000_000, 365), (1_000_000, 2), (20_000, 1)] {
            let parts = std::cell::Cell::new(0);
            let part = |from, to| {
                parts.set(parts.get() + 1);
                std::future::ready(every(step_us, 10_000, from, to))
            };
            let thinner = collect(part, Timestamp(0), Timestamp(days * day), 100).await.unwrap();
            let count: u64 = thinner.buckets.iter().map(|bucket| bucket.count).sum();
            assert_eq!(
                i64::try_from(count).unwrap(),
                days * day / step_us + i64::from(days * day % step_us > 0),
                "a reading in {step_us} µs"
            );
            let fewest = count / 10_000;
            assert!(parts.get() <= 20 + 16 * fewest, "{} parts for {count} readings", parts.get());
        }
        let refused = collect(
            |from, to| std::future::ready(every(1, 10_000, from, to)),
            Timestamp(0),
            Timestamp(day),
            100,
        )
        .await;
        assert!(matches!(refused, Err(LakeError::TooLarge(_))), "a million readings a second stay too many");
    }

    proptest! {
        #[test]
        fn buckets_hold_every_reading_once(
            steps in prop::collection::vec((0_i64..5_000_000_000, -1e6_f64..1e6), 1..300),
            most in 1_usize..40,
        ) {
            let mut thinner = Thinner::new(most);
            let mut time = 0;
            for (step, value) in &steps {
                time += step;
                thinner.push(time, *value, Quality::Good, false);
            }
            let points = thinner.into_points();
            prop_assert!(points.len() <= most);
            prop_assert!(points.windows(2).all(|pair| pair[0].time <= pair[1].time));
            let count: u64 = points.iter().map(|point| point.count.unwrap_or(1)).sum();
            prop_assert_eq!(count, steps.len() as u64);
            let lowest = steps.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
            let least = |point: &Point| point.min.or(point.value);
            let shown = points.iter().filter_map(least).fold(f64::INFINITY, f64::min);
            prop_assert_eq!(lowest, shown);
        }
    }
}

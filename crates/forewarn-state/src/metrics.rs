//! Counters and gauges, and their text form for Prometheus (exposition format 0.0.4).
//!
//! Small on purpose: series are registered once and then are plain atomics; what another stage counts for
//! itself is fetched by a collector when the page is asked for.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Upper bounds of the request histogram, in seconds.
const BUCKETS_S: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];
/// Most series the registry holds; beyond it values are counted nowhere, so that a careless label cannot take
/// the memory.
const MAX_SERIES: usize = 10_000;

type Collector = Box<dyn Fn(&mut Exposition) + Send + Sync>;

/// All that `/metrics` shows.
#[derive(Default)]
pub struct Metrics {
    values: Mutex<BTreeMap<Key, Arc<AtomicU64>>>,
    histograms: Mutex<BTreeMap<Key, Arc<Histogram>>>,
    collectors: Mutex<Vec<Collector>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    name: &'static str,
    help: &'static str,
    labels: String,
}

/// A number that only grows.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Its value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How values are spread, in the buckets of [`BUCKETS_S`].
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS_S.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts a value, in seconds.
    pub fn observe(&self, value: std::time::Duration) {
        let seconds = value.as_secs_f64();
        if let Some(bucket) = BUCKETS_S.iter().position(|bound| seconds <= *bound) {
            self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(u64::try_from(value.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Metrics {
    /// The counter of that name and those labels, made at the first call. Names end in `_total`.
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Counter {
        let key = Key { name, help, labels: label_text(labels) };
        let mut values = self.values.lock();
        if values.len() >= MAX_SERIES && !values.contains_key(&key) {
            return Counter::default();
        }
        Counter(Arc::clone(values.entry(key).or_default()))
    }

    /// The histogram of seconds of that name and those labels, made at the first call.
    pub fn histogram(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
    ) -> Arc<Histogram> {
        let key = Key { name, help, labels: label_text(labels) };
        let mut histograms = self.histograms.lock();
        if histograms.len() >= MAX_SERIES && !histograms.contains_key(&key) {
            return Arc::default();
        }
        Arc::clone(histograms.entry(key).or_default())
    }

    /// Calls `collector` whenever the page is asked for; it writes what another stage has counted.
    pub fn collect_with(&self, collector: impl Fn(&mut Exposition) + Send + Sync + 'static) {
        self.collectors.lock().push(Box::new(collector));
    }

    /// The page.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = Exposition::default();
        for (key, value) in &*self.values.lock() {
            out.sample(Kind::Counter, key.name, key.help, &key.labels, value.load(Ordering::Relaxed) as f64);
        }
        for collector in &*self.collectors.lock() {
            collector(&mut out);
        }
        let mut page = out.finish();
        self.render_histograms(&mut page);
        page
    }

    fn render_histograms(&self, page: &mut String) {
        let mut last = "";
        for (key, histogram) in &*self.histograms.lock() {
            let Key { name, help, labels } = key;
            // Writing to a string cannot fail, here and below.
            if last != *name {
                let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} histogram");
                last = name;
            }
            let separator = if labels.is_empty() { "" } else { "," };
            let mut seen = 0;
            for (bucket, bound) in histogram.buckets.iter().zip(BUCKETS_S) {
                seen += bucket.load(Ordering::Relaxed);
                let _ = writeln!(page, "{name}_bucket{{{labels}{separator}le=\"{bound}\"}} {seen}");
            }
            let count = histogram.count.load(Ordering::Relaxed);
            let sum = histogram.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
            let braced = braced(labels);
            let _ = writeln!(page, "{name}_bucket{{{labels}{separator}le=\"+Inf\"}} {count}");
            let _ = writeln!(page, "{name}_sum{braced} {sum}\n{name}_count{braced} {count}");
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

/// Samples on their way to the page: whoever writes them need not keep them in order.
#[derive(Debug, Default)]
pub struct Exposition {
    families: BTreeMap<&'static str, (Kind, &'static str, String)>,
}

impl Exposition {
    /// Writes a number that only grows. Names end in `_total`.
    pub fn counter(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: u64) {
        self.sample(Kind::Counter, name, help, &label_text(labels), value as f64);
    }

    /// Writes a number that goes up and down.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: f64) {
        self.sample(Kind::Gauge, name, help, &label_text(labels), value);
    }

    fn sample(&mut self, kind: Kind, name: &'static str, help: &'static str, labels: &str, value: f64) {
        let (_, _, lines) = self.families.entry(name).or_insert_with(|| (kind, help, String::new()));
        let _ = writeln!(lines, "{name}{} {value}", braced(labels));
    }

    fn finish(self) -> String {
        let mut page = String::new();
        for (name, (kind, help, lines)) in self.families {
            let kind = if kind == Kind::Counter { "counter" } else { "gauge" };
            let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
        }
        page
    }
}

fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

fn label_text(labels: &[(&str, &str)]) -> String {
    let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_page_is_in_prometheus_form() {
        let metrics = Metrics::default();
        metrics.counter("requests_total", "Requests.", &[("path", "/a\"b")]).add(2);
        metrics.counter("requests_total", "Requests.", &[("path", "/c")]).inc();
        metrics.collect_with(|out| out.gauge("lag_records", "Records behind.", &[], 7.5));
        let histogram = metrics.histogram("seconds", "Time.", &[("path", "/c")]);
        histogram.observe(Duration::from_micros(1_500));
        histogram.observe(Duration::from_mins(1));
        let page = metrics.render();
        for line in [
            "# TYPE requests_total counter",
            "requests_total{path=\"/a\\\"b\"} 2",
            "requests_total{path=\"/c\"} 1",
            "# HELP lag_records Records behind.",
            "lag_records 7.5",
            "seconds_bucket{path=\"/c\",le=\"0.001\"} 0",
            "seconds_bucket{path=\"/c\",le=\"0.0025\"} 1",
            "seconds_bucket{path=\"/c\",le=\"+Inf\"} 2",
            "seconds_count{path=\"/c\"} 2",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
        }
        assert_eq!(page.matches("# TYPE requests_total").count(), 1);
    }
}

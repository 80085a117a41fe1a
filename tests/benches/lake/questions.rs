//! Twelve questions over all readings, beside `DuckDB`.

use std::time::Instant;

use forewarn_lake::Cell;

use crate::bed::{Bed, peak_memory_mib, reset_peak_memory};
use crate::duckdb::DuckDb;
use crate::{RUNS, median};

/// The geometric mean of the ratios is at most 1, and no ratio above 2.
const BAR: f64 = 2.0;

/// A question, as it is asked here and there, and the largest ratio of the times it may take.
struct Question {
    name: &'static str,
    ours: &'static str,
    theirs: Option<&'static str>,
    bar: f64,
}

const fn same(name: &'static str, query: &'static str, bar: f64) -> Question {
    Question { name, ours: query, theirs: None, bar }
}

const QUESTIONS: [Question; 12] = [
    same(
        "by series",
        "SELECT asset, signal, count(*) AS n, avg(value) AS mean, min(value) AS low, max(value) AS high \
         FROM readings GROUP BY asset, signal",
        0.8,
    ),
    Question {
        name: "hourly by series",
        ours: "SELECT asset, signal, date_trunc('hour', time) AS hour, count(*) AS n, avg(value) AS mean, \
               min(value) AS low, max(value) AS high FROM readings GROUP BY asset, signal, hour",
        // Of DuckDB's two functions, this is the faster.
        theirs: Some(
            "SELECT asset, signal, time_bucket(INTERVAL '1 hour', time) AS hour, count(*) AS n, \
             avg(value) AS mean, min(value) AS low, max(value) AS high FROM readings \
             GROUP BY asset, signal, hour",
        ),
        bar: 0.8,
    },
    Question {
        name: "last per series",
        ours: "SELECT asset, signal, max(time) AS newest, last(value, time) AS value, count(*) AS n \
               FROM readings GROUP BY asset, signal",
        theirs: Some(
            "SELECT asset, signal, max(time) AS newest, arg_max(value, time) AS value, count(*) AS n \
             FROM readings GROUP BY asset, signal",
        ),
        bar: BAR,
    },
    same(
        "one series one day",
        "SELECT time, value, 1 AS n FROM readings WHERE asset = 'plant1/line3/pump43' AND \
         signal = 'current' AND time >= '2026-01-02' AND time < '2026-01-03' ORDER BY time",
        BAR,
    ),
    same(
        "newest 100",
        "SELECT time, asset, signal, value, 1 AS n FROM readings ORDER BY time DESC LIMIT 100",
        BAR,
    ),
    Question {
        name: "percentile by asset",
        ours: "SELECT asset, percentile_cont(0.95) WITHIN GROUP (ORDER BY value) AS p95, count(*) AS n \
               FROM readings WHERE signal = 'vibration_rms' GROUP BY asset",
        theirs: Some(
            "SELECT asset, quantile_cont(value, 0.95) AS p95, count(*) AS n \
             FROM readings WHERE signal = 'vibration_rms' GROUP BY asset",
        ),
        bar: BAR,
    },
    same(
        "running average of a day",
        "SELECT asset, count(*) AS n, max(mean) AS high FROM (SELECT asset, avg(value) OVER (PARTITION BY \
         asset, signal ORDER BY time ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS mean FROM readings \
         WHERE time >= '2026-01-02' AND time < '2026-01-03') GROUP BY asset",
        BAR,
    ),
    Question {
        name: "as-of join of two signals",
        ours: "SELECT asset, count(*) AS n, sum(flow) AS total FROM (SELECT asset, signal, \
               last_value(CASE WHEN signal = 'flow' THEN value END) IGNORE NULLS OVER (PARTITION BY asset \
               ORDER BY time, signal ROWS UNBOUNDED PRECEDING) AS flow FROM readings \
               WHERE signal IN ('temperature', 'flow') AND time >= '2026-01-02' AND time < '2026-01-03') \
               WHERE signal = 'temperature' AND flow IS NOT NULL GROUP BY asset",
        theirs: Some(
            "SELECT t.asset, count(*) AS n, sum(f.value) AS total FROM \
             (SELECT * FROM readings WHERE signal = 'temperature' AND time >= '2026-01-02' \
             AND time < '2026-01-03') t \
             ASOF JOIN \
             (SELECT * FROM readings WHERE signal = 'flow' AND time >= '2026-01-02' \
             AND time < '2026-01-03') f \
             ON t.asset = f.asset AND f.time <= t.time GROUP BY t.asset",
        ),
        bar: BAR,
    },
    same(
        "count distinct",
        "SELECT signal, count(DISTINCT value) AS kinds, count(*) AS n FROM readings GROUP BY signal",
        BAR,
    ),
    same(
        "filter by value",
        "SELECT asset, count(*) AS n, max(time) AS newest FROM readings WHERE value > 1490.0 GROUP BY asset",
        BAR,
    ),
    Question {
        name: "wide pivot by FILTER",
        ours: "SELECT asset, time_bucket('1m', time) AS minute, count(*) AS n, \
               avg(value) FILTER (WHERE signal = 'temperature') AS temperature, \
               avg(value) FILTER (WHERE signal = 'flow') AS flow, \
               avg(value) FILTER (WHERE signal = 'current') AS current, \
               avg(value) FILTER (WHERE signal = 'vibration_rms') AS vibration FROM readings \
               WHERE signal IN ('temperature', 'flow', 'current', 'vibration_rms') GROUP BY asset, minute",
        theirs: Some(
            "SELECT asset, time_bucket(INTERVAL '1 minute', time) AS minute, count(*) AS n, \
             avg(value) FILTER (WHERE signal = 'temperature') AS temperature, \
             avg(value) FILTER (WHERE signal = 'flow') AS flow, \
             avg(value) FILTER (WHERE signal = 'current') AS current, \
             avg(value) FILTER (WHERE signal = 'vibration_rms') AS vibration FROM readings \
             WHERE signal IN ('temperature', 'flow', 'current', 'vibration_rms') GROUP BY asset, minute",
        ),
        bar: BAR,
    },
    same(
        "top ten",
        "SELECT asset, signal, max(value) - min(value) AS swing, count(*) AS n FROM readings \
         GROUP BY asset, signal ORDER BY swing DESC LIMIT 10",
        BAR,
    ),
];

/// Asks all questions here and there, in turns.
pub(crate) async fn ask(bed: &Bed) {
    let Some(mut peer) = DuckDb::over(&bed.table()) else { return };
    let mut logs = 0.0;
    for question in &QUESTIONS {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        reset_peak_memory("self");
        peer.reset_peak_memory();
        for _ in 0..RUNS {
            let started = Instant::now();
            let answer = bed.sql(question.ours).await;
            ours.push(started.elapsed().as_secs_f64());
            let (seconds, summary) = peer.run(question.theirs.unwrap_or(question.ours));
            theirs.push(seconds);
            assert_eq!(summary_of(&answer), summary, "{}", question.name);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        logs += (ours / theirs).ln();
        println!(
            "  {}: {ours:.3} s, DuckDB {theirs:.3} s: ratio {:.2} (at most {}); peak memory {} MiB, \
             DuckDB {} MiB",
            question.name,
            ours / theirs,
            question.bar,
            peak_memory_mib("self"),
            peer.peak_memory_mib()
        );
    }
    let mean = (logs / QUESTIONS.len() as f64).exp();
    println!("  geometric mean of the ratios: {mean:.2} (at most 1)");
}

/// Rows, and the sum of their counts.
fn summary_of(answer: &forewarn_lake::ResultSet) -> (usize, i64) {
    let column = answer.columns().iter().position(|name| name == "n").expect("a count");
    let count = |row| match answer.cell(row, column) {
        Cell::Int(n) => n,
        other => panic!("{other:?} is no count"),
    };
    (answer.row_count(), (0..answer.row_count()).map(count).sum())
}

//! Constructs that are small to write and large to answer: deep nesting, long lists, doubling, products, wide
//! texts, loops without an end.

use crate::random::Random;

/// One of them, of a size between small and too large.
pub(super) fn bomb(random: &mut Random) -> String {
    // Small and large sizes are equally likely.
    let bits = random.below(15);
    let count = usize::try_from((1 << bits) + random.below(1 << bits)).unwrap_or(1);
    match random.below(5) {
        0 | 1 => nested(random, count),
        2 => long(random, count),
        3 => doubling(random, count),
        _ => costly(random, count),
    }
}

/// Something within something within something.
fn nested(random: &mut Random, count: usize) -> String {
    let wrap = |open: &str, core: &str, close: &str| {
        format!("SELECT {}{core}{} AS x FROM readings LIMIT 1", open.repeat(count), close.repeat(count))
    };
    match random.below(12) {
        0 => wrap("(", "1", ")"),
        1 => wrap("-", "1", ""),
        2 => wrap("NOT ", "late", ""),
        3 => wrap("abs(", "value", ")"),
        4 => wrap("CASE WHEN late THEN 1 ELSE ", "2", " END"),
        5 => wrap("CAST(", "value", " AS DOUBLE PRECISION)"),
        6 => wrap("INTERVAL ", "'1 day'", ""),
        7 => wrap("ARRAY[", "1", "]"),
        8 => wrap("(SELECT ", "1", ")"),
        9 => format!(
            "SELECT * FROM {}readings{} LIMIT 1",
            "(SELECT * FROM ".repeat(count),
            ") AS t".repeat(count)
        ),
        10 => format!("{}SELECT 1 AS x{}", "(".repeat(count), ")".repeat(count)),
        _ => format!("{}SELECT 1", "EXPLAIN ".repeat(count)),
    }
}

/// A list that does not end soon.
fn long(random: &mut Random, count: usize) -> String {
    let chain = |link: &str| link.repeat(count);
    match random.below(12) {
        0 => format!("SELECT 1{} AS x", chain(" + 1")),
        1 => format!("SELECT count(*) FROM readings WHERE late{}", chain(" OR value > 1")),
        2 => format!("SELECT count(*) FROM readings WHERE value IN (0{})", chain(", 1")),
        3 => format!("SELECT 1{}", chain(", value")) + " FROM readings LIMIT 1",
        4 => format!("SELECT 1 AS x{}", chain(" UNION ALL SELECT 1")),
        5 => format!("SELECT 1 AS x{}", chain(" EXCEPT SELECT 2")),
        6 => format!("SELECT 'a'{} AS x", chain(" || 'a'")),
        7 => format!("SELECT sum(value){} FROM readings", chain(", sum(value) OVER (ORDER BY time)")),
        8 => format!("SELECT * FROM readings ORDER BY 1{} LIMIT 1", chain(", value")),
        9 => format!("SELECT CASE value{} END FROM readings LIMIT 1", chain(" WHEN 1 THEN 2")),
        10 => format!("VALUES (1){}", chain(", (1)")),
        _ => format!("SELECT '{}' AS x", chain("wide")),
    }
}

/// Each part stands for two of the part before.
fn doubling(random: &mut Random, count: usize) -> String {
    let levels = count % 24 + 1;
    let (first, next): (&str, fn(usize) -> String) = match random.below(4) {
        0 => ("SELECT 1 AS n", |last| format!("SELECT a.n FROM t{last} a, t{last} b")),
        1 => ("SELECT value AS n FROM readings", |last| {
            format!("SELECT n FROM t{last} UNION ALL SELECT n FROM t{last}")
        }),
        2 => ("SELECT 'ab' AS n", |last| format!("SELECT n || n AS n FROM t{last}")),
        _ => ("SELECT value AS n FROM readings", |last| {
            format!("SELECT a.n + b.n AS n FROM t{last} a JOIN t{last} b ON a.n <> b.n")
        }),
    };
    let mut text = format!("WITH t0 AS ({first})");
    for level in 1..=levels {
        text = format!("{text}, t{level} AS ({})", next(level - 1));
    }
    format!("{text} SELECT count(*), max(n) FROM t{levels}")
}

/// Few words, much work or much room.
fn costly(random: &mut Random, count: usize) -> String {
    let size = count * 100_000;
    match random.below(14) {
        0 => format!("SELECT lpad('x', {size})"),
        1 => format!("SELECT repeat('x', {size}), repeat(asset, {count}) FROM readings"),
        2 => format!("SELECT count(*) FROM generate_series(1, {size}) a, generate_series(1, {size}) b"),
        3 => format!("SELECT max(generate_series) FROM generate_series(1, {size})"),
        4 => "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
            .to_owned(),
        5 => "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT a.n FROM t a, t b) SELECT count(*) FROM t"
            .to_owned(),
        6 => format!("SELECT * FROM {} ORDER BY random()", products(count)),
        7 => format!("SELECT count(*) FROM {}", products(count)),
        8 => format!("SELECT a.value FROM {} ORDER BY 1 DESC LIMIT 5", products(count)),
        9 => format!("SELECT count(*) FROM readings WHERE asset ~ '^({}a?)*$'", "a?".repeat(count % 200)),
        10 => format!("SELECT regexp_replace(repeat('a', {count}), '(a*)*b', 'x')"),
        11 => format!(
            "SELECT array_agg(value) OVER (ORDER BY time), string_agg(asset, '{}') FROM readings",
            "x".repeat(count)
        ),
        12 => format!("SELECT power(10, {size}), exp({size}), {size} * {size} * {size} * {size}"),
        _ => format!(
            "SELECT time + INTERVAL '{size} years', date_trunc('day', time + INTERVAL '-{size} days') \
             FROM readings"
        ),
    }
}

/// A product of tables, which has a name for the first.
fn products(count: usize) -> String {
    let names = "abcdefghijklmnop".chars().take(count % 8 + 1);
    names.map(|name| format!("readings {name}")).collect::<Vec<_>>().join(", ")
}

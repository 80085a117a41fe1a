//! Questions put together by a grammar. It knows the tables' columns and most of SQL, but not which types go
//! together: most questions can be answered, many are refused.

use crate::random::Random;

const COLUMNS: [&str; 8] = ["time", "asset", "signal", "value", "quality", "late", "\"offset\"", "arrived"];
const LITERALS: [&str; 14] = [
    "0",
    "1",
    "-1",
    "2.5",
    "1e300",
    "9223372036854775807",
    "NULL",
    "true",
    "'plant1/pump1'",
    "''",
    "'2026-01-01T00:00:00Z'",
    "TIMESTAMP '2026-01-01 00:00:00'",
    "INTERVAL '1 hour'",
    "DATE '2026-02-29'",
];
const OPERATORS: [&str; 20] = [
    "+",
    "-",
    "*",
    "/",
    "%",
    "=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "AND",
    "OR",
    "||",
    "IS DISTINCT FROM",
    "LIKE",
    "~",
    "&",
    "^",
    "<<",
];
const FUNCTIONS: [&str; 34] = [
    "abs",
    "ceil",
    "floor",
    "round",
    "sqrt",
    "ln",
    "exp",
    "power",
    "sign",
    "coalesce",
    "nullif",
    "greatest",
    "least",
    "upper",
    "length",
    "substr",
    "replace",
    "strpos",
    "split_part",
    "concat",
    "lpad",
    "repeat",
    "reverse",
    "to_timestamp",
    "date_trunc",
    "time_bucket",
    "extract",
    "now",
    "md5",
    "chr",
    "array_length",
    "to_char",
    "regexp_replace",
    "random",
];
const AGGREGATES: [&str; 18] = [
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "stddev",
    "median",
    "first",
    "last",
    "array_agg",
    "string_agg",
    "bool_or",
    "approx_distinct",
    "first_value",
    "lag",
    "rank",
    "ntile",
    "nth_value",
];
const TYPES: [&str; 10] = [
    "BIGINT",
    "DOUBLE PRECISION",
    "TEXT",
    "BOOLEAN",
    "TIMESTAMP",
    "DATE",
    "INTERVAL",
    "SMALLINT",
    "DECIMAL(38, 10)",
    "BYTEA",
];

/// A question.
pub(super) fn question(random: &mut Random) -> String {
    Grammar { random }.query(3)
}

struct Grammar<'a> {
    random: &'a mut Random,
}

impl Grammar<'_> {
    fn list(&mut self, most: u64, item: impl Fn(&mut Self) -> String) -> String {
        let count = 1 + self.random.below(most);
        (0..count).map(|_| item(self)).collect::<Vec<_>>().join(", ")
    }

    fn query(&mut self, depth: u64) -> String {
        let mut text = match self.random.below(12) {
            0 if depth > 0 => {
                let word = self.random.of(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL"]);
                format!("({}) {word} ({})", self.query(depth - 1), self.query(depth - 1))
            }
            1 if depth > 0 => {
                format!("WITH c AS ({}) SELECT * FROM c, {}", self.query(depth - 1), self.table(depth - 1))
            }
            2 => format!("VALUES ({})", self.list(3, |own| own.value(1))),
            _ => self.select(depth),
        };
        if self.random.once_in(3) {
            text = format!("{text} ORDER BY {}", self.list(2, |own| own.value(1)));
        }
        if self.random.once_in(2) {
            text = format!("{text} LIMIT {}", self.random.below(30));
        }
        text
    }

    fn select(&mut self, depth: u64) -> String {
        let distinct = if self.random.once_in(6) { "DISTINCT " } else { "" };
        let mut text = format!("SELECT {distinct}{}", self.list(3, |own| own.column(depth)));
        if !self.random.once_in(12) {
            text = format!("{text} FROM {}", self.table(depth));
        }
        if self.random.once_in(2) {
            text = format!("{text} WHERE {}", self.value(depth));
        }
        if self.random.once_in(3) {
            let keys = self.list(2, |own| own.value(1));
            let form = self.random.of(&["K", "K", "K", "ROLLUP (K)", "CUBE (K)", "GROUPING SETS ((K), ())"]);
            text = format!("{text} GROUP BY {}", form.replace('K', &keys));
            if self.random.once_in(3) {
                text = format!("{text} HAVING {} > {}", self.aggregate(1), self.value(0));
            }
        }
        text
    }

    fn column(&mut self, depth: u64) -> String {
        match self.random.below(6) {
            0 => "*".to_owned(),
            1 | 2 => format!("{} AS c{}", self.aggregate(depth), self.random.below(3)),
            _ => self.value(depth),
        }
    }

    fn table(&mut self, depth: u64) -> String {
        match self.random.below(8) {
            0 if depth > 0 => format!("({}) AS t", self.query(depth - 1)),
            1 | 2 if depth > 0 => {
                let kind = self.random.of(&[
                    "JOIN",
                    "LEFT JOIN",
                    "RIGHT JOIN",
                    "FULL JOIN",
                    "LEFT SEMI JOIN",
                    "LEFT ANTI JOIN",
                ]);
                let (left, right) = (self.table(depth - 1), self.table(depth - 1));
                let key = self.random.of(&COLUMNS);
                let compare = self.random.of(&["=", "=", "<", ">=", "<>"]);
                format!("{left} AS l {kind} {right} AS r ON l.{key} {compare} r.{key} AND l.asset = r.asset")
            }
            3 => "life_events".to_owned(),
            4 => format!("generate_series(1, {}) AS g(value)", self.random.below(1_000)),
            5 if depth > 0 => format!("readings, LATERAL ({}) AS x", self.query(depth - 1)),
            _ => "readings".to_owned(),
        }
    }

    fn aggregate(&mut self, depth: u64) -> String {
        let name = self.random.of(&AGGREGATES);
        let distinct = if self.random.once_in(8) { "DISTINCT " } else { "" };
        let mut text = format!("{name}({distinct}{})", self.list(2, |own| own.value(depth.min(1))));
        if self.random.once_in(6) {
            text = format!("{text} FILTER (WHERE {})", self.value(1));
        }
        if self.random.once_in(3) {
            let frame = self.random.of(&[
                "",
                "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
                "ROWS BETWEEN 2 FOLLOWING AND 1 FOLLOWING",
                "RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND UNBOUNDED FOLLOWING",
                "RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING",
                "GROUPS BETWEEN 18446744073709551615 PRECEDING AND CURRENT ROW",
                "ROWS 9223372036854775807 PRECEDING",
            ]);
            text = format!("{text} OVER (PARTITION BY {} ORDER BY {} {frame})", self.value(0), self.value(0));
        }
        text
    }

    fn value(&mut self, depth: u64) -> String {
        if depth == 0 || self.random.once_in(3) {
            return if self.random.once_in(2) { self.random.of(&COLUMNS) } else { self.random.of(&LITERALS) }
                .to_owned();
        }
        let inner = depth - 1;
        match self.random.below(12) {
            0..=3 => {
                let operator = self.random.of(&OPERATORS);
                format!("({} {operator} {})", self.value(inner), self.value(inner))
            }
            4 | 5 => format!("{}({})", self.random.of(&FUNCTIONS), self.list(3, |own| own.value(inner))),
            6 => format!("CAST({} AS {})", self.value(inner), self.random.of(&TYPES)),
            7 => format!(
                "CASE WHEN {} THEN {} ELSE {} END",
                self.value(inner),
                self.value(inner),
                self.value(inner)
            ),
            8 => format!("({})", self.query(inner.min(1))),
            9 => format!("EXISTS ({})", self.query(inner.min(1))),
            10 => format!("{} IN ({})", self.value(inner), self.query(inner.min(1))),
            _ => format!("{} BETWEEN {} AND {}", self.value(inner), self.value(inner), self.value(inner)),
        }
    }
}

"""Questions about everything that SQL can say about the tables `readings` and `life_events`.

They are PostgreSQL's SQL. Where DuckDB says a thing in another way, the text holds both, as `«PostgreSQL¦DuckDB»`:
whole numbers are divided with `/` and `//`, times are cut in a zone by a function and by two conversions. What the
two understand differently, such as rounding casts, is not asked. DuckDB is to sort nulls as PostgreSQL does.
"""

import basic
from question import Question

TOTAL = 'time, asset, signal, "offset", value'
ZONES = ["UTC", "Europe/Oslo", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
MAX = 9223372036854775807


def cut(unit, time, zone):
    """A time cut to a unit of a zone's calendar."""
    return f"«date_trunc('{unit}', {time}, '{zone}')¦(date_trunc('{unit}', {time} AT TIME ZONE '{zone}') AT TIME ZONE '{zone}')»"


class Questions(basic.Questions):
    """Questions by a seed."""

    def chance(self, share):
        return self.random.random() < share

    def few(self, most=40):
        """A table of some of the readings, the same on both sides."""
        limit = self.random.randrange(0, most) if self.chance(0.9) else 0
        return f"(SELECT * FROM readings{self.where()} ORDER BY {TOTAL} LIMIT {limit})"

    # Windows.

    def bounds(self, step):
        """The bounds of a frame. `step` gives a distance, and a larger one than another."""
        near, far = sorted(self.random.sample(range(0, 6), 2))
        near, far = step(near), step(far)
        pick = self.random.choice(
            [
                "UNBOUNDED PRECEDING",
                "CURRENT ROW",
                f"{far} PRECEDING",
                f"{near} FOLLOWING",
                f"BETWEEN UNBOUNDED PRECEDING AND {near} PRECEDING",
                "BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
                f"BETWEEN UNBOUNDED PRECEDING AND {near} FOLLOWING",
                "BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
                f"BETWEEN {far} PRECEDING AND {near} PRECEDING",
                f"BETWEEN {far} PRECEDING AND CURRENT ROW",
                f"BETWEEN {near} PRECEDING AND {far} FOLLOWING",
                f"BETWEEN {near} PRECEDING AND UNBOUNDED FOLLOWING",
                "BETWEEN CURRENT ROW AND CURRENT ROW",
                f"BETWEEN CURRENT ROW AND {far} FOLLOWING",
                "BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
                f"BETWEEN {near} FOLLOWING AND {far} FOLLOWING",
                f"BETWEEN {far} FOLLOWING AND UNBOUNDED FOLLOWING",
            ]
        )
        # A frame that begins behind the current row needs an end.
        return "BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING" if pick == f"{near} FOLLOWING" else pick

    def partition(self):
        keys = self.random.sample(
            ["asset", "signal", "quality", "late", "value > 40", "date_trunc('hour', time)"],
            self.random.choice([0, 1, 1, 2]),
        )
        return f"PARTITION BY {', '.join(keys)} " if keys else ""

    def total(self):
        """An order that leaves no two rows equal."""
        keys = ["time", "asset", "signal", '"offset"', "value"]
        self.random.shuffle(keys)
        return ", ".join(key + self.random.choice(["", "", " DESC", " ASC"]) for key in keys)

    def folded(self):
        """An aggregate whose value does not depend on the order of rows."""
        text = self.random.choice(
            [
                "sum(value)",
                "avg(value)",
                "count(*)",
                "count(value)",
                "min(value)",
                "max(value)",
                "min(time)",
                'max("offset")',
                'sum("offset")',
                "sum(1)",
                "max(asset)",
                "stddev(value)",
                "var_pop(value)",
                "bool_or(late)",
                "bool_and(value > 10)",
            ]
        )
        return f"{text} FILTER (WHERE {self.atom()})" if self.chance(0.15) else text

    def ranked(self):
        number = self.random.randrange(1, 5)
        return self.random.choice(
            [
                "row_number()",
                "rank()",
                "dense_rank()",
                "percent_rank()",
                "cume_dist()",
                f"ntile({number})",
                "lag(value)",
                "lead(value)",
                f"lag(value, {number})",
                f"lead(asset, {number})",
                f"lag(value, {number}, -1.5)",
                f'lead("offset", {number}, 0)',
                "lag(time)",
            ]
        )

    def placed(self):
        number = self.random.randrange(1, 5)
        return self.random.choice(
            [
                "first_value(value)",
                "last_value(value)",
                f"nth_value(value, {number})",
                "first_value(asset)",
                "last_value(time)",
            ]
        )

    def over(self):
        """A window function with its window."""
        partition = self.partition()
        tied = self.random.choice(["asset", "signal", "quality", "date_trunc('hour', time)", "time", "late, signal"])
        direction = self.random.choice(["", "", " DESC", " DESC NULLS LAST", " ASC NULLS FIRST"])
        seconds = self.random.choice([60, 900, 3600, 86400])
        form = self.random.randrange(8)
        if form == 0:
            return f"{self.folded()} OVER ({partition.strip()})"
        if form == 1:
            return f"{self.ranked()} OVER ({partition}ORDER BY {self.total()})"
        if form == 2:
            function = self.random.choice(["rank()", "dense_rank()", "percent_rank()", "cume_dist()", self.folded()])
            return f"{function} OVER ({partition}ORDER BY {tied}{direction})"
        if form == 3:
            function = self.folded() if self.chance(0.6) else self.placed()
            return f"{function} OVER ({partition}ORDER BY {self.total()} ROWS {self.bounds(str)})"
        if form == 4:
            frame = self.bounds(lambda n: f"INTERVAL '{n * seconds} seconds'")
            return f"{self.folded()} OVER ({partition}ORDER BY time{self.random.choice(['', ' DESC'])} RANGE {frame})"
        if form == 5:
            key, step = self.random.choice([("value", lambda n: f"{n * 2.5}"), ('"offset"', str)])
            return f"{self.folded()} OVER ({partition}ORDER BY {key}{self.random.choice(['', ' DESC'])} RANGE {self.bounds(step)})"
        if form == 6:
            return f"{self.folded()} OVER ({partition}ORDER BY {tied}{direction} GROUPS {self.bounds(str)})"
        return f"value / sum(value) OVER ({partition.strip()})"

    def window(self):
        columns = [f"{self.over()} AS w{n}" for n in range(self.random.randrange(1, 4))]
        text = f"SELECT {TOTAL}, {', '.join(columns)} FROM readings{self.where()}"
        tolerance = 1e-6 if "stddev" in text or "var_pop" in text else 1e-9
        if self.chance(0.3):
            return Question(
                "window",
                f"SELECT asset, count(*) AS n, sum(w0) AS s, max(w0) AS m FROM ({text.replace(columns[0], self.numeric_over() + ' AS w0', 1)}) AS t GROUP BY asset",
            )
        if self.chance(0.2):
            return Question(
                "window",
                f"SELECT * FROM ({text}) AS t WHERE w0 IS NOT NULL ORDER BY {TOTAL} LIMIT 20",
                True,
                tolerance=tolerance,
            )
        return Question("window", text, tolerance=tolerance)

    def numeric_over(self):
        return self.random.choice(
            [
                f"row_number() OVER ({self.partition()}ORDER BY {self.total()})",
                f"sum(value) OVER ({self.partition()}ORDER BY {self.total()} ROWS {self.bounds(str)})",
                f"count(*) OVER ({self.partition()}ORDER BY date_trunc('hour', time) GROUPS {self.bounds(str)})",
                f"value - lag(value) OVER ({self.partition()}ORDER BY {self.total()})",
            ]
        )

    def window_of_groups(self):
        function = self.random.choice(
            [
                "sum(count(*)) OVER (ORDER BY asset)",
                "rank() OVER (ORDER BY count(*) DESC)",
                "sum(value) / sum(sum(value)) OVER ()",
                "max(sum(value)) OVER (ORDER BY asset ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)",
                "count(*) - lag(count(*)) OVER (ORDER BY asset)",
                "avg(avg(value)) OVER (ORDER BY asset DESC)",
            ]
        )
        return Question(
            "window", f"SELECT asset, sum(value) AS s, {function} AS w FROM readings{self.where()} GROUP BY asset"
        )

    # Joins.

    def join(self):
        kind = self.random.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        compare = self.random.choice(["<", "<=", ">", ">=", "<>"])
        key = self.random.choice(
            [
                "a.asset = b.asset",
                "a.signal = b.signal",
                "a.asset = b.asset AND a.signal = b.signal",
                'a."offset" = b."offset"',
            ]
        )
        unequal = self.random.choice(
            [
                f"a.value {compare} b.value",
                f"a.time {compare} b.time",
                f'a."offset" {compare} b."offset"',
                "b.value BETWEEN a.value - 5 AND a.value + 5",
                f"a.time {compare} b.time + INTERVAL '2 hours'",
                f"a.value * 2 {compare} b.value + 10",
                "a.late = b.late OR a.value < 20",
                "b.value > 40",
                "a.value > 40",
                "a.signal = 'speed'",
            ]
        )
        condition = self.random.choice([key, unequal, f"{key} AND {unequal}", f"{key} AND {unequal}"])
        tables = f"{self.few()} AS a {kind} {self.few()} AS b ON {condition}"
        where = self.random.choice(
            [
                "",
                "",
                " WHERE b.value IS NULL",
                " WHERE a.value IS NULL",
                " WHERE a.value > 20 OR b.value > 20",
                " WHERE coalesce(a.asset, b.asset) <> 'plant1/pump1'",
            ]
        )
        if self.chance(0.5):
            return Question(
                "join",
                f"SELECT a.asset, a.signal, a.time, a.value, b.asset AS other, b.time AS then, b.value AS more FROM {tables}{where}",
            )
        if self.chance(0.5):
            return Question(
                "join",
                f"SELECT count(*) AS n, count(a.value) AS l, count(b.value) AS r, sum(a.value - b.value) AS s FROM {tables}{where}",
            )
        return Question(
            "join",
            f"SELECT a.asset AS k, count(*) AS n, count(b.value) AS r, max(b.value) AS m FROM {tables}{where} GROUP BY a.asset",
        )

    def join_lives(self):
        kind = self.random.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
        compare = self.random.choice(["<", "<=", ">", ">="])
        more = self.random.choice(
            ["", f" AND r.time {compare} l.time", " AND l.event = 'failed'", " AND r.value > 30 AND l.comment IS NULL"]
        )
        columns = self.random.choice(
            [
                "l.asset, l.event, count(r.value) AS n",
                "r.signal, l.event, max(r.value) AS m, count(*) AS n",
                "l.event, count(*) AS n, min(r.time) AS t",
            ]
        )
        keys = columns.split(", count(")[0].split(", max(")[0]
        return Question(
            "join",
            f"SELECT {columns} FROM readings AS r {kind} life_events AS l ON r.asset = l.asset{more} GROUP BY {keys}",
        )

    def three(self):
        return Question(
            "join",
            f"SELECT a.asset, b.signal, c.event, count(*) AS n FROM {self.few()} AS a LEFT JOIN {self.few()} AS b ON a.asset = b.asset "
            f"AND a.value < b.value LEFT JOIN life_events AS c ON c.asset = b.asset AND c.time <= b.time GROUP BY a.asset, b.signal, c.event",
        )

    # Subqueries.

    def scalar(self):
        function = self.random.choice(["avg(value)", "max(value)", "min(value)", "count(*)", "sum(value) / count(*)"])
        return f"(SELECT {function} FROM readings{self.where()})"

    def correlated(self):
        function = self.random.choice(["avg(i.value)", "max(i.value)", "min(i.value)", "count(*)", "sum(i.value)"])
        key = self.random.choice(
            ["i.asset = o.asset", "i.signal = o.signal", "i.asset = o.asset AND i.signal = o.signal"]
        )
        more = self.random.choice(
            ["", " AND i.late", " AND i.value > 20", " AND i.quality = 'good'", " AND i.asset = 'none'"]
        )
        return f"(SELECT {function} FROM readings AS i WHERE {key}{more})"

    def exists(self):
        key = self.random.choice(
            ["i.asset = o.asset", "i.signal = o.signal", "i.asset = o.asset AND i.signal = o.signal"]
        )
        more = self.random.choice(
            [
                "",
                " AND i.value > o.value",
                " AND i.time < o.time",
                " AND i.value > o.value + 20",
                " AND i.late AND i.value < 30",
            ]
        )
        table = self.random.choice(["readings", "readings", "life_events"])
        if table == "life_events":
            key, more = "i.asset = o.asset", self.random.choice(["", " AND i.time > o.time", " AND i.event = 'failed'"])
        return f"{self.random.choice(['', 'NOT '])}EXISTS (SELECT 1 FROM {table} AS i WHERE {key}{more})"

    def within(self):
        word = self.random.choice(["IN", "NOT IN"])
        return self.random.choice(
            [
                f"o.asset {word} (SELECT asset FROM life_events WHERE event = '{self.random.choice(['failed', 'installed', 'repaired'])}')",
                f"o.asset {word} (SELECT asset FROM readings{self.where()})",
                f"o.value {word} (SELECT max(value) FROM readings GROUP BY {self.random.choice(['asset', 'signal'])})",
                f"o.value {word} (SELECT i.value FROM readings AS i WHERE i.asset = o.asset AND i.late)",
                f"o.quality {word} (SELECT comment FROM life_events)",
                f"o.value >= ALL (SELECT i.value FROM readings AS i WHERE i.signal = 'none')"
                if self.chance(0.1)
                else f"o.value > {self.scalar()}",
            ]
        )

    def subquery(self):
        form = self.random.randrange(5)
        if form == 0:
            return Question(
                "subquery",
                f"SELECT o.asset, o.signal, o.time, o.value, {self.scalar()} AS s FROM readings AS o{self.outer()}",
            )
        if form == 1:
            return Question(
                "subquery",
                f"SELECT o.asset, o.signal, o.time, o.value, {self.correlated()} AS s FROM readings AS o{self.outer()}",
            )
        if form == 2:
            return Question(
                "subquery",
                f"SELECT o.asset, count(*) AS n, sum(o.value) AS s FROM readings AS o WHERE {self.exists()} GROUP BY o.asset",
            )
        if form == 3:
            joiner = self.random.choice(["AND", "AND", "OR"])
            second = self.random.choice([self.exists, self.within])()
            return Question(
                "subquery",
                f"SELECT o.signal, count(*) AS n, max(o.value) AS m FROM readings AS o WHERE ({self.within()}) {joiner} ({second}) GROUP BY o.signal",
            )
        compare = self.random.choice([">", "<", ">=", "<="])
        return Question(
            "subquery",
            f"SELECT o.asset, o.signal, o.time, o.value FROM readings AS o WHERE o.value {compare} {self.correlated()}{self.random.choice(['', f' AND {self.exists()}'])}",
        )

    def outer(self):
        return self.random.choice(["", " WHERE o.value > 40", " WHERE o.signal = 'speed'", f" WHERE {self.within()}"])

    # Set operations.

    def branch(self, columns):
        distinct = "DISTINCT " if self.chance(0.2) else ""
        if self.chance(0.2) and columns == "asset":
            return f"SELECT {distinct}asset FROM life_events"
        return f"SELECT {distinct}{columns} FROM readings{self.where()}"

    def sets(self):
        columns = self.random.choice(
            ["asset", "asset, signal", "quality, late", "asset, floor(value / 20) AS f", "signal, value"]
        )
        text = self.branch(columns)
        for _ in range(self.random.choice([1, 1, 2])):
            word = self.random.choice(["UNION", "INTERSECT", "EXCEPT", "UNION ALL", "INTERSECT ALL", "EXCEPT ALL"])
            text = f"({text}) {word} ({self.branch(columns)})"
        if self.chance(0.3):
            return Question("set", f"SELECT count(*) AS n FROM ({text}) AS t")
        if self.chance(0.4):
            places = ", ".join(f"{n + 1}{self.random.choice(['', ' DESC'])}" for n in range(len(columns.split(", "))))
            return Question("set", f"{text} ORDER BY {places} LIMIT {self.random.randrange(0, 20)}", True)
        return Question("set", text)

    # Groups.

    def having(self):
        keys, first = self.random.choice(
            [
                ("asset", "asset"),
                ("signal", "signal"),
                ("asset, signal", "signal"),
                ("date_trunc('hour', time)", "date_trunc('hour', time)"),
                ("asset, late", "late"),
                ("floor(value / 10)", "floor(value / 10)"),
            ]
        )
        test = self.random.choice(
            [
                f"count(*) {self.random.choice(['>', '<', '>='])} {self.random.randrange(1, 40)}",
                f"sum(value) > {self.scalar()}",
                f"max(value) - min(value) < {self.random.randrange(20, 90)}",
                "count(*) FILTER (WHERE late) > 2",
                "bool_or(late) AND NOT bool_and(quality = 'good')",
                "count(DISTINCT quality) = 3 OR min(value) > 10",
                "avg(value) BETWEEN 30 AND 45",
                "max(time) - min(time) > INTERVAL '6 hours'",
                f"{first} IS NOT NULL AND count(*) > 3",
            ]
        )
        columns = f"{keys}, {self.aggregate()} AS a0, count(*) AS n"
        return Question("having", f"SELECT {columns} FROM readings{self.where()} GROUP BY {keys} HAVING {test}")

    def grouping(self):
        keys = self.random.choice(
            [
                "ROLLUP (asset, signal)",
                "CUBE (signal, late)",
                "GROUPING SETS ((asset), (signal, late), ())",
                "ROLLUP (quality)",
            ]
        )
        names = ", ".join(name for name in ("asset", "signal", "late", "quality") if name in keys)
        return Question(
            "having",
            f"SELECT {names}, {self.aggregate()} AS a0, count(*) AS n FROM readings{self.where()} GROUP BY {keys}",
        )

    def statistics(self):
        function = self.random.choice(
            [
                "percentile_cont(0.9) WITHIN GROUP (ORDER BY value)",
                "percentile_cont(0.25) WITHIN GROUP (ORDER BY value DESC)",
                "median(value)",
                "var_samp(value)",
                "stddev_pop(value)",
                'corr(value, "offset")',
                'covar_pop(value, "offset")',
                'regr_slope(value, "offset")',
                "count(DISTINCT asset || signal)",
                "sum(DISTINCT floor(value))",
                "string_agg(DISTINCT signal, ',' ORDER BY signal)",
                "max(value) FILTER (WHERE late)",
                "count(*) FILTER (WHERE quality <> 'good')",
                "sum(value) FILTER (WHERE signal = 'none')",
                "(sum(1) + count(*)) * 2",
                "avg(CASE WHEN late THEN value END)",
            ]
        )
        key = self.random.choice(["asset", "signal", "quality"])
        return Question("having", f"SELECT {key}, {function} AS a FROM readings{self.where()} GROUP BY {key}")

    # Whole numbers, up to their limits.

    def integer(self, depth=2):
        if depth == 0 or self.chance(0.3):
            return self.random.choice(
                ['"offset"', '"offset"', "CAST(floor(value) AS BIGINT)", str(self.random.randrange(-9, 10))]
            )
        left, right = self.integer(depth - 1), self.integer(depth - 1)
        return self.random.choice(
            [
                f"({left} + {right})",
                f"({left} - {right})",
                f"({left} * {right})",
                f"({left} «/¦//» nullif({right}, 0))",
                f"({left} % nullif({right}, 0))",
                f"(-({left}))",
                f"abs({left})",
                f"greatest({left}, {right})",
                f"coalesce({left}, 0)",
            ]
        )

    def integers(self):
        if self.chance(0.6):
            return Question("integer", f"SELECT {self.integer(3)} AS i, {self.integer()} AS j FROM {self.few()} AS t")
        large = self.random.choice(
            [str(MAX), f"(-{MAX} - 1)", str(MAX // 2), str(MAX - 60), "3037000500", "4294967296", "2147483648"]
        )
        own = self.random.choice(['"offset"', "CAST(floor(value) AS BIGINT)"])
        if self.chance(0.3):
            whole = self.random.choice(
                [
                    f"sum({own} + {MAX - 2000})",
                    f"sum(CAST({large} AS BIGINT))",
                    f"avg({own} + {MAX - 2000})",
                    f"max({own} - {MAX - 2000})",
                ]
            )
            return Question("integer", f"SELECT {whole} AS i FROM {self.few()} AS t", refusable=True)
        text = self.random.choice(
            [
                f"{own} + {large}",
                f"{large} - {own}",
                f"{own} * {large}",
                f"{large} * {large}",
                f"{large} «/¦//» nullif({own}, 0)",
                f"-({large}) - {own}",
                f"abs({large} + {own})",
                f"{large} % nullif({own}, 0)",
            ]
        )
        return Question("integer", f"SELECT {text} AS i FROM {self.few(10)} AS t")

    # Times.

    def moment(self):
        return self.random.choice(
            [
                "time",
                "time",
                "(time + INTERVAL '86 days')",
                "(time + INTERVAL '300 days')",
                "(time - INTERVAL '2 months')",
            ]
        )

    def field(self):
        field = self.random.choice(
            ["year", "quarter", "month", "week", "day", "dow", "isodow", "doy", "hour", "minute", "epoch"]
        )
        zone = f" AT TIME ZONE '{self.random.choice(ZONES)}'" if self.chance(0.5) and field != "epoch" else ""
        return f"extract({field} FROM {self.moment()}{zone})"

    def bucket(self):
        unit = self.random.choice(["minute", "hour", "day", "week", "month", "quarter", "year"])
        width = self.random.choice(["1 minute", "15 minutes", "1 hour", "6 hours", "1 day"])
        return self.random.choice(
            [
                f"date_trunc('{unit}', {self.moment()})",
                cut(unit, self.moment(), self.random.choice(ZONES)),
                f"time_bucket(INTERVAL '{width}', {self.moment()})",
                f"time_bucket(INTERVAL '1 day', {self.moment()}, '{self.random.choice(ZONES)}')",
                f"CAST({self.moment()} AS DATE)",
            ]
        )

    def interval(self):
        return self.random.choice(
            [
                "1 second",
                "90 minutes",
                "36 hours",
                "1 day",
                "2 weeks",
                "1 month",
                "1 year 2 months",
                "1 day 02:30:00",
                "-3 hours",
                "0.5 seconds",
            ]
        )

    def times(self):
        form = self.random.randrange(5)
        if form == 0:
            return Question(
                "time",
                f"SELECT {self.bucket()} AS b, count(*) AS n, sum(value) AS s FROM readings{self.where()} GROUP BY 1",
            )
        if form == 1:
            return Question(
                "time",
                f"SELECT {self.field()} AS f, count(*) AS n, max(value) AS m FROM readings{self.where()} GROUP BY 1",
            )
        if form == 2:
            sign = self.random.choice(["+", "-"])
            return Question(
                "time",
                f"SELECT asset, time {sign} INTERVAL '{self.interval()}' AS t, {self.field()} AS f FROM {self.few()} AS t",
            )
        if form == 3:
            compare = self.random.choice(["<", ">", ">=", "<="])
            stamp = self.time().replace("T", " ").replace("Z", "+00:00")
            return Question(
                "time",
                f"SELECT count(*) AS n FROM readings WHERE time {compare} CAST({stamp} AS TIMESTAMP WITH TIME ZONE) - INTERVAL '{self.interval()}'",
            )
        key = self.random.choice(["asset", "signal"])
        return Question(
            "time",
            f"SELECT {key}, extract(epoch FROM max(time) - min(time)) AS s, max(time) - min(time) > INTERVAL '{self.interval()}' AS more, "
            f"avg(extract(epoch FROM time)) AS a FROM readings{self.where()} GROUP BY {key}",
        )

    # The rest.

    def words(self):
        text = self.random.choice(
            [
                "upper(asset)",
                "lower(quality)",
                "length(asset)",
                "char_length(signal)",
                "substr(asset, 3, 4)",
                "substring(asset FROM 2 FOR 5)",
                "replace(asset, 'plant', 'p')",
                "strpos(asset, '/')",
                "position('/' IN asset)",
                "split_part(asset, '/', 2)",
                "asset || ':' || signal",
                "concat(asset, '-', signal)",
                "left(asset, 3)",
                "right(signal, 4)",
                "trim(' ' || signal || ' ')",
                "lpad(signal, 12, '.')",
                "reverse(signal)",
                "starts_with(asset, 'plant1')",
                "asset ILIKE 'PLANT1/%'",
                "coalesce(nullif(quality, 'good'), '-')",
                "CASE signal WHEN 'speed' THEN 1 ELSE 2 END",
                "CASE WHEN value > 60 THEN 'high' WHEN value > 30 THEN 'middle' ELSE 'low' END",
                "greatest(value, 40)",
                "least(value, 20, NULL)",
                "value IS DISTINCT FROM 40",
                "quality IN ('good', NULL)",
                "NOT (late OR NULL)",
                "sign(value - 30)",
                "power(value, 2)",
                "sqrt(value)",
            ]
        )
        if self.chance(0.5):
            return Question("word", f"SELECT {text} AS w, count(*) AS n FROM readings{self.where()} GROUP BY 1")
        return Question("word", f"SELECT asset, signal, value, {text} AS w FROM {self.few()} AS t")

    def newest(self):
        key = self.random.choice(["asset", "signal", "asset, signal"])
        if self.chance(0.5):
            rest = ", ".join(name for name in TOTAL.split(", ")[1:] if name not in key.split(", "))
            order = f"{key}, time DESC, {rest}"
            columns = f"{key}, time, value"
            return Question("word", f"SELECT DISTINCT ON ({key}) {columns} FROM readings{self.where()} ORDER BY {order}")
        place = f"row_number() OVER (PARTITION BY {key} ORDER BY time DESC, {TOTAL}) AS n"
        ranked = f"SELECT asset, signal, time, value, {place} FROM readings{self.where()}"
        return Question("word", f"SELECT * FROM ({ranked}) AS t WHERE n <= 2")

    def usual(self):
        return super().next()

    def with_names(self):
        return Question(
            "word",
            f"WITH hot AS (SELECT asset, signal, max(value) AS peak FROM readings{self.where()} GROUP BY asset, signal), "
            f"known AS (SELECT DISTINCT asset FROM life_events) SELECT hot.asset, signal, peak, known.asset IS NULL AS new "
            f"FROM hot LEFT JOIN known ON hot.asset = known.asset WHERE peak > (SELECT avg(peak) FROM hot)",
        )

    def next(self):
        forms = {
            self.window: 8,
            self.window_of_groups: 1,
            self.join: 4,
            self.join_lives: 1,
            self.three: 1,
            self.subquery: 5,
            self.sets: 3,
            self.having: 2,
            self.grouping: 1,
            self.statistics: 2,
            self.integers: 3,
            self.times: 4,
            self.words: 2,
            self.newest: 1,
            self.usual: 6,
            self.with_names: 1,
        }
        return self.random.choices(list(forms), list(forms.values()))[0]()

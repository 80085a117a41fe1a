"""Questions about one table: conditions, groups, aggregates, order, nested selects."""

import random

from question import Question

DAYS = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2025-12-31"]
ASSETS = ["plant1/pump0", "plant1/pump1", "plant1/pump2", "plant2/fan0", "none"]
SIGNALS = ["temperature", "pressure", "speed"]


class Questions:
    """Questions by a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def time(self):
        day, hour, minute = self.random.choice(DAYS), self.random.randrange(24), self.random.choice([0, 0, 30, 17])
        return self.random.choice(
            [
                f"'{day}T{hour:02}:{minute:02}:00Z'",
                f"'{day} {hour:02}:{minute:02}:00+00:00'",
                f"'{day}T{hour:02}:{minute:02}:00+02:00'",
            ]
        )

    def atom(self):
        pick = self.random.choice
        number = self.random.randrange(-8, 90) + pick([0, 0.5, 0.125])
        compare = pick(["=", "<>", "<", "<=", ">", ">="])
        return pick(
            [
                lambda: f"asset = '{pick(ASSETS)}'",
                lambda: f"asset <> '{pick(ASSETS)}'",
                lambda: f"asset IN ('{pick(ASSETS)}', '{pick(ASSETS)}')",
                lambda: f"asset NOT IN ('{pick(ASSETS)}', '{pick(ASSETS)}')",
                lambda: f"asset LIKE '{pick(['plant1/%', '%1', 'plant_/fan%', '%pump%', 'x%'])}'",
                lambda: f"asset NOT LIKE '{pick(['plant1/%', '%1'])}'",
                lambda: f"signal = '{pick(SIGNALS)}'",
                lambda: f"signal IN ('{pick(SIGNALS)}', '{pick(SIGNALS)}')",
                lambda: f"time {compare} {self.time()}",
                lambda: f"time >= {self.time()} AND time < {self.time()}",
                lambda: f"time BETWEEN {self.time()} AND {self.time()}",
                lambda: f"value {compare} {number}",
                lambda: f"{number} {compare} value",
                lambda: f"value BETWEEN {number - 20} AND {number}",
                lambda: f"value * 2 {compare} {number}",
                lambda: f"late = {pick(['true', 'false'])}",
                lambda: "late",
                lambda: "NOT late",
                lambda: f"quality = '{pick(['good', 'bad', 'uncertain'])}'",
                lambda: f"quality <> '{pick(['good', 'bad'])}'",
                lambda: "value IS NULL",
                lambda: "value IS NOT NULL",
                lambda: f'"offset" {compare} {self.random.randrange(0, 60)}',
            ]
        )()

    def condition(self, depth=2):
        if depth == 0 or self.random.random() < 0.4:
            return self.atom()
        parts = [self.condition(depth - 1) for _ in range(self.random.choice([2, 2, 3]))]
        text = f" {self.random.choice(['AND', 'OR'])} ".join(f"({part})" for part in parts)
        return f"NOT ({text})" if self.random.random() < 0.15 else text

    def where(self):
        return f" WHERE {self.condition()}" if self.random.random() < 0.75 else ""

    def keys(self):
        return self.random.sample(
            [
                ("asset", "asset"),
                ("signal", "signal"),
                ("date_trunc('hour', time)", "hour"),
                ("date_trunc('day', time)", "day"),
                ("quality", "quality"),
                ("late", "late"),
            ],
            self.random.choice([0, 1, 1, 2, 2, 3]),
        )

    def aggregate(self):
        pick = self.random.choice
        return pick(
            [
                "count(*)",
                "count(value)",
                "sum(value)",
                "avg(value)",
                "min(value)",
                "max(value)",
                "min(time)",
                "max(time)",
                "min(asset)",
                "max(signal)",
                "count(DISTINCT asset)",
                "count(DISTINCT signal)",
                "sum(value * 2)",
                "max(value) - min(value)",
                "sum(value) / count(value)",
                "count(*) - 6",
                "avg(value) + 1",
                "stddev(value)",
                "sum(CASE WHEN late THEN 1 ELSE 0 END)",
                "sum(CASE WHEN value > 40 THEN value ELSE 0 END)",
                'max("offset")',
                "median(value)",
                "min(value + 1)",
                "-max(value)",
            ]
        )

    def grouped(self):
        keys = self.keys()
        wanted = [self.aggregate() for _ in range(self.random.randrange(1, 4))]
        columns = [f"{key} AS {name}" for key, name in keys] + [
            f"{text} AS a{place}" for place, text in enumerate(wanted)
        ]
        text = f"SELECT {', '.join(columns)} FROM readings{self.where()}"
        if keys:
            text += " GROUP BY " + ", ".join(self.random.choice([key, name]) for key, name in keys)
            if self.random.random() < 0.3:
                text += f" HAVING {self.random.choice(['count(*) > 5', 'max(value) > 50', 'sum(value) < 500', 'avg(value) > 30', 'min(value) < 10'])}"
        ordered = False
        if keys and self.random.random() < 0.6:
            names = [name for _, name in keys]
            self.random.shuffle(names)
            computed = {name: key for key, name in keys}
            order = [
                f"{self.random.choice([name, name, computed[name]])} {self.random.choice(['ASC', 'DESC'])}"
                for name in names
            ]
            if self.random.random() < 0.5:
                order.insert(0, f"a0 {self.random.choice(['ASC', 'DESC'])} NULLS LAST")
            text += " ORDER BY " + ", ".join(order)
            ordered = True
            if self.random.random() < 0.5:
                text += f" LIMIT {self.random.randrange(0, 12)}"
                if self.random.random() < 0.4:
                    text += f" OFFSET {self.random.randrange(0, 5)}"
        return text, ordered

    def plain(self):
        columns = self.random.sample(
            [
                "asset",
                "signal",
                "time",
                "value",
                "quality",
                "late",
                "value + 0.5 AS more",
                '"offset"',
                "upper(asset) AS big",
                "CASE WHEN value > 40 THEN 'high' ELSE 'low' END AS word",
                "abs(value - 30) AS away",
                "floor(value) AS whole",
                "extract(hour FROM time) AS h",
                "coalesce(value, 0) AS filled",
                "asset || '/' || signal AS path",
                "value > 30 AS hot",
            ],
            self.random.randrange(1, 5),
        )
        distinct = "DISTINCT " if self.random.random() < 0.15 else ""
        text = f"SELECT {distinct}{', '.join(columns)} FROM readings{self.where()}"
        if not distinct and self.random.random() < 0.6:
            order = self.random.sample(["time", "time DESC", "value", "asset", "value DESC", "signal"], 3)
            rest = ['"offset"', "asset", "signal", "time", "value"]
            text += " ORDER BY " + ", ".join(order + rest)
            if self.random.random() < 0.6:
                text += f" LIMIT {self.random.randrange(0, 30)}"
            return text, True
        return text, False

    def nested(self):
        inner, _ = self.grouped_simple()
        form = self.random.randrange(4)
        if form == 0:
            return f"SELECT count(*) AS n, sum(a0) AS s FROM ({inner}) AS t", False
        if form == 1:
            return f"WITH t AS ({inner}) SELECT * FROM t WHERE a0 > 10", False
        if form == 2:
            return (
                f"SELECT r.asset AS asset, count(*) AS n FROM readings AS r JOIN (SELECT asset, max(value) AS top FROM readings{self.where()} GROUP BY asset) AS t "
                "ON r.asset = t.asset WHERE r.value = t.top GROUP BY r.asset"
            ), False
        first, second = self.condition(1), self.condition(1)
        return (
            f"SELECT asset, value FROM readings WHERE {first} UNION ALL SELECT asset, value FROM readings WHERE {second}",
            False,
        )

    def grouped_simple(self):
        key = self.random.choice(["asset", "signal", "date_trunc('hour', time)"])
        return (
            f"SELECT {key} AS k, {self.random.choice(['sum(value)', 'max(value)', 'count(*)'])} AS a0 FROM readings{self.where()} GROUP BY {key}",
            False,
        )

    def next(self):
        text, ordered = self.random.choices([self.grouped, self.plain, self.nested], [6, 3, 2])[0]()
        return Question("usual", text, ordered)

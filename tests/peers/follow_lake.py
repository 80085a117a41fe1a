"""Three engines that know nothing of Forewarn read the table `readings` again and again while it is written.

Usage: follow_lake.py LAKE < TIMES

For each line of the input, a time, it takes the newest version of the table and prints a line with that version, the offset of the log
that the branch had committed by then, and count, smallest, largest and sum of the values since that time, by each engine; and how many
rows are older.
"""

import datetime
import json
import sys
from pathlib import Path

import duckdb
import polars
from deltalake import DeltaTable, QueryBuilder

FIGURES = "count(*) AS n, min(value) AS low, max(value) AS high, sum(value) AS total"


def with_deltalake(table, since):
    def ask(what, condition):
        batches = QueryBuilder().register("readings", table).execute(f"SELECT {what} FROM readings WHERE time {condition} '{since}'").read_all()
        return [batches.column(number)[0].as_py() for number in range(batches.num_columns)]

    return ask(FIGURES, ">="), ask("count(*) AS n", "<")[0]


def with_duckdb(table, since):
    files = [uri.removeprefix("file://") for uri in table.file_uris()]
    ask = lambda what, condition: duckdb.execute(
        f"SELECT {what} FROM read_parquet($1) WHERE time {condition} CAST($2 AS TIMESTAMPTZ)", [files, since]
    ).fetchone()
    return list(ask(FIGURES, ">=")), ask("count(*)", "<")[0]


def with_polars(path, version, since):
    frame = polars.scan_delta(path, version=version)
    young = polars.col("time") >= datetime.datetime.fromisoformat(since)
    value = polars.col("value").filter(young)
    figures = frame.select(young.sum(), value.min().alias("low"), value.max().alias("high"), value.sum().alias("total"), (~young).sum().alias("old"))
    *figures, old = figures.collect().row(0)
    return figures, old


def main(lake):
    path = f"{lake}/readings"
    app = "forewarn-branch:" + json.loads(Path(lake, "_forewarn/branch.json").read_text())["log"]
    for line in sys.stdin:
        since = line.strip()
        table = DeltaTable(path)
        version = table.version()
        read = {
            "deltalake": with_deltalake(table, since),
            "duckdb": with_duckdb(table, since),
            "polars": with_polars(path, version, since),
        }
        print(json.dumps({"version": version, "offset": table.transaction_version(app), "read": read}), flush=True)


main(sys.argv[1])

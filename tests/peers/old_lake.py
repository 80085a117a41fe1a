"""Makes the table `life_events` as a version of the program would have that knew no column `comment`, with one row; or reads it.

Usage: old_lake.py make|read LAKE
"""

import datetime
import json
import sys

import polars
from deltalake import DeltaTable, QueryBuilder, write_deltalake


def make(path):
    time = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    row = {"time": [time], "asset": ["plant1/old"], "event": ["failed"], "actor": ["ann"], "offset": [3]}
    write_deltalake(path, polars.DataFrame(row))
    return {}


def read(path):
    table = DeltaTable(path)
    rows = QueryBuilder().register("t", table).execute("SELECT asset, comment FROM t ORDER BY asset").read_all()
    return {"rows": [[column.as_py() for column in row] for row in zip(rows.column("asset"), rows.column("comment"))]}


def main(what, lake):
    print(json.dumps({"make": make, "read": read}[what](f"{lake}/life_events")))


main(*sys.argv[1].split(" ", 1))

"""Checks the Delta tables below each folder that is named on a line of standard input, and answers each with a line of JSON.

It knows nothing of Forewarn but that a record of the log has one offset, and that a reading is its asset, signal and time.
"""

import json
import pathlib
import sys

import duckdb
from deltalake import DeltaTable


def files_of(table):
    return [uri.removeprefix("file://") for uri in table.file_uris()]


def problem_of(table, files, rows):
    missing = [file for file in files if not pathlib.Path(file).exists()]
    if missing:
        return f"{missing[0]} belongs to the table and is not there"
    if not files:
        return None
    unique = "(asset, signal, time)" if table == "readings" else '"offset"'
    query = f"SELECT count(*), count(DISTINCT {unique}) FROM read_parquet($1)"
    counted, different = duckdb.execute(query, [files]).fetchone()
    if counted != rows:
        return f"the files hold {counted} rows, the table says {rows}"
    if counted != different:
        return f"of {counted} rows only {different} differ"
    return None


def check(lake):
    tables, counts, problems = {}, {}, []
    for log in sorted(lake.glob("*/_delta_log")):
        # A table whose creation was cut off has a folder and no commit.
        if not any(log.glob("*.json")) and not any(log.glob("*.parquet")):
            continue
        name = log.parent.name
        try:
            table = DeltaTable(str(log.parent))
            rows = sum(table.get_add_actions(flatten=True).column("num_records").to_pylist())
            files = files_of(table)
            problem = problem_of(name, files, rows)
            tables[name] = rows
            if name == "readings" and rows and not problem:
                query = "SELECT asset, count(*) FROM read_parquet($1) GROUP BY asset"
                counts = dict(duckdb.execute(query, [files]).fetchall())
        except Exception as error:
            problem = str(error)
        if problem:
            problems.append(f"{name}: {problem}")
    return {"tables": tables, "readings": counts, "problems": problems}


for line in sys.stdin:
    print(json.dumps(check(pathlib.Path(line.strip()))), flush=True)

"""Counts and sums the table `readings` with three engines that know nothing of Forewarn."""

import json
import sys

import duckdb
import polars
from deltalake import DeltaTable, QueryBuilder


def with_deltalake(table):
    batches = QueryBuilder().register("readings", table).execute("SELECT count(*) AS n, sum(value) AS total FROM readings").read_all()
    return batches.column("n")[0].as_py(), batches.column("total")[0].as_py()


def with_duckdb(table):
    # The Delta log says which files make up the table, DuckDB reads them; its own Delta extension would have to be downloaded.
    files = [uri.removeprefix("file://") for uri in table.file_uris()]
    return duckdb.execute("SELECT count(*), sum(value) FROM read_parquet($1)", [files]).fetchone()


def with_polars(path):
    return polars.scan_delta(path).select(polars.len(), polars.col("value").sum()).collect().row(0)


def main(path):
    table = DeltaTable(path)
    counts = {"deltalake": with_deltalake(table), "duckdb": with_duckdb(table), "polars": with_polars(path)}
    days = {str(action["date"]) for action in table.partitions()}
    json.dump({"counts": counts, "version": table.version(), "days": sorted(days)}, sys.stdout)


main(sys.argv[1])

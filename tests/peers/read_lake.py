"""Counts and sums the table `readings` with three engines that know nothing of Forewarn.

A table at an s3:// URL is looked for where the usual AWS variables of the environment say.
"""

import json
import os
import sys
import tempfile

import duckdb
import polars
from deltalake import DeltaTable, QueryBuilder


def with_deltalake(table):
    batches = QueryBuilder().register("readings", table).execute("SELECT count(*) AS n, sum(value) AS total FROM readings").read_all()
    return batches.column("n")[0].as_py(), batches.column("total")[0].as_py()


def fetched(uris, folder):
    """The files of a bucket, copied: DuckDB's own extension for S3 would have to be downloaded."""
    import boto3

    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    for number, uri in enumerate(uris):
        bucket, key = uri.removeprefix("s3://").split("/", 1)
        path = f"{folder}/{number}.parquet"
        client.download_file(bucket, key, path)
        yield path


def with_duckdb(table):
    # The Delta log says which files make up the table, DuckDB reads them; its own Delta extension would have to be downloaded.
    uris = table.file_uris()
    with tempfile.TemporaryDirectory() as folder:
        remote = any(uri.startswith("s3://") for uri in uris)
        files = list(fetched(uris, folder)) if remote else [uri.removeprefix("file://") for uri in uris]
        return duckdb.execute("SELECT count(*), sum(value) FROM read_parquet($1)", [files]).fetchone()


def with_polars(path):
    return polars.scan_delta(path).select(polars.len(), polars.col("value").sum()).collect().row(0)


def main(path):
    table = DeltaTable(path)
    counts = {"deltalake": with_deltalake(table), "duckdb": with_duckdb(table), "polars": with_polars(path)}
    days = {str(action["date"]) for action in table.partitions()}
    json.dump({"counts": counts, "version": table.version(), "days": sorted(days)}, sys.stdout)


main(sys.argv[1])

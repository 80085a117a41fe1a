"""Writes readings with influxdb-client, in both of its ways, and prints what it was told about lines that cannot be used."""

import json
import sys

from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

BUCKET = "forewarn"
START_MS = 1_767_225_600_000


def points(unit, count):
    for n in range(count):
        yield (
            Point("pump")
            .tag("site", "plant1")
            .tag("unit", unit)
            .field("temperature", 20.0 + n % 50)
            .field("starts", n)
            .field("running", n % 2 == 0)
            .time(START_MS + n * 1000, WritePrecision.MS)
        )


def refused(client):
    lines = [
        "pump,site=plant1,unit=mixed temperature=21.5 1767225600000000000",
        "pump,site=plant1,unit=mixed temperature=warm 1767225601000000000",
        "pump,site=plant1,unit=mixed temperature=22.5 1767225602000000000",
    ]
    with client.write_api(write_options=SYNCHRONOUS) as api:
        try:
            api.write(BUCKET, record=lines)
        except ApiException as error:
            return {"status": error.status, "body": json.loads(error.body)}
    return None


def main(url):
    told = []
    with InfluxDBClient(url=url, token="none", org="plant1", enable_gzip=True) as client:
        reachable = client.ping()
        with client.write_api(write_options=SYNCHRONOUS) as api:
            api.write(BUCKET, record=list(points("at-once", 500)))
        # Without a callback this client would only log what it could not deliver.
        options = WriteOptions(batch_size=200, flush_interval=1_000)
        failed = lambda _, data, error: told.append(str(error))
        with client.write_api(write_options=options, error_callback=failed) as api:
            for point in points("in-batches", 1_500):
                api.write(BUCKET, record=point)
        json.dump({"reachable": reachable, "failed": told, "refused": refused(client)}, sys.stdout)


main(sys.argv[1])

"""Asks a server the same query in two columnar forms, and reads the answers with polars."""

import io
import json
import sys
import urllib.request

import polars

QUERY = "SELECT time, asset, value FROM readings ORDER BY time"


def ask(url, accept):
    body = json.dumps({"query": QUERY}).encode()
    headers = {"accept": accept, "content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/sql", data=body, headers=headers)
    # A proxy of the environment knows nothing of a server on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return io.BytesIO(opener.open(request, timeout=60).read())


def told(frame):
    rows = [[time.isoformat(), asset, value] for time, asset, value in frame.rows()]
    return {"types": [str(kind) for kind in frame.dtypes], "rows": rows}


def main(url):
    parquet = polars.read_parquet(ask(url, "application/vnd.apache.parquet"))
    arrow = polars.read_ipc_stream(ask(url, "application/vnd.apache.arrow.stream"))
    json.dump({"parquet": told(parquet), "arrow": told(arrow)}, sys.stdout)


main(sys.argv[1])

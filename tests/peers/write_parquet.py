"""Writes histories as data tools store them in Parquet: zoned and naive times, small floats, booleans, texts, and gaps."""

import datetime
import json
import sys

import polars

ROWS = 3_000


def main(path):
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    frame = polars.DataFrame({
        "when": [start + datetime.timedelta(minutes=i) for i in range(ROWS)],
        "pump": [i % 3 for i in range(ROWS)],
        "temperature": [None if i % 100 == 0 else 60.0 + i / 64 for i in range(ROWS)],
        "vibration": polars.Series([i / 8 for i in range(ROWS)], dtype=polars.Float32),
        "running": [i % 2 == 0 for i in range(ROWS)],
        "remark": ["ok"] * ROWS,
    })
    frame.write_parquet(path, compression="zstd", row_group_size=1_000)
    json.dump({"rows": ROWS, "temperature": frame["temperature"].sum()}, sys.stdout)


main(sys.argv[1])

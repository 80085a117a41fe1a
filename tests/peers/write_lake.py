"""Another program that writes to the lake's tables while the server does: it adds rows, and it compacts.

Usage: write_lake.py LAKE ROUNDS < STARTS

In each round it waits for a line on its input, adds ten rows to `readings` and three to `health`, and compacts one of the two. It
prints a line after each round, and at the end what it has written.
"""

import datetime
import json
import sys

import polars
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

ROWS = 10


def readings(number):
    start = datetime.datetime(2026, 1, 3, tzinfo=datetime.timezone.utc) + datetime.timedelta(minutes=number * ROWS)
    times = [start + datetime.timedelta(seconds=second) for second in range(ROWS)]
    return polars.DataFrame({
        "time": times,
        "asset": [f"other/pump{number % 3}"] * ROWS,
        "signal": ["flow"] * ROWS,
        "value": [float(number)] * ROWS,
        "quality": ["good"] * ROWS,
        "late": [False] * ROWS,
        "arrived": times,
        "offset": [0] * ROWS,
        "date": [time.date() for time in times],
    })


def health(number):
    # The server notes in columns of its own which run has written a row; rows of others have nothing there.
    times = polars.lit(None, polars.Datetime("us", "UTC"))
    return polars.DataFrame({
        "asset": [f"other/pump{row}" for row in range(3)],
        "score": [number + row / 4 for row in range(3)],
    }).with_columns(polars.lit(None, polars.String).alias("_job"), times.alias("_from"), times.alias("_to"))


def until_done(work):
    """Tries again while the server is faster to replace files that `work` has read."""
    for _ in range(50):
        try:
            return work()
        except CommitFailedError as error:
            failed = error
    raise failed


def main(lake, rounds):
    for number in range(rounds):
        sys.stdin.readline()
        write_deltalake(f"{lake}/readings", readings(number), mode="append")
        until_done(lambda: write_deltalake(f"{lake}/health", health(number), mode="append"))
        table = f"{lake}/{'health' if number % 2 else 'readings'}"
        merged = until_done(lambda: DeltaTable(table).optimize.compact())
        print(json.dumps({"round": number, "merged": merged["numFilesRemoved"]}), flush=True)


main(sys.argv[1], int(sys.argv[2]))

"""Asks the server and DuckDB the same questions, made up by a seed, and compares the answers.

usage: compare.py URL SEED COUNT basic|full

DuckDB is given the rows themselves, as the server gives them for `SELECT * FROM readings`; the server finds them in
files and in the log's tail, skips what cannot matter, and counts while it reads. Prints JSON: how many questions were
asked by kind, and those that the server refused or answered differently, each with its number under the seed.
"""

import collections
import json
import sys
import tempfile
import urllib.error
import urllib.request

import basic
import duckdb
import full
import judge

SHOWN_ROWS = 4


def post(url, query, accept="application/json"):
    """The body of an answer, or the problem with the question."""
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(f"{url}/v1/sql", body, {"content-type": "application/json", "accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.read(), None
    except urllib.error.HTTPError as error:
        return None, {"status": error.code, "body": error.read().decode(errors="replace")}


def peer(url, tables):
    """DuckDB with the server's rows."""
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    duck.execute("SET default_null_order = 'NULLS_LAST_ON_ASC_FIRST_ON_DESC'")
    for table in tables:
        rows, problem = post(url, f"SELECT * FROM {table}", "application/vnd.apache.parquet")
        assert problem is None, problem
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            file.write(rows)
            file.flush()
            duck.execute(f"CREATE TABLE {table} AS SELECT * FROM read_parquet($1)", [file.name])
    return duck


def expected(duck, question):
    """The rows of DuckDB, or none if a number does not fit its type."""
    try:
        return [[judge.plain(value) for value in row] for row in duck.execute(question.duckdb).fetchall()]
    except (duckdb.OutOfRangeException, duckdb.ConversionException):
        return None


def compare(url, duck, question):
    """What is wrong with the server's answer: nothing, or a list it belongs to and its words."""
    rows = expected(duck, question)
    body, problem = post(url, question.server)
    if problem:
        if problem["status"] >= 500:
            return "different", {"query": question.server, "problem": problem}
        if rows is None or question.refusable:
            return None
        return "refused", {"query": question.server, "problem": problem}
    answer = [[judge.plain(value) for value in row] for row in json.loads(body)["rows"]]
    if rows is not None and judge.alike(answer, rows, question.ordered, question.tolerance):
        return None
    shown = {"query": question.server, "server": answer[:SHOWN_ROWS]}
    shown["duckdb"] = "a number does not fit its type" if rows is None else rows[:SHOWN_ROWS]
    shown["rows"] = [len(answer), len(rows or [])]
    return "different", shown


def main():
    url, seed, count, which = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    duck = peer(url, ["readings"] if which == "basic" else ["readings", "life_events"])
    questions = basic.Questions(seed) if which == "basic" else full.Questions(seed)
    kinds, found = collections.Counter(), {"refused": [], "different": []}
    for number in range(count):
        question = questions.next()
        kinds[question.kind] += 1
        fault = compare(url, duck, question)
        if fault:
            found[fault[0]].append({"seed": seed, "number": number, "kind": question.kind, **fault[1]})
    rows = duck.execute("SELECT count(*) FROM readings").fetchone()[0]
    print(json.dumps({"asked": sum(kinds.values()), "kinds": kinds, "rows": rows, **found}))


if __name__ == "__main__":
    main()

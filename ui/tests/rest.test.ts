import assert from "node:assert/strict";
import test from "node:test";
import { fullIn, parse, routes, value } from "../src/data/metrics";
import { cell, fileName, instant, kinds, series } from "../src/data/sql";
import { percent } from "../src/data/format";

test("metrics are read with their labels, and the time of answers from its buckets", () => {
  const samples = parse([
    "# HELP a_b Words.", "# TYPE a_b counter", "a_b 3", 'a_b{table="say \\"x\\"",kind="y"} 1e3', "broken",
    'forewarn_http_request_duration_seconds_bucket{route="/v1/x",le="0.01"} 8', 'forewarn_http_request_duration_seconds_bucket{route="/v1/x",le="0.1"} 9',
    'forewarn_http_request_duration_seconds_bucket{route="/v1/x",le="+Inf"} 10', 'forewarn_http_request_duration_seconds_sum{route="/v1/x"} 0.5',
    'forewarn_http_request_duration_seconds_count{route="/v1/x"} 10', 'forewarn_http_request_duration_seconds_count{route="/v1/alerts/stream"} 10',
  ].join("\n"));
  assert.equal(value(samples, "a_b"), 3);
  assert.equal(value(samples, "a_b", { table: 'say "x"' }), 1000);
  assert.equal(value(samples, "nothing"), null);
  assert.deepEqual(routes(samples), [{ route: "/v1/x", count: 10, mean_ms: 50, p90_ms: 100 }]);
});

test("what fills up says when, what does not grow says nothing", () => {
  assert.equal(fullIn(100, 200, 10, 1_200), 100);
  assert.equal(fullIn(200, 200, 10, 1_200), null);
  assert.equal(fullIn(200, 100, 10, 1_200), null);
  assert.equal(percent(0.001), "< 1\u2009%");
  assert.equal(percent(0), "0\u2009%");
});

test("columns of an answer are times, numbers or texts by all their values", () => {
  const answer = {
    columns: ["t", "v", "asset", "none", "mixed"],
    rows: [["2026-06-01T10:00:00Z", 1, "a", null, 1], ["2026-06-01T11:00:00Z", null, "b", null, "x"], ["2026-06-01T09:00:00Z", 3, "a", null, 2]],
  };
  assert.deepEqual(kinds(answer), ["time", "number", "text", "text", "text"]);
  const { series: lines, left } = series(answer, 0, 1, 2);
  assert.deepEqual(lines.map(({ name, y }) => [name, y]), [["a", [3, 1]]], "sorted by time, without empty values");
  assert.equal(left, 0);
  const many = { columns: ["x", "y", "by"], rows: [1, 2, 3, 4, 5, 6].map((n) => [n, n, `s${n}`]) };
  assert.deepEqual([series(many, 0, 1, 2).series.length, series(many, 0, 1, 2).left], [4, 2], "what is not drawn is counted");
  assert.equal(instant("2026-06-01 10:00:00"), Date.UTC(2026, 5, 1, 10), "times without a zone are UTC");
  assert.equal(instant("2026-06-01T10:00:00+02:00"), Date.UTC(2026, 5, 1, 8));
  assert.equal(cell({ a: 1 }), '{"a":1}');
  assert.equal(fileName("2026-06-01T10:00:00.000Z", true), "forewarn-2026-06-01-10-00-00-CUT.csv");
});

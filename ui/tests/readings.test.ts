import assert from "node:assert/strict";
import test from "node:test";
import { columns, extend, freshness, gaps, runs, summary, usualStep } from "../src/data/readings";
import type { Point } from "../src/data/types";

const at = (minutes: number, value: number | null, more: Partial<Point> = {}): Point =>
  ({ time: new Date(Date.UTC(2026, 5, 8) + minutes * 60_000).toISOString(), value, quality: "good", ...more });
const raw = (readings: Point[]) => columns({ resolution: "raw", readings });

test("a line breaks where more than three usual steps pass without a reading", () => {
  const column = raw([at(0, 1), at(15, 2), at(30, 3), at(45, 4), at(120, 5), at(135, 6)]);
  assert.equal(column.step, 15 * 60);
  const first = column.time[0]!;
  assert.deepEqual(gaps(column, column.time[5]! + 60).map(({ from, to }) => [(from - first) / 60, (to - first) / 60]), [[45, 120]]);
  assert.deepEqual(runs(column), [[0, 3], [4, 5]]);
});

test("silence up to now is a gap too", () => {
  const column = raw([at(0, 1), at(15, 2), at(30, 3), at(45, 4)]);
  assert.equal(gaps(column, column.time[3]! + 30 * 60).length, 0);
  assert.equal(gaps(column, column.time[3]! + 50 * 60).length, 1);
});

test("bad readings stand at the foot and break the line; late ones are marked", () => {
  const column = raw([at(0, 1), at(15, 99, { quality: "bad" }), at(30, 3, { late: true }), at(45, 4)]);
  assert.deepEqual(column.mean, [1, null, 3, 4]);
  assert.deepEqual(column.late, [false, false, true, false]);
  assert.deepEqual(runs(column), [[0, 0], [2, 3]]);
});

test("buckets keep their peaks", () => {
  const column = columns({ resolution: "buckets", readings: [at(0, 2, { min: 1, max: 9, count: 30 }), at(15, null, { quality: "bad", min: null, max: null, count: 2 })] });
  assert.deepEqual([column.min[0], column.mean[0], column.max[0], column.max[1]], [1, 2, 9, null]);
  assert.equal(summary("flow", "m³/h", column, String), "flow: lowest 1, highest 9, last 2 m³/h.");
});

test("old values are stale by their own pace, and unjudged without one", () => {
  assert.equal(freshness(0, 44 * 60_000, 15 * 60), "fresh");
  assert.equal(freshness(0, 46 * 60_000, 15 * 60), "stale");
  assert.equal(freshness(0, 1e12, null), "unjudged");
  assert.equal(freshness(null, 0, 1), "stale");
  assert.equal(usualStep([1, 2, 3]), null, "three readings have no pace");
});

test("a tail takes the place of the last bucket and adds to it", () => {
  const old = [at(0, 1), at(15, 2)];
  assert.deepEqual(extend(old, [at(15, 2.5), at(30, 3)], old[1]!.time).map(({ value }) => value), [1, 2.5, 3]);
  assert.equal(extend(old, [], old[1]!.time), old);
});

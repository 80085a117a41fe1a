import assert from "node:assert/strict";
import test from "node:test";
import { age, bytes, chance, clock, count, duration, full, life, measure, number, time } from "../src/data/format";

test("numbers are those of the server's messages", () => {
  // The right column is what forewarn-engine/src/message.rs writes, with a typographic minus.
  for (const [value, text] of [
    [4.524, "4.52"], [8.510000000000005, "8.51"], [39.36, "39.36"], [90, "90"], [0, "0"], [-0, "0"], [0.25, "0.25"], [0.1234, "0.123"],
    [0.01234, "0.01234"], [123.456, "123.5"], [-4.5, "−4.5"], [1e7, "1e7"], [1.2e7, "1.2e7"], [0.00012, "1.2e-4".replace("-", "−")],
  ] as const) assert.equal(number(value), text, String(value));
  assert.equal(number(null), "–");
  assert.equal(number(Number.NaN), "–");
  assert.equal(number(1234.5), "1234.5");
  assert.equal(number(12345.67), "12\u2009345.7");
  assert.equal(count(22_700_000), "22\u2009700\u2009000");
  assert.equal(measure(4.58, "mm/s"), "4.58\u2009mm/s");
  assert.equal(measure(null, "mm/s"), "–", "no value has no unit");
  assert.equal(bytes(2_100_000_000), "2.1\u2009GB");
});

test("ages say how old, and what lies ahead of the clock says so", () => {
  assert.deepEqual([400, 12_000, 41 * 60_000, 2 * 3_600_000, 5 * 86_400_000].map(duration), ["0.4 s", "12 s", "41 min", "2 h", "5 d"]);
  const now = Date.parse("2026-06-08T10:00:00Z");
  assert.equal(age("2026-06-08T09:19:00Z", now), "41 min");
  assert.equal(age("2026-06-08T10:05:00Z", now), "5 min ahead");
  assert.equal(age(null, now), "–");
});

test("times are of the zone, on both days that daylight saving changes", () => {
  const now = Date.parse("2026-06-08T10:00:00Z");
  assert.equal(time("2026-06-08T08:00:05Z", now, "Europe/Oslo"), "10:00:05");
  assert.equal(time("2026-06-07T22:30:00Z", now, "Europe/Oslo"), "00:30:00", "today is today in the zone");
  assert.equal(time("2026-06-07T22:30:00Z", now, "UTC"), "7 Jun 22:30");
  assert.equal(time("2025-12-31T10:00:00Z", now, "UTC"), "2025-12-31 10:00");
  assert.equal(time("nonsense", now, "UTC"), "–");
  assert.equal(full("2026-03-29T00:59:59Z", "Europe/Oslo"), "2026-03-29T01:59:59.000+01:00");
  assert.equal(full("2026-03-29T01:00:00Z", "Europe/Oslo"), "2026-03-29T03:00:00.000+02:00");
  assert.equal(full("2026-10-25T00:30:00Z", "Europe/Oslo"), "2026-10-25T02:30:00.000+02:00");
  assert.equal(full("2026-10-25T01:30:00Z", "Europe/Oslo"), "2026-10-25T02:30:00.000+01:00");
  assert.equal(full("2026-06-08T10:00:05.25Z", "UTC"), "2026-06-08T10:00:05.250Z");
  assert.equal(full("2026-06-08T10:00:00Z", "Asia/Kolkata"), "2026-06-08T15:30:00.000+05:30");
  assert.equal(clock(Date.parse("2026-06-08T22:00:00Z"), "UTC"), "22:00:00");
  assert.equal(clock(Date.parse("2026-06-08T00:00:00Z"), "UTC"), "00:00:00", "midnight is no 24:00");
});

test("remaining life reads as days with its interval, and the cap as at least", () => {
  const made = { p05: 158.4, p50: 192, p95: 211.2, unit: "hours", at_cap: false, cap: 240, coverage: 0.9 };
  assert.equal(life(made), "8.0 days (9 in 10: 6.6–8.8)");
  assert.equal(life({ ...made, p50: 240, at_cap: true }), "≥ 10.0 days");
  assert.equal(life({ ...made, p05: 2, p50: 12, p95: 30 }), "12.0 hours (9 in 10: 2.0–30.0)");
  assert.equal(life({ ...made, p05: 0, p50: 0, p95: 3 }), "0.0 hours (9 in 10: 0.0–3.0)");
  assert.equal(life({ ...made, unit: "cycles", p05: 10, p50: 100, p95: 125 }), "100.0 cycles (9 in 10: 10.0–125.0)");
  assert.deepEqual([0.01, 0.34, 0.7, 0.99].map(chance), ["< 1 in 20", "1 in 3 (34\u2009%)", "7 in 10 (70\u2009%)", "> 19 in 20"]);
});

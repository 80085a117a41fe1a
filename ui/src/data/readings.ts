// From the API's points to what a chart draws: columns, gaps where readings fail to come, ages judged by the
// signal's usual step. Pure.

import type { History, Point } from "./types";

export interface Column {
  /** Seconds since 1970, as uPlot wants them. */
  time: number[];
  mean: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
  quality: Point["quality"][];
  late: boolean[];
  buckets: boolean;
  /** The usual time between two points, in seconds; null with too few of them. */
  step: number | null;
}

/** The usual step: the median of the distances. */
export function usualStep(time: number[]): number | null {
  if (time.length < 4) return null;
  const steps: number[] = [];
  for (let at = 1; at < time.length; at += 1) {
    const step = time[at]! - time[at - 1]!;
    if (step > 0) steps.push(step);
  }
  if (steps.length < 3) return null;
  steps.sort((a, b) => a - b);
  return steps[Math.floor(steps.length / 2)]!;
}

export function columns(history: Pick<History, "resolution" | "readings">): Column {
  const buckets = history.resolution === "buckets";
  const sorted = [...history.readings].sort((a, b) => a.time.localeCompare(b.time));
  const time = sorted.map((point) => Date.parse(point.time) / 1000);
  const of = (pick: (point: Point) => number | null | undefined) => sorted.map((point) => {
    // A bad reading stands at the foot of the chart, not on the scale.
    if (point.quality === "bad" && !buckets) return null;
    return pick(point) ?? null;
  });
  return {
    time,
    mean: of((point) => point.value),
    min: of((point) => (buckets ? point.min : point.value)),
    max: of((point) => (buckets ? point.max : point.value)),
    quality: sorted.map((point) => point.quality),
    late: sorted.map((point) => point.late === true),
    buckets,
    step: usualStep(time),
  };
}

export interface Gap {
  from: number;
  to: number;
}

/** Where readings are missing: more than three usual steps apart, and from the last one to `end`. */
export function gaps(column: Column, end: number): Gap[] {
  const { time, step } = column;
  if (step === null) return [];
  const found: Gap[] = [];
  for (let at = 1; at < time.length; at += 1) {
    if (time[at]! - time[at - 1]! > 3 * step) found.push({ from: time[at - 1]!, to: time[at]! });
  }
  const last = time[time.length - 1];
  if (last !== undefined && end - last > 3 * step) found.push({ from: last, to: end });
  return found;
}

/** The runs of points that a line may join: cut at gaps and at points without a value. */
export function runs(column: Column): [number, number][] {
  const found: [number, number][] = [];
  let from = -1;
  for (let at = 0; at < column.time.length; at += 1) {
    const usable = column.mean[at] !== null;
    const apart = column.step !== null && at > 0 && column.time[at]! - column.time[at - 1]! > 3 * column.step;
    if (from >= 0 && (!usable || apart)) {
      found.push([from, at - 1]);
      from = -1;
    }
    if (usable && from < 0) from = at;
  }
  if (from >= 0) found.push([from, column.time.length - 1]);
  return found;
}

export type Freshness = "fresh" | "stale" | "unjudged";

/** A value older than three usual steps is stale; without a usual step there is no verdict. */
export function freshness(lastMs: number | null, nowMs: number, step: number | null): Freshness {
  if (lastMs === null) return "stale";
  if (step === null) return "unjudged";
  return nowMs - lastMs > 3_000 * step ? "stale" : "fresh";
}

/** New points behind old ones: from the last old bucket on, the new ones count. */
export function extend(old: Point[], tail: Point[], from: string): Point[] {
  if (tail.length === 0) return old;
  const first = tail[0]!.time < from ? tail[0]!.time : from;
  return [...old.filter((point) => point.time < first), ...tail];
}

/** A sentence that sums a chart up, for those who cannot see it. */
export function summary(name: string, unit: string | null, column: Column, show: (value: number) => string): string {
  const values = column.mean.filter((value): value is number => value !== null);
  if (values.length === 0) return `${name}: no usable readings in this range.`;
  const lows = column.min.filter((value): value is number => value !== null);
  const highs = column.max.filter((value): value is number => value !== null);
  const least = lows.reduce((a, b) => Math.min(a, b), Infinity);
  const most = highs.reduce((a, b) => Math.max(a, b), -Infinity);
  const tail = unit ? ` ${unit}` : "";
  return `${name}: lowest ${show(least)}, highest ${show(most)}, last ${show(values[values.length - 1]!)}${tail}.`;
}

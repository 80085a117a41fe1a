// What Explore does with answers: which columns are times and numbers, CSV, and series for a plot. Pure.

import type { SqlRows } from "./types";

export type Kind = "time" | "number" | "text";

const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/;

export function kinds(answer: SqlRows): Kind[] {
  return answer.columns.map((_, at) => {
    const values = answer.rows.map((row) => row[at]).filter((value) => value !== null && value !== undefined);
    if (values.length === 0) return "text";
    if (values.every((value) => typeof value === "number")) return "number";
    return values.every((value) => typeof value === "string" && TIME.test(value)) ? "time" : "text";
  });
}

/** A time of an answer, which is UTC whether it says so or not. */
export function instant(text: string): number {
  const iso = text.replace(" ", "T");
  return Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(iso) ? iso : `${iso}Z`);
}

export interface Series {
  name: string;
  x: number[];
  y: number[];
}

export const MOST_SERIES = 4;

/** Points by x, in at most four series by the text of a column. */
export function series(answer: SqlRows, x: number, y: number, by: number): { series: Series[]; left: number } {
  const kind = kinds(answer)[x];
  const found = new Map<string, [number, number][]>();
  for (const row of answer.rows) {
    const [at, value] = [row[x], row[y]];
    if (typeof value !== "number" || at === null || at === undefined) continue;
    const place = kind === "time" ? instant(String(at)) / 1000 : Number(at);
    if (!Number.isFinite(place)) continue;
    const name = by < 0 ? (answer.columns[y] ?? "") : String(row[by]);
    const points = found.get(name);
    if (points) points.push([place, value]);
    else found.set(name, [[place, value]]);
  }
  const all = [...found].map(([name, points]) => {
    points.sort((a, b) => a[0] - b[0]);
    return { name, x: points.map(([at]) => at), y: points.map(([, value]) => value) };
  });
  return { series: all.slice(0, MOST_SERIES), left: Math.max(0, all.length - MOST_SERIES) };
}

/** A value as it stands in the table. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The name of a downloaded file; one that lacks rows says so. */
export function fileName(now: string, cut: boolean): string {
  return `forewarn-${now.slice(0, 19).replace(/[:T]/g, "-")}${cut ? "-CUT" : ""}.csv`;
}

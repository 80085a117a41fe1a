// The text of /metrics as numbers. Pure.

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export function parse(text: string): Sample[] {
  const found: Sample[] = [];
  for (const line of text.split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!match || line.startsWith("#")) continue;
    const labels: Record<string, string> = {};
    for (const [, key, value] of (match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      if (key) labels[key] = (value ?? "").replace(/\\(.)/g, (_, one: string) => (one === "n" ? "\n" : one));
    }
    const value = Number(match[3] === "+Inf" ? Infinity : match[3]);
    if (!Number.isNaN(value)) found.push({ name: match[1]!, labels, value });
  }
  return found;
}

/** The value of a metric without labels, or with just these. */
export function value(samples: Sample[], name: string, labels: Record<string, string> = {}): number | null {
  const found = samples.find((one) => one.name === name && Object.entries(labels).every(([key, text]) => one.labels[key] === text));
  return found?.value ?? null;
}

export interface Route {
  route: string;
  count: number;
  mean_ms: number;
  /** Nine in ten answers took no longer than this; the bound of a bucket, in ms. */
  p90_ms: number | null;
}

/** How long answers took, by route, the most asked first. Event streams are left out: they take as long as one looks. */
export function routes(samples: Sample[]): Route[] {
  const prefix = "forewarn_http_request_duration_seconds";
  return samples
    .filter((one) => one.name === `${prefix}_count` && one.value > 0 && !/stream/.test(one.labels.route ?? ""))
    .map((one) => {
      const route = one.labels.route ?? "";
      const sum = value(samples, `${prefix}_sum`, { route }) ?? 0;
      const buckets = samples.filter((bucket) => bucket.name === `${prefix}_bucket` && bucket.labels.route === route);
      const bound = (bucket: Sample) => (bucket.labels.le === "+Inf" ? Infinity : Number(bucket.labels.le));
      const reached = buckets.sort((a, b) => bound(a) - bound(b)).find((bucket) => bucket.value >= 0.9 * one.value);
      const p90 = reached ? bound(reached) : Infinity;
      return { route, count: one.value, mean_ms: (1000 * sum) / one.value, p90_ms: Number.isFinite(p90) ? 1000 * p90 : null };
    })
    .sort((a, b) => b.count - a.count);
}

/** How long until something is full, at the pace between two looks; null if it does not grow. */
export function fullIn(before: number, after: number, seconds: number, most: number): number | null {
  const pace = (after - before) / seconds;
  return seconds > 0 && pace > 0 && most > after ? (most - after) / pace : null;
}

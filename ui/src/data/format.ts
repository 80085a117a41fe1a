// Numbers, times, ages and chances as the console writes them. Pure: "now" and the zone are given.

const THIN = "\u2009";
const MINUS = "\u2212";
export const NONE = "–";

/** A number with about four digits that count, as the server's messages have them. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  let text: string;
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    text = value.toExponential(3).replace("e+", "e").replace(/\.?0+e/, "e");
  } else {
    const digits = size >= 100 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 5;
    text = value.toFixed(digits);
    if (text.includes(".")) text = text.replace(/0+$/, "").replace(/\.$/, "");
    if (text === "-0") text = "0";
    text = group(text);
  }
  return text.replace("-", MINUS);
}

/** A whole number: counts, rows, offsets. */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : group(String(Math.round(value))).replace("-", MINUS);
}

/** Thin spaces between groups of three digits, from 10 000 on. */
function group(text: string): string {
  const [whole = "", part] = text.split(".");
  const digits = whole.replace("-", "");
  if (digits.length < 5) return text;
  const grouped = (whole.startsWith("-") ? "-" : "") + digits.replace(/\B(?=(\d{3})+$)/g, THIN);
  return part === undefined ? grouped : `${grouped}.${part}`;
}

/** A value with its unit. */
export function measure(value: number | null | undefined, unit: string | null | undefined): string {
  const text = number(value);
  return unit && text !== NONE ? `${text}${THIN}${unit}` : text;
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${number(Math.round(value * 100) / 100)}${THIN}${units[at]}`;
}

/** How long ago, or how long: "0.4 s", "12 s", "41 min", "2 h", "5 d". */
export function duration(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${Math.round(s * 10) / 10} s`;
  if (s < 100) return `${Math.round(s)} s`;
  if (s < 5_400) return `${Math.round(s / 60)} min`;
  if (s < 36 * 3_600) return `${Math.round(s / 3_600)} h`;
  return `${Math.round(s / 86_400)} d`;
}

/** The age of what is of `time`; a time ahead of the server's clock is said to be so. */
export function age(time: string | null | undefined, now: number): string {
  if (!time) return NONE;
  const ms = now - Date.parse(time);
  return ms < -1_000 ? `${duration(-ms)} ahead` : duration(ms);
}

export type Zone = string;

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: Zone, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone}|${JSON.stringify(options)}`;
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone, hourCycle: "h23" });
    formats.set(key, found);
  }
  return found;
}

function parts(ms: number, zone: Zone): Record<string, string> {
  const all = format(zone, {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  }).formatToParts(ms);
  return Object.fromEntries(all.map((part) => [part.type, part.value]));
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Today "10:00:05", this year "8 Jun 10:00", else "2025-12-31 10:00"; today is the server's, in `zone`. */
export function time(text: string | number | null | undefined, now: number, zone: Zone): string {
  if (text === null || text === undefined || text === "") return NONE;
  const ms = typeof text === "number" ? text : Date.parse(text);
  if (!Number.isFinite(ms)) return NONE;
  const p = parts(ms, zone);
  const n = parts(now, zone);
  if (p.year === n.year && p.month === n.month && p.day === n.day) return `${p.hour}:${p.minute}:${p.second}`;
  if (p.year === n.year) return `${Number(p.day)} ${MONTHS[Number(p.month) - 1]} ${p.hour}:${p.minute}`;
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}`;
}

export function clock(ms: number, zone: Zone): string {
  const p = parts(ms, zone);
  return `${p.hour}:${p.minute}:${p.second}`;
}

export function day(ms: number, zone: Zone): string {
  const p = parts(ms, zone);
  return `${Number(p.day)} ${MONTHS[Number(p.month) - 1]} ${p.year}`;
}

/** In full, for tooltips and exports: 2026-06-08T10:00:05.000+02:00. */
export function full(text: string | number | null | undefined, zone: Zone): string {
  if (text === null || text === undefined || text === "") return NONE;
  const ms = typeof text === "number" ? text : Date.parse(text);
  if (!Number.isFinite(ms)) return NONE;
  const p = parts(ms, zone);
  const local = Date.UTC(
    Number(p.year), Number(p.month) - 1, Number(p.day), Number(p.hour), Number(p.minute), Number(p.second),
  );
  const fraction = ((ms % 1000) + 1000) % 1000;
  const minutes = Math.round((local - (ms - fraction)) / 60_000);
  const two = (value: number) => String(value).padStart(2, "0");
  const size = Math.abs(minutes);
  const offset = minutes === 0 ? "Z" : `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
  const millis = String(Math.floor(fraction)).padStart(3, "0");
  return `${p.year}-${p.month}-${p.day}T${p.hour}:${p.minute}:${p.second}.${millis}${offset}`;
}

/** The name of the zone as it is said beside a clock: "Oslo", "UTC". */
export function zoneName(zone: Zone): string {
  return (zone.split("/").pop() ?? zone).replace(/_/g, " ");
}

/** "1 in 3 (34 %)"; below 5 % "< 1 in 20". */
export function chance(share: number): string {
  if (share < 0.05) return "< 1 in 20";
  if (share > 0.95) return "> 19 in 20";
  return share <= 0.5
    ? `1 in ${Math.round(1 / share)} (${Math.round(share * 100)}${THIN}%)`
    : `${Math.round(share * 10)} in 10 (${Math.round(share * 100)}${THIN}%)`;
}

export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return NONE;
  // What is little is not nothing.
  return share > 0 && share < 0.005 ? `< 1${THIN}%` : `${Math.round(share * 100)}${THIN}%`;
}

const HOURS: Record<string, number> = { minutes: 1 / 60, hours: 1, days: 24 };

/** Remaining life in the unit that reads best: days from two on, where the model speaks of time. */
export function inDays(value: number, unit: string): { value: number; unit: string } {
  const hours = HOURS[unit];
  if (hours === undefined) return { value, unit };
  const all = value * hours;
  return all >= 48 ? { value: all / 24, unit: "days" } : { value: all, unit: "hours" };
}

/** "8.0 days (9 in 10: 6.6–8.8)"; at the cap "≥ 10.0 days". */
export function life(p: { p05: number; p50: number; p95: number; unit: string; at_cap: boolean; cap: number; coverage?: number | null }): string {
  const middle = inDays(p.at_cap ? p.cap : p.p50, p.unit);
  const scale = middle.value === 0 ? 1 : middle.value / (p.at_cap ? p.cap : p.p50);
  const one = (value: number) => value.toFixed(1);
  const said = Math.round((p.coverage ?? 0.9) * 10);
  const range = `(${said} in 10: ${one(p.p05 * scale)}–${one(p.p95 * scale)})`;
  return p.at_cap ? `≥ ${one(middle.value)} ${middle.unit}` : `${one(middle.value)} ${middle.unit} ${range}`;
}

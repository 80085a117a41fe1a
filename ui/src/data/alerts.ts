// The alerts that the console knows, merged from lists and events: the newer offset wins, whatever the order
// in which they arrive. Pure.

import type { Alert, AlertState, Severity } from "./types";

export const SEVERITIES: Severity[] = ["critical", "major", "minor", "warning"];

export const rank = (severity: Severity): number => SEVERITIES.indexOf(severity);

/** Takes in what came; answers whether anything is new. */
export function merge(known: Map<string, Alert>, arrived: Iterable<Alert>): boolean {
  let changed = false;
  for (const alert of arrived) {
    const old = known.get(alert.id);
    if (old && old.offset >= alert.offset) continue;
    known.set(alert.id, alert);
    changed = true;
  }
  return changed;
}

/**
 * What a complete list of open alerts says beyond its own: an alert that was open before and is not in it has
 * ended meanwhile, unless it is newer than the list.
 */
export function dropMissing(known: Map<string, Alert>, listed: Alert[], end: number): void {
  const there = new Set(listed.map((alert) => alert.id));
  for (const [id, alert] of known) {
    if (!there.has(id) && isOpen(alert) && alert.offset < end) known.delete(id);
  }
}

/** Keeps the number of ended alerts in memory within bounds. */
export function forget(known: Map<string, Alert>, most: number): void {
  const ended = [...known.values()].filter((alert) => !isOpen(alert));
  if (ended.length <= most) return;
  ended.sort((a, b) => a.offset - b.offset);
  for (const alert of ended.slice(0, ended.length - most)) known.delete(alert.id);
}

export const isOpen = (alert: Alert): boolean => alert.state !== "normal" && alert.state !== "pending";
export const toAcknowledge = (alert: Alert): boolean =>
  alert.state === "unacknowledged" || alert.state === "returned";
export const isHidden = (alert: Alert): boolean =>
  alert.state === "shelved" || alert.state === "suppressed" || alert.state === "out-of-service";

export type Tab = "acknowledge" | "open" | "shelved" | "unknown" | "pending" | "history";

/** Whether an alert stands under a tab; `history` is asked from the server. */
export function under(tab: Tab, alert: Alert): boolean {
  switch (tab) {
    case "acknowledge": return toAcknowledge(alert);
    case "open": return isOpen(alert) && !isHidden(alert);
    case "shelved": return isHidden(alert);
    case "unknown": return alert.unknown && isOpen(alert);
    case "pending": return alert.state === "pending";
    case "history": return alert.state === "normal";
  }
}

export interface Filter {
  severities: Severity[];
  asset: string;
  rule: string;
  text: string;
}

/** A glob over asset paths as the server has them: `*` within a level, `**` over levels, `?` one character. */
export function glob(pattern: string): (path: string) => boolean {
  const text = pattern.trim();
  if (text === "" || text === "**") return () => true;
  if (!/[*?]/.test(text)) return (path) => path === text || path.startsWith(`${text}/`);
  const source = text
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\/\*\*$/, "(?:/.+)?")
    .replace(/\*\*\//g, "\u0001")
    .replace(/\*\*/g, "\u0002")
    .replace(/\*/g, "[^/]*")
    .replace(/\?(?!:)/g, "[^/]")
    .replace(/\u0001/g, "(?:.+/)?")
    .replace(/\u0002/g, ".*");
  try {
    const compiled = new RegExp(`^${source}$`, "u");
    return (path) => compiled.test(path);
  } catch {
    return () => false;
  }
}

export function matches(filter: Filter): (alert: Alert) => boolean {
  const admits = glob(filter.asset);
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return (alert) => {
    if (filter.severities.length > 0 && !filter.severities.includes(alert.severity)) return false;
    if (filter.rule && alert.rule !== filter.rule) return false;
    if (!admits(alert.asset)) return false;
    if (words.length === 0) return true;
    const all = `${alert.asset} ${alert.rule} ${alert.message} ${alert.action ?? ""} ${alert.acknowledged_by ?? ""}`.toLowerCase();
    return words.every((word) => all.includes(word));
  };
}

/** Unacknowledged first, then severity, then newest. */
export function byUrgency(a: Alert, b: Alert): number {
  return (
    Number(toAcknowledge(b)) - Number(toAcknowledge(a)) ||
    rank(a.severity) - rank(b.severity) ||
    since(b).localeCompare(since(a)) ||
    a.id.localeCompare(b.id)
  );
}

/** What comes back next, first. */
export function byReturn(a: Alert, b: Alert): number {
  return (a.shelved_until ?? "9").localeCompare(b.shelved_until ?? "9") || byUrgency(a, b);
}

/** Since when it stands as it does: its newest onset, which is what its evidence is of. */
export function since(alert: Alert): string {
  return alert.evidence?.from || alert.raised || alert.started;
}

export interface Counts {
  open: Record<Severity, number>;
  acknowledge: Record<Severity, number>;
  unknown: number;
  tabs: Record<Tab, number>;
}

export function counts(alerts: Iterable<Alert>): Counts {
  const zero = (): Record<Severity, number> => ({ critical: 0, major: 0, minor: 0, warning: 0 });
  const tabs = { acknowledge: 0, open: 0, shelved: 0, unknown: 0, pending: 0, history: 0 };
  const all: Counts = { open: zero(), acknowledge: zero(), unknown: 0, tabs };
  for (const alert of alerts) {
    for (const tab of Object.keys(tabs) as Tab[]) if (under(tab, alert)) tabs[tab] += 1;
    if (under("open", alert)) all.open[alert.severity] += 1;
    if (toAcknowledge(alert)) all.acknowledge[alert.severity] += 1;
  }
  all.unknown = tabs.unknown;
  return all;
}

export type Action = "acknowledge" | "shelve" | "unshelve" | "comment";

/** As `AlertState::allows` on the server: what an alert in this state can take. */
export function allows(state: AlertState, action: Action): boolean {
  switch (action) {
    case "acknowledge": return state !== "acknowledged" && state !== "pending" && state !== "normal";
    case "shelve": return state !== "pending" && state !== "normal";
    case "unshelve": return state === "shelved";
    case "comment": return true;
  }
}

/** Several alerts of one asset or one rule as one row. */
export interface Folded {
  key: string;
  alerts: Alert[];
}

/** Rows folded by asset or rule, in the order of the worst of each. */
export function fold(rows: Alert[], by: "asset" | "rule" | ""): Folded[] {
  if (by === "") return rows.map((alert) => ({ key: alert.id, alerts: [alert] }));
  const groups = new Map<string, Alert[]>();
  for (const alert of rows) {
    const group = groups.get(alert[by]);
    if (group) group.push(alert);
    else groups.set(alert[by], [alert]);
  }
  return [...groups].map(([key, alerts]) => ({ key, alerts }));
}

/**
 * The order to show while a hand is in the list: rows stay where they are and change in place, those that are
 * gone stay until the hand leaves, and new ones are counted only.
 */
export function held(frozen: string[], fresh: Alert[]): { order: string[]; newer: number } {
  const there = new Set(frozen);
  return { order: frozen, newer: fresh.filter((alert) => !there.has(alert.id)).length };
}

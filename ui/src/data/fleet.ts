// The fleet: what stands worst on each asset, rolled up over the levels above. Pure.

import { rank, toAcknowledge, isHidden, isOpen, byUrgency } from "./alerts";
import type { Alert, AssetNode, Prediction } from "./types";

export interface Row {
  asset: string;
  node: AssetNode;
  /** Open and not hidden, the most urgent first. */
  alerts: Alert[];
  waiting: number;
  shelved: number;
  /** Rules that cannot tell how this asset is. */
  unknown: number;
  prediction: Prediction | null;
}

export function rows(nodes: AssetNode[], alerts: Iterable<Alert>, unknown: ReadonlyMap<string, number>, predictions: Prediction[]): Row[] {
  const by = new Map<string, Alert[]>();
  for (const alert of alerts) {
    if (!isOpen(alert)) continue;
    const found = by.get(alert.asset);
    if (found) found.push(alert);
    else by.set(alert.asset, [alert]);
  }
  const said = new Map<string, Prediction>();
  for (const prediction of predictions) {
    const old = said.get(prediction.asset);
    if (!old || prediction.p05 < old.p05) said.set(prediction.asset, prediction);
  }
  return nodes.map((node) => {
    const all = by.get(node.asset) ?? [];
    const shown = all.filter((alert) => !isHidden(alert)).sort(byUrgency);
    const inDoubt = shown.filter((alert) => alert.unknown).length;
    return {
      asset: node.asset, node, alerts: shown, waiting: shown.filter(toAcknowledge).length, shelved: all.length - shown.length,
      unknown: Math.max(inDoubt, unknown.get(node.asset) ?? 0), prediction: said.get(node.asset) ?? null,
    };
  });
}

const worst = (alerts: Alert[]): number => alerts.reduce((least, alert) => Math.min(least, rank(alert.severity)), 9);

/** The fixed order: unacknowledged severity, open severity, unknown, end of life, longest silent, name. */
export function worstFirst(a: Row, b: Row): number {
  return (
    worst(a.alerts.filter(toAcknowledge)) - worst(b.alerts.filter(toAcknowledge)) ||
    worst(a.alerts) - worst(b.alerts) ||
    Number(b.unknown > 0) - Number(a.unknown > 0) ||
    (a.prediction?.p05 ?? Infinity) - (b.prediction?.p05 ?? Infinity) || nothing(a) - nothing(b) ||
    (a.node.last_time ?? "").localeCompare(b.node.last_time ?? "") ||
    a.asset.localeCompare(b.asset)
  );
}

/** Keeps the order total where both have no prediction: Infinity minus Infinity is no number. */
function nothing(row: Row): number {
  return row.prediction ? 0 : 1;
}

export interface Level {
  path: string;
  name: string;
  depth: number;
  assets: number;
  waiting: number;
  unknown: number;
  worst: Alert | null;
}

/** The levels above the assets, each with what stands worst below it. */
export function levels(all: Row[]): Level[] {
  const found = new Map<string, Level>();
  for (const row of all) {
    const parts = row.asset.split("/");
    for (let depth = 1; depth < parts.length; depth += 1) {
      const path = parts.slice(0, depth).join("/");
      const level = found.get(path) ?? { path, name: parts[depth - 1]!, depth: depth - 1, assets: 0, waiting: 0, unknown: 0, worst: null };
      level.assets += 1;
      level.waiting += row.waiting;
      level.unknown += row.unknown > 0 ? 1 : 0;
      const top = row.alerts[0];
      if (top && (!level.worst || byUrgency(top, level.worst) < 0)) level.worst = top;
      found.set(path, level);
    }
  }
  return [...found.values()].sort((a, b) => a.path.localeCompare(b.path));
}

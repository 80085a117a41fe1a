// The limits that rules compare signals with, read from the words of their conditions, to be drawn as lines.
// Only plain comparisons of a signal with a number are taken; anything else has no one line. Pure.

import { glob } from "./alerts";
import type { Rule } from "./types";

export interface Limit {
  value: number;
  name: string;
}

/** Whether a rule's text of assets, one pattern or several with `!` for exceptions, means an asset. */
export function watches(patterns: string, asset: string): boolean {
  const all = patterns.split(",").map((one) => one.trim().replace(/^\[|\]$/g, "").replace(/"/g, "")).filter(Boolean);
  const exact = (pattern: string) => (/[*?]/.test(pattern) ? glob(pattern)(asset) : pattern === asset);
  const out = all.filter((one) => one.startsWith("!")).some((one) => exact(one.slice(1)));
  return !out && all.filter((one) => !one.startsWith("!")).some(exact);
}

export function limitsOf(rules: Rule[], asset: string): Map<string, Limit[]> {
  const found = new Map<string, Limit[]>();
  for (const rule of rules.filter((one) => watches(one.assets, asset))) {
    // Behind the first semicolon stand the end of the condition and its times.
    const condition = rule.condition.split(";")[0] ?? "";
    for (const [, signal, sign, number] of condition.matchAll(/(?<![\w(.])([A-Za-z_]\w*) (>=?|<=?) (-?\d+(?:\.\d+)?)(?![\w.]| *[-+*/%])/g)) {
      if (!signal || !number) continue;
      const limits = found.get(signal) ?? [];
      limits.push({ value: Number(number), name: `${rule.name} ${sign} ${Number(number)}` });
      found.set(signal, limits);
    }
  }
  return found;
}

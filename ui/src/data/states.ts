// How severity and state look and what they are called: shape, digit, colour and word. Pure.

import type { Alert, AlertState, Severity } from "./types";

export const WORDS: Record<Severity, string> = { critical: "critical", major: "major", minor: "minor", warning: "warning" };
export const DIGITS: Record<Severity, number> = { critical: 1, major: 2, minor: 3, warning: 4 };
export const GLYPHS: Record<Severity, string> = { critical: "■", major: "▲", minor: "◆", warning: "●" };

export type Filling = "full" | "half" | "outline" | "dotted" | "clock" | "bar" | "struck";

/** State is the filling. */
export function filling(state: AlertState, withdrawn: boolean): Filling {
  if (withdrawn) return "struck";
  switch (state) {
    case "unacknowledged": return "full";
    case "returned": return "half";
    case "acknowledged": return "outline";
    case "pending": return "dotted";
    case "shelved": return "clock";
    case "suppressed":
    case "out-of-service": return "bar";
    case "normal": return "outline";
  }
}

const STATES: Record<AlertState, string> = {
  unacknowledged: "new",
  returned: "returned",
  acknowledged: "acknowledged",
  pending: "pending",
  shelved: "shelved",
  suppressed: "suppressed",
  "out-of-service": "out of service",
  normal: "over",
};

/** The word for a state; one in doubt says so first, as it must never look well. */
export function stateWord(alert: Pick<Alert, "state" | "unknown" | "withdrawn">): string {
  if (alert.withdrawn) return "withdrawn";
  const word = STATES[alert.state] ?? alert.state;
  return alert.unknown && alert.state !== "normal" ? `unknown (${word})` : word;
}

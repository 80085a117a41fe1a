// Severity is shape, digit, colour and word; state is the filling. Unknown is hatched, over any of these.

import { DIGITS, filling, stateWord, WORDS, type Filling } from "../data/states";
import type { Alert, Severity } from "../data/types";

const SHAPES: Record<Severity, { whole: string; half: string }> = {
  critical: { whole: "M3 3H17V17H3Z", half: "M3 10H17V17H3Z" },
  major: { whole: "M10 2L18.5 17.5H1.5Z", half: "M5.6 10H14.4L18.5 17.5H1.5Z" },
  minor: { whole: "M10 1L19 10L10 19L1 10Z", half: "M1 10H19L10 19Z" },
  warning: { whole: "M10 2A8 8 0 1 1 9.99 2Z", half: "M2 10H18A8 8 0 0 1 2 10Z" },
};

interface Props {
  severity: Severity;
  fill: Filling;
  unknown?: boolean;
  label: string;
  ring?: boolean;
}

export function Shape({ severity, fill, unknown, label, ring }: Props) {
  const shape = SHAPES[severity];
  const quiet = fill === "clock" || fill === "bar";
  return (
    <svg class={`mark ${quiet ? "quiet" : severity}${ring ? " ring" : ""}`} viewBox="0 0 20 20" role="img" aria-label={label}>
      <title>{label}</title>
      {fill === "full" && <path class="fill" d={shape.whole} />}
      {fill === "half" && <path class="fill" d={shape.half} />}
      {unknown && <path fill="url(#hatch)" d={shape.whole} />}
      <path class={fill === "dotted" ? "edge dotted" : "edge"} d={shape.whole} />
      {fill === "clock" && <path class="edge" d="M10 6V10.5L13 12.5" />}
      {fill === "bar" && <path class="edge" d="M6 10.5H14" />}
      {fill === "struck" && <path class="edge" d="M1 19L19 1" />}
    </svg>
  );
}

/** The mark of an alert, with its digit. */
export function Mark({ alert, ring }: { alert: Pick<Alert, "severity" | "state" | "unknown" | "withdrawn">; ring?: boolean }) {
  const label = `${DIGITS[alert.severity]} ${WORDS[alert.severity]}, ${stateWord(alert)}`;
  return (
    <span class="marked">
      <b class="digit" aria-hidden="true">{DIGITS[alert.severity]}</b>
      <Shape severity={alert.severity} fill={filling(alert.state, alert.withdrawn)} unknown={alert.unknown && alert.state !== "normal"} label={label} ring={ring} />
      {alert.unknown && alert.state !== "normal" && <b class="doubt" aria-hidden="true">?</b>}
    </span>
  );
}

/** The hatch that stands for unknown and for stale, defined once in the document. */
export function Sprite() {
  return (
    <svg width="0" height="0" class="sprite" aria-hidden="true">
      <defs>
        <pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <path class="hatch" d="M0 0V5" />
        </pattern>
      </defs>
    </svg>
  );
}

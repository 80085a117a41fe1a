// A plain plot of a query's answer: up to four lines, each with its own ink and dash.

import { useEffect, useRef } from "preact/hooks";
import type { Series } from "../data/sql";
import { themeRound, zone } from "../shell/settings";

export const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
export const INKS = ["--ink-a", "--ink-b", "--ink-c", "--ink-d"];

export function Plot({ series, time, label }: { series: Series[]; time: boolean; label: string }) {
  const host = useRef<HTMLDivElement>(null);
  const place = zone.value;
  const round = themeRound.value;
  useEffect(() => {
    let close: (() => void) | null = null;
    let left = false;
    void import("./draw").then(({ plotLines }) => {
      if (!left && host.current) close = plotLines(host.current, series, time, place);
    });
    return () => {
      left = true;
      close?.();
    };
  }, [series, time, place, round]);
  return (
    <>
      <div class="legend pad second">
        {series.map((one, at) => (
          <span key={one.name} class="marked">
            <svg width="28" height="8" aria-hidden="true"><path d="M0 4H28" stroke={`var(${INKS[at]})`} stroke-width="2" stroke-dasharray={DASHES[at]?.join(" ")} /></svg> {one.name}
          </span>
        ))}
      </div>
      <div ref={host} class="plot tall" role="img" aria-label={label} />
    </>
  );
}

// A prediction as words, as an interval, and by what moved it. A distribution is not made up from three numbers.

import { inDays, life, number } from "../data/format";
import { now } from "../data/live";
import type { Prediction } from "../data/types";
import { Age, When } from "./when";

/** p05–p95 as a line, p50 as a stroke, on a scale up to the cap. */
export function Interval({ of }: { of: Prediction }) {
  const x = (value: number) => 4 + (172 * Math.max(0, Math.min(value, of.cap))) / (of.cap || 1);
  return (
    <svg class="interval" viewBox="0 0 180 18" role="img" aria-label={life(of)}>
      <path class="base" d="M4 16.5H176" />
      <path class="range" d={`M${x(of.p05)} 9H${x(of.p95)}`} />
      <path class="range" d={`M${x(of.p05)} 4V14M${x(of.p95)} 4V14`} />
      <path class="mid" d={`M${x(of.p50)} 3V15`} />
    </svg>
  );
}

/** How often a model predicts the API does not tell; after two days nobody should act on it unseen. */
export function isOld(prediction: Prediction): boolean {
  return now.value - Date.parse(prediction.made) > 48 * 3_600_000;
}

export function Life({ of }: { of: Prediction }) {
  const most = Math.max(1e-9, ...of.contributions.map(({ weight }) => Math.abs(weight)));
  // One unit for all, that of the largest: hours beside days would be misread.
  const { value, unit } = inDays(most, of.unit);
  const shown = (weight: number) => `${weight < 0 ? "−" : "+"}${number((Math.abs(weight) * value) / most)} ${unit}`;
  return (
    <div class="pad">
      {of.out_of_distribution ? (
        <p class="doubt-text"><span class="old">Inputs unlike any in training: do not rely on this.</span> It says {life(of)}.</p>
      ) : (
        <>
          <div class="big">{life(of).split(" (")[0]}</div>
          <p>{of.at_cap ? "The model looks no further than that." : `(${life(of).split(" (")[1]}`}</p>
        </>
      )}
      <Interval of={of} />
      <p class="second">scale 0 to {number(inDays(of.cap, of.unit).value)} {inDays(of.cap, of.unit).unit}, the farthest it predicts</p>
      <h3>Moved by</h3>
      {of.contributions.slice(0, 5).map(({ signal, weight }) => (
        <div key={signal} class="weight">
          <span>{signal}</span><span class="number">{shown(weight)}</span>
          <svg viewBox="0 0 100 8" preserveAspectRatio="none" height="8" width="100%" aria-hidden="true">
            <rect width={(100 * Math.abs(weight)) / most} height="8" fill={weight < 0 ? "var(--ink)" : "var(--prediction)"} />
          </svg>
        </div>
      ))}
      <p class="second">− brings failure closer, + puts it off.</p>
      <p class={isOld(of) ? "doubt-text" : "second"}>
        {isOld(of) && "old: "}made <When at={of.made} />, from data <Age of={of.time} /> old; {of.model} <code>{of.version}</code>. Life began <When at={of.life_started} />.
      </p>
    </div>
  );
}

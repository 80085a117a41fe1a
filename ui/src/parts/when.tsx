// Times and ages, by the server's clock and in the zone of the screen.

import { age, full, time } from "../data/format";
import { now } from "../data/live";
import { zone } from "../shell/settings";

export function When({ at }: { at: string | null | undefined }) {
  if (!at) return <>–</>;
  return <time dateTime={at} title={full(at, zone.value)}>{time(at, now.value, zone.value)}</time>;
}

export function Age({ of }: { of: string | null | undefined }) {
  if (!of) return <>–</>;
  return <span title={full(of, zone.value)}>{age(of, now.value)}</span>;
}

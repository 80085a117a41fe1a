// What all pages share and what is live: contact with the server, its clock, and the alerts. One stream, one
// poll of the clock; pages read the signals and fetch nothing of this themselves.

import { computed, signal } from "@preact/signals";
import { act, ApiProblem, get, query, watchers } from "./api";
import { counts, dropMissing, forget, merge, type Action } from "./alerts";
import { Stream } from "./stream";
import type { Alert, Present } from "./types";

/** Nothing heard for this long: what is on the screen is of then. The clock is asked every few seconds. */
export const LOST_AFTER_MS = 12_000;
const ASK_EVERY_MS = 4_000;
const PAGE = 1_000;
const MOST_PAGES = 5;
const MOST_ENDED = 500;

export type Contact = "starting" | "live" | "lost" | "sign-in";

export const contact = signal<Contact>("starting");
export const present = signal<Present | null>(null);
/** When the server was heard last, on the browser's steady clock. */
export const heardAt = signal(0);
export const streaming = signal(false);
/** What the server's clock shows by now, in ms; moves once a second. */
export const now = signal(Date.now());
export const alerts = signal<ReadonlyMap<string, Alert>>(new Map());
export const alertsLoaded = signal(false);
/** There are more open alerts than the console holds. */
export const alertsCut = signal(false);
export const alertsProblem = signal<ApiProblem | null>(null);
export const tally = computed(() => counts(alerts.value.values()));
/** Ids that came while this page was open, for "new" marks. */
export const justCame = signal<ReadonlySet<string>>(new Set());

const known = new Map<string, Alert>();
let stream: Stream | null = null;
let rate = 1;
let base = { server: Date.now(), at: performance.now() };
let queued = false;

/** Many events in one frame are one change on the screen. */
function publish(): void {
  if (queued) return;
  queued = true;
  setTimeout(() => {
    queued = false;
    forget(known, MOST_ENDED);
    alerts.value = new Map(known);
  }, 50);
}

function tick(): void {
  const passed = performance.now() - base.at;
  const silent = performance.now() - heardAt.value;
  if (contact.value === "live" && silent > LOST_AFTER_MS) contact.value = "lost";
  // A simulated clock is shown as it was heard; a real one goes on between two answers.
  if (contact.value === "live" && rate > 0.9 && rate < 1.1) now.value = base.server + passed;
}

function takeClock(view: Present): void {
  const at = performance.now();
  const server = Date.parse(view.now);
  if (present.value && at - base.at > 500) rate = (server - base.server) / (at - base.at);
  base = { server, at };
  now.value = server;
  const other = present.value !== null && (present.value.log !== view.log || view.end < present.value.end);
  present.value = view;
  if (other) void restart();
}

async function askClock(): Promise<void> {
  try {
    const view = await get<Present>("/v1/console", { within: 5_000 });
    takeClock(view);
    if (contact.value !== "live") {
      contact.value = "live";
      if (stream) stream.again();
      if (!alertsLoaded.value || alertsProblem.value) void loadAlerts();
    }
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 401) contact.value = "sign-in";
  }
}

/** Open, take the place in the log, open the stream behind it, then fetch lists, then merge by offset. */
async function restart(): Promise<void> {
  known.clear();
  publish();
  stream?.close();
  stream = null;
  alertsLoaded.value = false;
  await begin();
}

async function begin(): Promise<void> {
  const view = present.value;
  if (!view) return;
  stream = new Stream("/v1/alerts/stream", view.end - 1, {
    open: (url) => new EventSource(url),
    later: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    random: Math.random,
  }, {
    event: (value) => {
      heard();
      const alert = value as Alert;
      if (!known.has(alert.id)) justCame.value = new Set([...justCame.value, alert.id].slice(-200));
      if (merge(known, [alert])) publish();
    },
    gap: () => void loadAlerts(),
    state: (open) => {
      streaming.value = open;
    },
  });
  await loadAlerts();
}

export async function loadAlerts(): Promise<void> {
  const end = present.value?.end ?? 0;
  try {
    const listed: Alert[] = [];
    let cut = false;
    for (const state of ["open", "pending"]) {
      let cursor: string | null = null;
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const answer: { alerts: Alert[]; next: string | null } =
          await get(`/v1/alerts${query({ state, limit: PAGE, cursor })}`);
        listed.push(...answer.alerts);
        cursor = answer.next;
        if (!cursor) break;
      }
      cut ||= cursor !== null;
    }
    if (!cut) dropMissing(known, listed, end);
    merge(known, listed);
    alertsCut.value = cut;
    alertsProblem.value = null;
    alertsLoaded.value = true;
    publish();
  } catch (error) {
    if (error instanceof ApiProblem) alertsProblem.value = error;
  }
}

function heard(): void {
  heardAt.value = performance.now();
}

/** Does an operator's action. It is done when the server says that it is durable, not before. */
export async function operate(alert: Alert, action: Action, body: Record<string, unknown>): Promise<number> {
  const { status, value } = await act<Alert>(`/v1/alerts/${alert.id}/${action}`, body);
  if (value && merge(known, [value])) publish();
  return status;
}

/** One action on many; those that were skipped, with the reason. What was done comes by the stream. */
export async function operateMany(chosen: Alert[], action: Action, body: Record<string, unknown>): Promise<{ id: string; why: string }[]> {
  const ids = chosen.map((alert) => alert.id);
  const { value } = await act<{ done: number; skipped: { id: string; why: string }[] }>("/v1/alerts/actions", { ...body, ids, action });
  return value?.skipped ?? [];
}

export function start(): void {
  watchers.heard = heard;
  watchers.refused = () => {
    contact.value = "sign-in";
  };
  const again = async () => {
    await askClock();
    if (present.value && !stream) void begin();
    setTimeout(again, document.hidden ? 4 * ASK_EVERY_MS : ASK_EVERY_MS);
  };
  void again();
  setInterval(tick, 1_000);
  // Back from sleep: at once, and until then the age of what is shown counts on.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) void askClock().then(() => stream?.again());
  });
}

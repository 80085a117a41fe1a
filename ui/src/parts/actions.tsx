// What an operator does with alerts: acknowledge at once; shelve with an end and a reason; comment. Rows that
// cannot take an action are counted and skipped.

import { useState } from "preact/hooks";
import { allows, type Action } from "../data/alerts";
import { ApiProblem } from "../data/api";
import { operate } from "../data/live";
import { stateWord } from "../data/states";
import type { Alert } from "../data/types";
import { actor } from "../shell/person";
import { Dialog } from "./dialog";
import { say } from "./toast";

export const NAMES: Record<Action, { name: string; key: string; done: string }> = {
  acknowledge: { name: "Acknowledge", key: "a", done: "acknowledged" },
  shelve: { name: "Shelve …", key: "s", done: "shelved" },
  unshelve: { name: "Unshelve", key: "u", done: "unshelved" },
  comment: { name: "Comment …", key: "c", done: "commented" },
};

/** More rows than this take a confirmation. */
export const CONFIRM_OVER = 10;

export interface Outcome {
  done: Alert[];
  later: number;
  skipped: { alert: Alert; why: string }[];
}

/** One after the other, in the order shown; nothing counts as done before the server has said so. */
export async function perform(
  alerts: Alert[], action: Action, body: Record<string, unknown>,
  send: (alert: Alert, action: Action, body: Record<string, unknown>) => Promise<number> = operate,
): Promise<Outcome> {
  const outcome: Outcome = { done: [], later: 0, skipped: [] };
  for (const alert of alerts) {
    if (!allows(alert.state, action)) {
      outcome.skipped.push({ alert, why: `it is ${stateWord(alert)}` });
      continue;
    }
    try {
      const status = await send(alert, action, body);
      outcome.done.push(alert);
      if (status === 202) outcome.later += 1;
    } catch (error) {
      const why = error instanceof ApiProblem ? error.detail : String(error);
      outcome.skipped.push({ alert, why });
      // Without contact, or without the right, the others fare no better.
      if (error instanceof ApiProblem && (error.noContact || error.status === 401 || error.status === 403)) {
        outcome.skipped.push(...alerts.slice(alerts.indexOf(alert) + 1).map((one) => ({ alert: one, why: "not tried" })));
        break;
      }
    }
  }
  return outcome;
}

function report(outcome: Outcome, action: Action, undo?: () => void): void {
  const { done, later, skipped } = outcome;
  const { done: word } = NAMES[action];
  const first = done[0];
  if (done.length > 0) {
    const what = done.length === 1 && first ? `${first.asset} ${first.rule}` : `${done.length} alerts`;
    say(later > 0 ? `${what}: recorded, takes effect soon` : `${what} ${word}`, undo ? { undo } : {});
  }
  if (skipped.length > 0) {
    const why = [...new Set(skipped.map((one) => one.why))].slice(0, 3).join("; ");
    say(skipped.length === 1 ? `${skipped[0]!.alert.asset} ${skipped[0]!.alert.rule} not ${word}: ${why}` : `${skipped.length} not ${word}: ${why}`, { bad: true });
  }
}

/** Does an action that needs no more words; asks who acts first, if nobody has said. */
export async function simply(alerts: Alert[], action: "acknowledge" | "unshelve"): Promise<Outcome | null> {
  const who = actor();
  if (!who) return null;
  const outcome = await perform(alerts, action, who);
  report(outcome, action);
  return outcome;
}

const ENDS: [string, string][] = [["30m", "30 min"], ["2h", "2 h"], ["8h", "8 h (a shift)"], ["24h", "24 h"], ["7d", "7 days"], ["31d", "31 days, the most"]];
const REASONS: [string, string][] = [["maintenance", "maintenance: the machine is being worked on"], ["nuisance", "nuisance: it should not have been raised"], ["true", "true: it is right, and being dealt with"]];

export function ShelveDialog({ alerts, close, done }: { alerts: Alert[]; close: () => void; done: () => void }) {
  const [duration, setDuration] = useState("2h");
  const [reason, setReason] = useState("maintenance");
  const [comment, setComment] = useState("");
  const [busy, setBusy] = useState(false);
  const able = alerts.filter((alert) => allows(alert.state, "shelve"));
  const submit = async (event: Event) => {
    event.preventDefault();
    const who = actor();
    if (!who) return;
    setBusy(true);
    const outcome = await perform(alerts, "shelve", { ...who, duration, reason, comment: comment || undefined });
    setBusy(false);
    report(outcome, "shelve", outcome.done.length ? () => void undo(outcome.done) : undefined);
    close();
    done();
  };
  const undo = async (shelved: Alert[]) => {
    const who = actor();
    if (!who) return;
    const outcome: Outcome = { done: [], later: 0, skipped: [] };
    for (const alert of shelved) {
      try {
        await operate(alert, "unshelve", who);
        outcome.done.push(alert);
      } catch (error) {
        outcome.skipped.push({ alert, why: error instanceof Error ? error.message : String(error) });
      }
    }
    report(outcome, "unshelve");
  };
  return (
    <Dialog title={`Shelve ${many(able)}`} close={close}>
      <form onSubmit={(event) => void submit(event)} class="dialog">
        <Skipped alerts={alerts} able={able} />
        <label class="field">For how long
          <select value={duration} onChange={(event) => setDuration(event.currentTarget.value)}>
            {ENDS.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
          </select>
        </label>
        <label class="field">Why
          <select value={reason} onChange={(event) => setReason(event.currentTarget.value)}>
            {REASONS.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
          </select>
        </label>
        <label class="field">Remark
          <textarea rows={2} maxLength={1000} value={comment} onInput={(event) => setComment(event.currentTarget.value)} />
        </label>
        <p class="second">What is shelved goes on being recorded, and comes back by itself at the end.</p>
        <div class="row"><button class="main" type="submit" disabled={busy || able.length === 0}>Shelve {able.length > 1 ? able.length : ""}</button><button type="button" onClick={close}>Cancel</button></div>
      </form>
    </Dialog>
  );
}

export function CommentDialog({ alerts, close, done }: { alerts: Alert[]; close: () => void; done: () => void }) {
  const [comment, setComment] = useState("");
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    const who = actor();
    if (!who) return;
    setBusy(true);
    report(await perform(alerts, "comment", { ...who, comment, reason: reason || undefined }), "comment");
    setBusy(false);
    close();
    done();
  };
  return (
    <Dialog title={`Comment on ${many(alerts)}`} close={close}>
      <form onSubmit={(event) => void submit(event)} class="dialog">
        <label class="field">Comment
          <textarea rows={3} maxLength={1000} required autoFocus value={comment} onInput={(event) => setComment(event.currentTarget.value)} />
        </label>
        <label class="field">Was the alert right?
          <select value={reason} onChange={(event) => setReason(event.currentTarget.value)}>
            <option value="">not said</option>
            {REASONS.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
          </select>
        </label>
        <div class="row"><button class="main" type="submit" disabled={busy || !comment.trim()}>Comment</button><button type="button" onClick={close}>Cancel</button></div>
      </form>
    </Dialog>
  );
}

export function ConfirmDialog({ alerts, close, done }: { alerts: Alert[]; close: () => void; done: () => void }) {
  const able = alerts.filter((alert) => allows(alert.state, "acknowledge"));
  const yes = async () => {
    close();
    if (await simply(alerts, "acknowledge")) done();
  };
  return (
    <Dialog title={`Acknowledge ${many(able)}?`} close={close}>
      <p>You say with this that you have read {able.length} alerts and deal with them.</p>
      <Skipped alerts={alerts} able={able} />
      <ul class="history">{able.slice(0, 50).map((alert) => <li key={alert.id}>{alert.asset} {alert.rule}</li>)}</ul>
      {able.length > 50 && <p class="second">and {able.length - 50} more</p>}
      <div class="row"><button class="main" type="button" onClick={() => void yes()}>Acknowledge {able.length}</button><button type="button" onClick={close}>Cancel</button></div>
    </Dialog>
  );
}

function Skipped({ alerts, able }: { alerts: Alert[]; able: Alert[] }) {
  const left = alerts.length - able.length;
  return left > 0 ? <p class="second">{left} of the {alerts.length} selected cannot take this in their state and are skipped.</p> : null;
}

function many(alerts: Alert[]): string {
  const first = alerts[0];
  return alerts.length === 1 && first ? `${first.asset} ${first.rule}` : `${alerts.length} alerts`;
}

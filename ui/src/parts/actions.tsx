// What an operator does with alerts: acknowledge at once; shelve with an end and a reason; comment. Rows that
// cannot take an action are counted and skipped.

import { useState } from "preact/hooks";
import { allows, type Action } from "../data/alerts";
import { ApiProblem } from "../data/api";
import { operate, operateMany } from "../data/live";
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

/** What one request may hold. */
const MOST_AT_ONCE = 1_000;

export interface Outcome {
  done: Alert[];
  later: number;
  skipped: { alert: Alert; why: string }[];
}

export interface Senders {
  one(alert: Alert, action: Action, body: Record<string, unknown>): Promise<number>;
  many(alerts: Alert[], action: Action, body: Record<string, unknown>): Promise<{ id: string; why: string }[]>;
}

/** Nothing counts as done before the server has said so; what cannot take the action is skipped, with the reason. */
export async function perform(
  alerts: Alert[], action: Action, body: Record<string, unknown>, send: Senders = { one: operate, many: operateMany },
): Promise<Outcome> {
  const outcome: Outcome = { done: [], later: 0, skipped: [] };
  const able: Alert[] = [];
  for (const alert of alerts) {
    if (allows(alert.state, action)) able.push(alert);
    else outcome.skipped.push({ alert, why: `it is ${stateWord(alert)}` });
  }
  const refused = (error: unknown) => (error instanceof ApiProblem ? error.detail : String(error));
  for (let at = 0; at < able.length; at += MOST_AT_ONCE) {
    const part = able.slice(at, at + MOST_AT_ONCE);
    try {
      if (part.length === 1) {
        const status = await send.one(part[0]!, action, body);
        outcome.later += status === 202 ? 1 : 0;
        outcome.done.push(part[0]!);
        continue;
      }
      const skipped = new Map((await send.many(part, action, body)).map(({ id, why }) => [id, why]));
      for (const alert of part) {
        const why = skipped.get(alert.id);
        if (why === undefined) outcome.done.push(alert);
        else outcome.skipped.push({ alert, why });
      }
    } catch (error) {
      outcome.skipped.push(...able.slice(at).map((alert) => ({ alert, why: refused(error) })));
      break;
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
    const fresh = shelved.map((alert) => ({ ...alert, state: "shelved" as const }));
    const outcome = await perform(fresh, "unshelve", who);
    report(outcome, "unshelve");
  };
  return (
    <Dialog title={`Shelve ${many(able)}`} close={close}>
      <form onSubmit={(event) => void submit(event)} class="dialog">
        <Skipped alerts={alerts} able={able} />
        <label class="field">For how long
          <select autoFocus value={duration} onChange={(event) => setDuration(event.currentTarget.value)}>
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

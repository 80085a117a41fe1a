// One alert: what the rule saw, what to do, every transition with person and words.

import { useState } from "preact/hooks";
import { allows, type Action } from "../data/alerts";
import { get } from "../data/api";
import { alerts, contact } from "../data/live";
import { useAsk } from "../data/poll";
import { number } from "../data/format";
import { stateWord, WORDS } from "../data/states";
import type { Alert, AlertDetail } from "../data/types";
import { CommentDialog, NAMES, ShelveDialog, simply } from "../parts/actions";
import { Mark } from "../parts/mark";
import { Panel } from "../parts/panel";
import { Age, When } from "../parts/when";
import { go, link } from "../shell/router";
import { may } from "../shell/settings";

export function AlertPanel({ id }: { id: string }) {
  const live = alerts.value.get(id);
  // Each new transition is a reason to ask for the history again.
  const ask = useAsk(`alert ${id} ${live?.offset ?? 0}`, (signal) => get<AlertDetail>(`/v1/alerts/${encodeURIComponent(id)}`, { signal }), 0);
  const [kept, keep] = useState<AlertDetail | null>(null);
  if (ask.data && ask.data !== kept) keep(ask.data);
  const detail = ask.data ?? (kept?.id === id ? kept : null);
  const alert: Alert | null = live ?? detail;
  const [dialog, setDialog] = useState<Action | null>(null);
  const close = () => go(link("alerts") + location.search);
  const tools = (
    <>
      {alert && (Object.keys(NAMES) as Action[]).filter((action) => allows(alert.state, action)).map((action) => (
        <button key={action} type="button" class={action === "acknowledge" ? "main" : ""} disabled={contact.value !== "live" || !may("operator")}
          onClick={() => (action === "shelve" || action === "comment" ? setDialog(action) : void simply([alert], action))}>
          {NAMES[action].name}
        </button>
      ))}
      <button type="button" class="plain" aria-label="close" onClick={close}>×</button>
    </>
  );
  const title = alert ? <span class="marked"><Mark alert={alert} /> {alert.rule} on <a href={link("assets", alert.asset)}>{alert.asset}</a></span> : "Alert";
  return (
    <Panel title={title} tools={tools} problem={ask.problem} loading={ask.loading} there={alert !== null} again={ask.again}>
      {alert && <Evidence alert={alert} detail={detail} />}
      {alert && dialog === "shelve" && <ShelveDialog alerts={[alert]} close={() => setDialog(null)} done={() => {}} />}
      {alert && dialog === "comment" && <CommentDialog alerts={[alert]} close={() => setDialog(null)} done={() => {}} />}
    </Panel>
  );
}

function Evidence({ alert, detail }: { alert: Alert; detail: AlertDetail | null }) {
  const { evidence } = alert;
  return (
    <div class="columns pad">
      <div>
        <dl class="facts">
          <dt>state</dt><dd>{WORDS[alert.severity]}, {stateWord(alert)}{alert.unknown && ": inputs are missing or bad, so nobody can say that it is over"}</dd>
          <dt>what</dt><dd>{alert.message}</dd>
          {alert.action && <><dt>what to do</dt><dd><b>{alert.action}</b></dd></>}
          {alert.consequence && <><dt>else</dt><dd>{alert.consequence}</dd></>}
          <dt>began</dt><dd><When at={alert.started} /> (<Age of={alert.started} /> ago){alert.ended && <>; ended <When at={alert.ended} /></>}</dd>
          {alert.acknowledged_by && <><dt>acknowledged by</dt><dd>{alert.acknowledged_by}</dd></>}
          {alert.shelved_until && <><dt>shelved until</dt><dd><When at={alert.shelved_until} /></dd></>}
          <dt>seen from – to</dt><dd><When at={evidence.from} /> – <When at={evidence.to} /></dd>
          <dt>rule</dt><dd><a href={link("rules", alert.rule)}>{alert.rule}</a>, version <code>{evidence.rule_version}</code></dd>
        </dl>
        <div class="scroll">
          <table>
            <thead><tr><th>signal</th><th class="number">value</th><th>at</th></tr></thead>
            <tbody>
              {evidence.values.map((value) => (
                <tr key={value.signal + value.time}><td><a href={link("assets", alert.asset)}>{value.signal}</a></td><td class="number">{number(value.value)}</td><td><When at={value.time} /></td></tr>
              ))}
            </tbody>
          </table>
        </div>
      </div>
      <div>
        <h3>What happened to it</h3>
        {detail && (
          <ol class="history long" tabIndex={0} aria-label="transitions, newest first">
            {[...detail.transitions].reverse().map((step) => (
              <li key={step.offset} class={step.transition === "withdrawn" ? "struck" : ""}>
                <When at={step.time} /> <b>{step.transition}</b>{step.actor && <> by {step.actor}</>}
                {step.comment && <div>“{step.comment}”</div>}
                {step.message && !step.comment && <div class="second">{step.message}</div>}
              </li>
            ))}
          </ol>
        )}
        {detail && detail.transitions_left_out > 0 && <p class="second">{detail.transitions_left_out} transitions between the first and these are left out; the table alert_events has all.</p>}
      </div>
    </div>
  );
}

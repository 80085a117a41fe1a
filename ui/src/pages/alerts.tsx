// Alerts: take one, and say so. The list is live, does not move under a hand, and shows unknown as unknown.

import { useEffect, useRef, useState } from "preact/hooks";
import {
  byReturn, byUrgency, fold, held, matches, SEVERITIES, since, under, type Action, type Filter, type Tab,
} from "../data/alerts";
import { get, query } from "../data/api";
import { alerts, alertsCut, alertsLoaded, alertsProblem, contact, justCame, loadAlerts, now, tally } from "../data/live";
import { useAsk } from "../data/poll";
import { DIGITS, stateWord, WORDS } from "../data/states";
import { duration } from "../data/format";
import type { Alert, Severity } from "../data/types";
import { CommentDialog, CONFIRM_OVER, ConfirmDialog, NAMES, ShelveDialog, simply } from "../parts/actions";
import { Mark, Shape } from "../parts/mark";
import { Empty, Panel } from "../parts/panel";
import { Age, When } from "../parts/when";
import { pageKeys } from "../shell/keys";
import { may } from "../shell/settings";
import { go, link, place, setParams } from "../shell/router";
import { AlertPanel } from "./alert";

const TABS: [Tab, string][] = [
  ["acknowledge", "To acknowledge"], ["open", "Open"], ["shelved", "Shelved"], ["unknown", "Unknown"], ["pending", "Pending"], ["history", "History"],
];
const ROWS = 200;

function filterOf(params: URLSearchParams): Filter {
  const severities = (params.get("severity") ?? "").split(",").filter((one): one is Severity => SEVERITIES.includes(one as Severity));
  return { severities, asset: params.get("asset") ?? "", rule: params.get("rule") ?? "", text: params.get("text") ?? "" };
}

export function AlertsPage({ rest }: { rest: string }) {
  const { params } = place.value;
  const tab = (TABS.find(([one]) => one === params.get("tab"))?.[0] ?? "open") as Tab;
  const filter = filterOf(params);
  const live = [...alerts.value.values()].filter((alert) => under(tab, alert)).filter(matches(filter));
  live.sort(tab === "shelved" ? byReturn : byUrgency);
  return (
    <>
      <div class="head">
        <h1>Alerts</h1>
        <div class="tabs" role="tablist" aria-label="which alerts">
          {TABS.map(([one, name]) => {
            const number = tally.value.tabs[one];
            if (one === "pending" && number === 0 && tab !== "pending") return null;
            return (
              <button key={one} type="button" role="tab" aria-selected={one === tab} onClick={() => setParams({ tab: one, group: params.get("group") })}>
                {name}{one !== "history" && alertsLoaded.value ? ` ${number}` : ""}
              </button>
            );
          })}
        </div>
      </div>
      <Filters filter={filter} group={params.get("group") ?? ""} />
      {rest && <AlertPanel id={rest} />}
      {tab === "history" ? <Past filter={filter} /> : <List key={tab} rows={live} tab={tab} filter={filter} open={rest} />}
    </>
  );
}

function Filters({ filter, group }: { filter: Filter; group: string }) {
  const toggle = (severity: Severity) => {
    const chosen = new Set(filter.severities);
    if (!chosen.delete(severity)) chosen.add(severity);
    setParams({ severity: SEVERITIES.filter((one) => chosen.has(one)).join(",") });
  };
  const field = (key: "asset" | "rule" | "text", label: string, hint: string) => (
    <label class="field">{label}
      <input value={filter[key]} placeholder={hint} onInput={(event) => setParams({ [key]: event.currentTarget.value }, true)} />
    </label>
  );
  const set = filter.severities.length > 0 || filter.asset !== "" || filter.rule !== "" || filter.text !== "" || group !== "";
  return (
    <div class="filters">
      <div class="sevs" role="group" aria-label="severity">
        {SEVERITIES.map((severity) => (
          <button key={severity} type="button" aria-pressed={filter.severities.includes(severity)} onClick={() => toggle(severity)} title={`only ${WORDS[severity]} (${DIGITS[severity]})`}>
            {DIGITS[severity]} <Shape severity={severity} fill="full" label={WORDS[severity]} />
          </button>
        ))}
      </div>
      <details class="more" open={!!set || innerWidth > 720}>
        <summary>▾ Filters</summary>
        <div class="filters">
          {field("asset", "asset", "plant1/**")}
          {field("rule", "rule", "exact name")}
          {field("text", "text", "any words")}
      <label class="field">grouped by
        <select value={group} onChange={(event) => setParams({ group: event.currentTarget.value })}>
          <option value="">nothing</option>
          <option value="asset">asset</option>
          <option value="rule">rule</option>
        </select>
      </label>
        </div>
      </details>
      {set && <button type="button" onClick={() => setParams({ severity: null, asset: null, rule: null, text: null, group: null })}>All</button>}
    </div>
  );
}

interface ListProps {
  rows: Alert[];
  tab: Tab;
  filter: Filter;
  open: string;
}

function List({ rows, tab, filter, open }: ListProps) {
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const [here, setHere] = useState("");
  const [frozen, freeze] = useState<string[] | null>(null);
  const [byKey, holdByKey] = useState(false);
  const [shown, show] = useState(ROWS);
  const [dialog, setDialog] = useState<Action | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const group = (place.value.params.get("group") ?? "") as "asset" | "rule" | "";
  const [unfolded, unfold] = useState<ReadonlySet<string>>(new Set());

  const ids = rows.map((alert) => alert.id);
  const hold = () => freeze((old) => old ?? ids);
  const release = () => {
    if (!byKey && chosen.size === 0 && !box.current?.contains(document.activeElement)) freeze(null);
  };
  const renew = () => {
    freeze(byKey || chosen.size > 0 ? ids : null);
    box.current?.scrollTo(0, 0);
  };
  const filterKey = JSON.stringify(filter);
  useEffect(() => freeze(byKey ? ids : null), [filterKey, group]);

  const { order, newer } = frozen ? held(frozen, rows) : { order: ids, newer: 0 };
  const visible = order.slice(0, shown).map((id) => alerts.value.get(id)).filter((alert): alert is Alert => !!alert);
  const all = order.map((id) => alerts.value.get(id)).filter((alert): alert is Alert => !!alert);
  const selected = all.filter((alert) => chosen.has(alert.id));
  const targets = selected.length > 0 ? selected : all.filter((alert) => alert.id === here);
  const done = () => {
    choose(new Set());
    if (!byKey) freeze(null);
  };
  const run = async (action: Action, on: Alert[] = targets) => {
    if (on.length === 0 || contact.value !== "live" || !may("operator")) return;
    if (action === "shelve" || action === "comment" || (action === "acknowledge" && on.length > CONFIRM_OVER)) setDialog(action);
    else if (await simply(on, action)) done();
  };
  const toggle = (id: string) => {
    hold();
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    choose(next);
    setHere(id);
  };
  const move = (by: number) => {
    const at = visible.findIndex((alert) => alert.id === here);
    const next = visible[Math.min(visible.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    if (!next) return;
    hold();
    setHere(next.id);
    box.current?.querySelector(`[data-id="${next.id}"]`)?.scrollIntoView({ block: "nearest" });
  };
  useEffect(() => {
    pageKeys.handle = (event) => {
      const action = (Object.keys(NAMES) as Action[]).find((one) => NAMES[one].key === event.key);
      const severity = SEVERITIES[Number(event.key) - 1];
      if (action) void run(action);
      else if (severity) setParams({ severity: filter.severities.join() === severity ? null : severity });
      else if (event.key === "j" || event.key === "ArrowDown") move(1);
      else if (event.key === "k" || event.key === "ArrowUp") move(-1);
      else if ((event.key === "x" || event.key === " ") && here && !(event.target as Element).closest("button, a, input")) toggle(here);
      else if (event.key === "Enter" && here && !(event.target as Element).closest("button, a")) go(link("alerts", here) + location.search);
      else if (event.key === "n") renew();
      else if (event.key === "f") {
        if (!byKey) hold();
        else freeze(null);
        holdByKey(!byKey);
      } else if (event.key === "Escape") {
        if (open) go(link("alerts") + location.search);
        else if (chosen.size > 0) done();
        else if (here) setHere("");
        else return false;
      } else return false;
      return true;
    };
    return () => {
      pageKeys.handle = null;
    };
  });

  const folded = fold(visible, group);
  const newerText = `${newer} newer: show (n)`;
  return (
    <>
      <Panel problem={alertsProblem.value} again={() => void loadAlerts()} there={alertsLoaded.value}>
        {alertsCut.value && <p class="pad">There are more open alerts than the console holds: the newest 5,000 are here. A filter by asset in <a href={link("explore", "", { q: "SELECT asset, count(*) AS n FROM alert_events GROUP BY asset ORDER BY n DESC LIMIT 20" })}>Explore</a> shows where they come from.</p>}
        {byKey && <p class="pad"><b>The list is held</b> by the key f; press it again to let it go.</p>}
        {newer > 0 && <button type="button" class="newer" onClick={renew}>{newerText}</button>}
        {visible.length === 0 ? <Nothing tab={tab} filtered={filterKey !== JSON.stringify({ severities: [], asset: "", rule: "", text: "" })} /> : (
          <div class="scroll" ref={box} onPointerEnter={(event) => event.pointerType === "mouse" && hold()} onPointerLeave={release}
            onFocusIn={hold} onFocusOut={() => setTimeout(release, 0)}>
            <table class="cards alerts">
              <thead>
                <tr>
                  <th><span class="visually-hidden">select</span></th><th>!</th><th>state</th><th>{tab === "shelved" ? "comes back" : "since"}</th>
                  <th>asset</th><th>what</th><th>what to do</th><th>who</th>
                </tr>
              </thead>
              <tbody>
                {folded.map(({ key, alerts: members }) => {
                  if (group && members.length > 1 && !unfolded.has(key)) {
                    return <GroupRow key={key} name={key} members={members} open={() => unfold(new Set([...unfolded, key]))} />;
                  }
                  return members.map((alert) => (
                    <Row key={alert.id} alert={alert} tab={tab} here={here === alert.id} chosen={chosen.has(alert.id)} gone={!under(tab, alert)} toggle={() => toggle(alert.id)} />
                  ));
                })}
              </tbody>
            </table>
          </div>
        )}
        {order.length > shown && <button type="button" class="newer" onClick={() => show(shown + ROWS)}>{order.length - shown} more: show {Math.min(ROWS, order.length - shown)}</button>}
      </Panel>
      {targets.length > 0 && <ActionBar selected={selected} targets={targets} run={(action) => void run(action)} clear={() => { done(); setHere(""); }} />}
      {dialog === "shelve" && <ShelveDialog alerts={targets} close={() => setDialog(null)} done={done} />}
      {dialog === "comment" && <CommentDialog alerts={targets} close={() => setDialog(null)} done={done} />}
      {dialog === "acknowledge" && <ConfirmDialog alerts={targets} close={() => setDialog(null)} done={done} />}
    </>
  );
}

function Row({ alert, tab, here, chosen, gone, toggle }: { alert: Alert; tab: Tab; here: boolean; chosen: boolean; gone: boolean; toggle: () => void }) {
  const onset = since(alert);
  const classes = `${here ? "here " : ""}${chosen ? "chosen " : ""}${gone ? "gone" : ""}`;
  return (
    <tr class={classes} data-id={alert.id} onClick={(event) => { if (!(event.target as Element).closest("a, input, button")) toggle(); }}>
      <td class="inline"><input type="checkbox" checked={chosen} aria-label={`select ${alert.rule} on ${alert.asset}`} onChange={toggle} /></td>
      <td class="inline"><Mark alert={alert} ring={justCame.value.has(alert.id) && alert.state === "unacknowledged"} /></td>
      <td class="nowrap inline">{stateWord(alert)}</td>
      <td class="nowrap inline">{tab === "shelved"
        ? (alert.shelved_until ? <><When at={alert.shelved_until} /> (in {duration(Date.parse(alert.shelved_until) - now.value)})</> : "when the cause is gone")
        : <><When at={onset} /> (<Age of={onset} />)</>}</td>
      <td><a class="path" href={link("assets", alert.asset)}>{alert.asset}</a></td>
      <td class="what"><a href={link("alerts", alert.id) + location.search}>{alert.rule}</a>: {alert.message}</td>
      <td class="todo">{alert.action}{alert.consequence && <div class="second">else: {alert.consequence}</div>}</td>
      <td>{alert.acknowledged_by}</td>
    </tr>
  );
}

function GroupRow({ name, members, open }: { name: string; members: Alert[]; open: () => void }) {
  const worst = [...members].sort(byUrgency)[0]!;
  return (
    <tr>
      <td class="inline" />
      <td class="inline"><Mark alert={worst} /></td>
      <td class="nowrap inline">{members.length} alerts</td>
      <td class="nowrap inline"><When at={since(worst)} /></td>
      <td colSpan={4}><button type="button" onClick={open}>{name}: show {members.length}</button> <span class="second">worst: {worst.rule} on {worst.asset}</span></td>
    </tr>
  );
}

function ActionBar({ selected, targets, run, clear }: { selected: Alert[]; targets: Alert[]; run: (action: Action) => void; clear: () => void }) {
  const lost = contact.value !== "live";
  const off = lost || !may("operator");
  const parts = SEVERITIES.map((severity) => [targets.filter((alert) => alert.severity === severity).length, WORDS[severity]] as const).filter(([number]) => number > 0);
  return (
    <div class="actions" role="toolbar" aria-label="actions">
      <span>{selected.length > 0 ? `${selected.length} selected` : "this row"}: {parts.map(([number, word]) => `${number} ${word}`).join(", ")}</span>
      {(Object.keys(NAMES) as Action[]).map((action) => (
        <button key={action} type="button" class={action === "acknowledge" ? "main" : ""} disabled={off} onClick={() => run(action)}>
          {NAMES[action].name} <span class="second-key">{NAMES[action].key}</span>
        </button>
      ))}
      <button type="button" class="plain" onClick={clear}>Clear (Esc)</button>
      {off && <span class="why">{lost ? "no contact: nothing is sent now, and nothing is kept to be sent later" : "you may look, not act: that takes the role of an operator"}</span>}
    </div>
  );
}

function Nothing({ tab, filtered }: { tab: Tab; filtered: boolean }) {
  if (filtered) return <Empty title="No alert matches the filter."><p>Choose “All” above to take the filter away.</p></Empty>;
  const texts: Record<Tab, [string, string]> = {
    acknowledge: ["Nothing waits to be acknowledged.", "New alerts appear here by themselves."],
    open: ["No alert is open.", "That is good news as long as readings come: see Fleet for silent assets, and Unknown for rules that cannot tell."],
    shelved: ["Nothing is shelved or suppressed.", "Select rows under Open and shelve them, with an end and a reason."],
    unknown: ["No open alert is in doubt.", "An alert is unknown while its inputs are missing or bad. Rules that have not raised one are under Rules."],
    pending: ["No condition is within its waiting time.", ""],
    history: ["", ""],
  };
  const [title, text] = texts[tab];
  return <Empty title={title}><p>{text}</p></Empty>;
}

function Past({ filter }: { filter: Filter }) {
  const [pages, more] = useState(1);
  const severity = filter.severities.join(",");
  const ask = useAsk(`past ${severity} ${filter.asset} ${filter.rule} ${pages}`, async (signal) => {
    const found: Alert[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < pages; page += 1) {
      const answer: { alerts: Alert[]; next: string | null } = await get(
        `/v1/alerts${query({ state: "normal", severity, asset: filter.asset, rule: filter.rule, limit: ROWS, cursor })}`, { signal });
      found.push(...answer.alerts);
      cursor = answer.next;
      if (!cursor) break;
    }
    return { found, cut: cursor !== null };
  }, 30_000);
  const rows = (ask.data?.found ?? []).filter(matches({ ...filter, asset: "" }));
  return (
    <Panel problem={ask.problem} loading={ask.loading} there={ask.data !== null} again={ask.again}>
      {rows.length === 0 ? <Empty title="No ended alert matches." ><p>The newest 10,000 ended alerts are here; all are in the table <code>alert_events</code> under <a href={link("explore")}>Explore</a>.</p></Empty> : (
        <div class="scroll">
          <table class="cards">
            <thead><tr><th>!</th><th>began</th><th>lasted</th><th>asset</th><th>what</th><th>who</th></tr></thead>
            <tbody>
              {rows.map((alert) => (
                <tr key={alert.id}>
                  <td class="inline"><Mark alert={alert} /></td>
                  <td class="nowrap inline"><When at={alert.started} /></td>
                  <td class="nowrap inline">{alert.ended ? duration(Date.parse(alert.ended) - Date.parse(alert.started)) : "–"}</td>
                  <td><a href={link("assets", alert.asset)}>{alert.asset}</a></td>
                  <td class="what">{alert.withdrawn && <b>withdrawn: </b>}<a href={link("alerts", alert.id) + location.search}>{alert.rule}</a>: {alert.message}</td>
                  <td>{alert.acknowledged_by ?? <span class="second">nobody</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {ask.data?.cut && <button type="button" class="newer" onClick={() => more(pages + 1)}>older</button>}
    </Panel>
  );
}

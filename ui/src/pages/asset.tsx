// One machine: what is wrong, its signals one below the other on one time axis, how long it will last, its life.

import { useEffect, useMemo, useState } from "preact/hooks";
import { byUrgency, rank, since } from "../data/alerts";
import { act, ApiProblem, enc, get, query } from "../data/api";
import { alerts as known, contact, now } from "../data/live";
import { useAsk } from "../data/poll";
import { duration, time } from "../data/format";
import { columns, extend } from "../data/readings";
import { stateWord, WORDS } from "../data/states";
import { limitsOf } from "../data/limits";
import type { Alert, AssetDetail, History, Point, Rule, SignalNow } from "../data/types";
import { Chart } from "../parts/chart";
import { Dialog } from "../parts/dialog";
import type { Line, Span } from "../parts/draw";
import { Life } from "../parts/life";
import { Mark } from "../parts/mark";
import { Empty, Panel, Refusal } from "../parts/panel";
import { say } from "../parts/toast";
import { When } from "../parts/when";
import { pageKeys } from "../shell/keys";
import { actor } from "../shell/person";
import { link, place, setParams } from "../shell/router";
import { may, zone } from "../shell/settings";

const RANGES: Record<string, number> = { "6h": 6, "1d": 24, "7d": 168, "30d": 720 };
const HOUR_MS = 3_600_000;

interface Range {
  from: number;
  to: number;
  /** Whether the end is now, and moves with it. */
  follows: boolean;
}

/** The end of a range that follows now moves by its thousandth, so that charts are not drawn anew each second. */
function upTo(width: number): number {
  const step = Math.max(1_000, width / 1_000);
  return Math.ceil(now.value / step) * step;
}

function rangeOf(params: URLSearchParams, life: string | undefined): Range {
  const [from, to] = [Date.parse(params.get("from") ?? ""), Date.parse(params.get("to") ?? "")];
  if (from < to) return { from, to, follows: false };
  const last = params.get("last") ?? "7d";
  if (last === "life" && life) {
    const from = Date.parse(life);
    return { from, to: upTo(now.value - from), follows: true };
  }
  const width = (RANGES[last] ?? 168) * HOUR_MS;
  return { from: upTo(width) - width, to: upTo(width), follows: true };
}

export default function AssetPage({ rest: asset }: { rest: string }) {
  const ask = useAsk(`asset ${asset}`, (signal) => get<AssetDetail>(`/v1/assets/${enc(asset)}`, { signal }), 2_000);
  const rules = useAsk("rules", (signal) => get<{ rules: Rule[] }>("/v1/rules", { signal }), 60_000);
  const [reporting, report] = useState(false);
  const limits = limitsOf(rules.data?.rules ?? [], asset);
  const detail = ask.data;
  const { params } = place.value;
  const begun = detail?.prediction?.life_started ?? [...(detail?.life_events ?? [])].reverse().find((one) => /installed|repaired/.test(one.event))?.time;
  const range = rangeOf(params, begun);
  const open = detail ? [...known.value.values()].filter((alert) => alert.asset === asset && alert.state !== "normal").sort(byUrgency) : [];
  const chosen = params.get("from") ? "" : (params.get("last") ?? "7d");
  const pan = (by: number) => {
    const width = range.to - range.from;
    const to = Math.min(now.value, range.to + by * width);
    setParams({ from: new Date(to - width).toISOString(), to: new Date(to).toISOString(), last: null });
  };
  const scale = (by: number) => {
    const width = (range.to - range.from) * by;
    setParams({ from: new Date(range.to - width).toISOString(), to: new Date(range.to).toISOString(), last: null });
  };
  useEffect(() => {
    pageKeys.handle = (event) => {
      if (event.key === "[") pan(-0.5);
      else if (event.key === "]") pan(0.5);
      else if (event.key === "+") scale(0.5);
      else if (event.key === "-") scale(2);
      else return false;
      return true;
    };
    return () => {
      pageKeys.handle = null;
    };
  });
  const worst = open.find((alert) => alert.state !== "pending");
  return (
    <>
      <div class="head">
        <h1 class="path">{asset}</h1>
        {worst && <span class="marked"><Mark alert={worst} /> {WORDS[worst.severity]}, {stateWord(worst)}</span>}
        {begun && <span class="second">running since <When at={begun} /> ({duration(now.value - Date.parse(begun))})</span>}
        <div class="tools">
          <button type="button" onClick={() => report(true)} disabled={!detail || contact.value !== "live" || !may("operator")} title={may("operator") ? "" : "takes the role of an operator"}>Report event …</button>
          <a href={link("explore", "", { q: `SELECT time, signal, value FROM readings WHERE asset = '${asset.replace(/'/g, "''")}' ORDER BY time DESC LIMIT 200` })}>SQL</a>
        </div>
      </div>
      <div class="columns">
        <div>
          <Panel title="Signals" problem={ask.problem} loading={ask.loading} again={ask.again} there={detail !== null}
            tools={<>
              {[...Object.keys(RANGES), "life"].map((last) => (
                <button key={last} type="button" aria-pressed={chosen === last} disabled={last === "life" && !begun} onClick={() => setParams({ last, from: null, to: null })}>{last}</button>
              ))}
              <button type="button" aria-label="earlier" title="earlier ([)" onClick={() => pan(-0.5)}>◂</button>
              <button type="button" aria-label="later" title="later (])" onClick={() => pan(0.5)}>▸</button>
            </>}>
            <p class="pad second">
              {time(range.from, now.value, zone.value)} to {range.follows ? "now" : time(range.to, now.value, zone.value)}. Line: mean, band: lowest to highest; hatched: no readings; ○ late, × bad. Drag to zoom; in a chart ← → read it.
            </p>
            {detail?.signals.length === 0 && <Empty title="This asset has sent nothing yet."><pre>{`curl http://HOST/v1/readings -H 'content-type: application/json' -d '{"asset":"${asset}","signal":"temperature","value":61.5}'`}</pre></Empty>}
            {detail?.signals.map((signal) => <SignalChart key={`${asset} ${signal.signal}`} asset={asset} signal={signal} range={range} alerts={open} limits={limits.get(signal.signal) ?? []} />)}
          </Panel>
        </div>
        <div>
          <Panel title={`Alerts ${open.length}`} there={detail !== null} tools={<a href={link("alerts", "", { asset, tab: "history" })}>history</a>}>
            {open.length === 0 ? <Empty title="No alert is open here."><p>Whether rules can tell at all is under <a href={link("rules")}>Rules</a>.</p></Empty> : (
              <ul class="history pad">
                {open.map((alert) => (
                  <li key={alert.id}>
                    <span class="marked"><Mark alert={alert} /> <a href={link("alerts", alert.id)}>{alert.rule}</a> <span class="second">{stateWord(alert)} since <When at={since(alert)} /></span></span>
                    <div>{alert.message}</div>
                    {alert.action && <div><b>{alert.action}</b></div>}
                  </li>
                ))}
              </ul>
            )}
          </Panel>
          <Panel title="Remaining life" there={detail !== null}>
            {detail?.prediction ? <Life of={detail.prediction} /> : <NoPrediction asset={asset} />}
          </Panel>
          <Panel title="Life events" there={detail !== null}>
            <ul class="history pad">
              {[...(detail?.life_events ?? [])].reverse().slice(0, 20).map((event) => (
                <li key={event.offset} class={event.corrected_by !== null || event.event === "withdrawn" ? "struck" : ""}>
                  <When at={event.time} /> <b>{event.event}</b>{event.actor && <> by {event.actor}</>}{event.comment && <div>“{event.comment}”</div>}
                </li>
              ))}
              {detail?.life_events.length === 0 && <li>None is on record. Models learn from them: report when it was installed, repaired, or failed.</li>}
            </ul>
          </Panel>
        </div>
      </div>
      {reporting && <Report asset={asset} begun={begun} close={() => { report(false); ask.again(); }} />}
    </>
  );
}

/** Ask why, in the server's own words. */
function NoPrediction({ asset }: { asset: string }) {
  const ask = useAsk(`no prediction ${asset}`, (signal) => get(`/v1/assets/${enc(asset)}/prediction`, { signal }), 30_000);
  return ask.problem ? <Empty title="No prediction."><p>{ask.problem.detail}</p><p>{ask.problem.hint}</p></Empty> : <p class="pad second">asking why there is none …</p>;
}

function SignalChart({ asset, signal, range, alerts, limits }: { asset: string; signal: SignalNow; range: Range; alerts: Alert[]; limits: Line[] }) {
  const [points, set] = useState<{ key: string; readings: Point[]; resolution: "raw" | "buckets" } | null>(null);
  // A range that follows now is fetched whole once in a while and extended by its tail in between.
  const width = range.to - range.from;
  const key = range.follows ? `${asset} ${signal.signal} ${Math.round(width / 60_000)}` : `${asset} ${signal.signal} ${range.from} ${range.to}`;
  const ask = useAsk(key, async (stop) => {
    const path = `/v1/assets/${enc(asset)}/signals/${enc(signal.signal)}/readings`;
    const old = points?.key === key ? points : null;
    const last = old?.readings[old.readings.length - 1]?.time;
    const tail = range.follows && last !== undefined && old?.resolution === "raw";
    const from = tail ? last : new Date(range.from).toISOString();
    const to = range.follows ? undefined : new Date(range.to).toISOString();
    const history = await get<History>(path + query({ from, to, max_points: Math.min(2_000, Math.max(300, Math.round(innerWidth * devicePixelRatio))) }), { signal: stop });
    const kept = old?.readings.filter((point) => Date.parse(point.time) >= range.from - width * 0.05) ?? [];
    const readings = tail ? extend(kept, history.readings, last) : history.readings;
    set({ key, readings, resolution: tail ? "raw" : history.resolution });
    return history.resolution;
  }, range.follows ? (points?.resolution === "buckets" ? 10_000 : 4_000) : 0);
  const column = useMemo(() => (points ? columns(points) : null), [points]);
  const style = getComputedStyle(document.documentElement);
  const spans: Span[] = alerts
    .filter((alert) => alert.evidence.values.some((value) => value.signal === signal.signal))
    .sort((a, b) => rank(b.severity) - rank(a.severity))
    .map((alert) => ({ from: Date.parse(since(alert)) / 1000, to: Date.parse(alert.ended ?? "") / 1000 || now.value / 1000, color: style.getPropertyValue(`--${alert.severity}-fill`).trim() }));
  const zoom = (from: number, to: number) => setParams({ from: new Date(from * 1000).toISOString(), to: new Date(to * 1000).toISOString(), last: null });
  return (
    <>
      {ask.problem && !(ask.problem.noContact && points) && <Refusal problem={ask.problem} again={ask.again} />}
      <Chart signal={signal} column={points?.key === key || !range.follows ? column : null} from={range.from / 1000} to={range.to / 1000} limits={limits} spans={spans} zoom={zoom} />
    </>
  );
}

const EVENTS: Record<string, (begun: string | undefined) => string> = {
  repaired: (begun) => `This ends the present life${begun ? ` (of ${duration(now.value - Date.parse(begun))})` : ""} and begins a new one; models learn from it.`,
  failed: (begun) => `This ends the present life${begun ? ` (of ${duration(now.value - Date.parse(begun))})` : ""} with a failure; models learn from it. Report “repaired” when it runs again.`,
  installed: () => "This begins a life: models count from here.",
  retired: () => "This ends the life without a failure. No prediction is made from then on.",
};

function Report({ asset, begun, close }: { asset: string; begun: string | undefined; close: () => void }) {
  const [event, setEvent] = useState("repaired");
  const [comment, setComment] = useState("");
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (happened: Event) => {
    happened.preventDefault();
    const who = actor();
    if (!who) return;
    setBusy(true);
    try {
      await act(`/v1/assets/${enc(asset)}/life-events`, { ...who, event, comment: comment || undefined });
      say(`${asset}: ${event} is on record`);
      close();
    } catch (error) {
      if (error instanceof ApiProblem) setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title={`What happened to ${asset}?`} close={close}>
      <form class="dialog" onSubmit={(happened) => void submit(happened)}>
        <div class="row" role="group" aria-label="event">
          {Object.keys(EVENTS).map((name) => <button key={name} type="button" aria-pressed={event === name} onClick={() => setEvent(name)}>{name}</button>)}
        </div>
        <label class="field">Remark
          <textarea rows={2} maxLength={1000} autoFocus value={comment} onInput={(happened) => setComment(happened.currentTarget.value)} />
        </label>
        <p>{EVENTS[event]?.(begun)} It is recorded as of now. A wrong one can be corrected, and stays on record.</p>
        {problem && <Refusal problem={problem} />}
        <div class="row"><button class="main" type="submit" disabled={busy}>Report “{event}”</button><button type="button" onClick={close}>Cancel</button></div>
      </form>
    </Dialog>
  );
}

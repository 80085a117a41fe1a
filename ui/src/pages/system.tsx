// The server itself: what is in order, what fills up, which source is silent. Needs no lake and no jobs, so it
// shows when others cannot.

import { useRef } from "preact/hooks";
import { ApiProblem, ask as fetchText, get } from "../data/api";
import { contact, present } from "../data/live";
import { fullIn, parse, routes, value, type Sample } from "../data/metrics";
import { useAsk } from "../data/poll";
import { bytes, count, duration, number, percent } from "../data/format";
import type { Check, Source } from "../data/types";
import { Empty, Panel } from "../parts/panel";
import { Age } from "../parts/when";

async function readiness(signal: AbortSignal): Promise<{ ready: boolean; checks: Check[] }> {
  try {
    return { ready: true, checks: (await get<{ checks: Check[] }>("/readyz", { signal })).checks };
  } catch (error) {
    const body = error instanceof ApiProblem ? (error.body as { checks?: Check[] } | null) : null;
    if (body?.checks) return { ready: false, checks: body.checks };
    throw error;
  }
}

export default function SystemPage() {
  const ready = useAsk("readyz", readiness, 5_000);
  const metrics = useAsk("metrics", async (signal) => parse(await (await fetchText("/metrics", { signal, accept: "text/plain" })).text()), 5_000);
  const sources = useAsk("sources", (signal) => get<{ sources: Source[] }>("/v1/sources", { signal }), 5_000);
  return (
    <>
      <div class="head">
        <h1>System</h1>
        <span>{contact.value === "lost" ? <b class="doubt-text">no contact: what is here is old</b> : ready.data ? (ready.data.ready ? "ready" : <b class="bad-text">not ready</b>) : "…"} · version {present.value?.version ?? "–"}</span>
      </div>
      <div class="columns">
        <div>
          <Panel title="Checks" problem={ready.problem} loading={ready.loading} again={ready.again} there={ready.data !== null}>
            <table>
              <tbody>
                {ready.data?.checks.map((check) => (
                  <tr key={check.name}>
                    <td class="nowrap">{check.ok ? "in order" : <b class="bad-text">✗ not in order</b>}</td><td>{check.name}</td><td class="what">{check.detail}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Panel>
          <Panel title="Sources" problem={sources.problem} loading={sources.loading} again={sources.again} there={sources.data !== null}>
            {sources.data?.sources.length === 0 && <Empty title="No source fetches readings by itself."><p>Senders push by HTTP; those are counted at the right. An MQTT broker is connected in a pipeline: <code>sources:</code>, see <code>docs/taking-data-in.md</code>.</p></Empty>}
            {(sources.data?.sources.length ?? 0) > 0 && (
              <div class="scroll">
                <table class="cards">
                  <thead><tr><th>source</th><th>state</th><th class="number">received</th><th class="number">waiting</th><th>last</th><th class="number">refused</th><th class="number">dead letters</th></tr></thead>
                  <tbody>
                    {sources.data?.sources.map((source) => (
                      <tr key={source.name}>
                        <td>{source.kind} {source.name}</td>
                        <td>{source.connected ? "connected" : <span class="doubt-text old">no contact</span>}{source.problem && <div class="second">{source.problem}</div>}</td>
                        <td class="number" data-label="received">{count(source.received)}</td><td class="number" data-label="waiting">{count(source.lag)}</td>
                        <td data-label="last"><Age of={source.last_received ?? null} /></td>
                        <td class="number" data-label="refused">{count(source.refused)}</td>
                        <td class="number" data-label="dead letters">{count(source.dead_letters)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )}
          </Panel>
          <Panel title="Answers, by route" there={metrics.data !== null}>
            <div class="scroll">
              <table>
                <thead><tr><th>route</th><th class="number">answers</th><th class="number">mean ms</th><th class="number">9 in 10 within ms</th></tr></thead>
                <tbody>
                  {routes(metrics.data ?? []).slice(0, 12).map((one) => (
                    <tr key={one.route}><td><code>{one.route}</code></td><td class="number">{count(one.count)}</td><td class="number">{number(one.mean_ms)}</td><td class="number">{one.p90_ms === null ? "over 10 s" : number(one.p90_ms)}</td></tr>
                  ))}
                </tbody>
              </table>
            </div>
          </Panel>
        </div>
        <div>
          <Numbers samples={metrics.data} problem={metrics.problem} again={metrics.again} />
          <Panel title="Backup">
            <div class="pad">
              <p>A backup is made by the command, with its own rights; no request makes the server write elsewhere:</p>
              <pre>forewarn backup --help</pre>
            </div>
          </Panel>
        </div>
      </div>
    </>
  );
}

function Numbers({ samples, problem, again }: { samples: Sample[] | null; problem: ApiProblem | null; again: () => void }) {
  const first = useRef<{ at: number; disk: number; accepted: number } | null>(null);
  const of = (name: string, labels = {}) => value(samples ?? [], name, labels);
  const [disk, most] = [of("forewarn_log_disk_bytes"), of("forewarn_log_max_bytes")];
  const accepted = of("forewarn_readings_accepted_total");
  if (samples && disk !== null && accepted !== null && (!first.current || accepted < first.current.accepted)) first.current = { at: performance.now(), disk, accepted };
  const seconds = first.current ? (performance.now() - first.current.at) / 1000 : 0;
  const full = first.current && disk !== null && most !== null && seconds > 30 ? fullIn(first.current.disk, disk, seconds, most) : null;
  const rate = first.current && accepted !== null && seconds > 4 ? (accepted - first.current.accepted) / seconds : null;
  const refused = ["time", "value", "series", "undecodable"].map((reason) => [reason, of("forewarn_readings_rejected_total", { reason }) ?? 0] as const).filter(([, n]) => n > 0);
  const failing = (samples ?? []).filter((one) => one.name === "forewarn_lake_failed_commits" && one.value > 0);
  return (
    <>
      <Panel title="Log" problem={problem} again={again} there={samples !== null}>
        <dl class="facts pad">
          <dt>on disk</dt><dd>{bytes(disk)} of {bytes(most)}{disk !== null && most ? ` (${percent(disk / most)})` : ""}
            <svg class="meter" viewBox="0 0 100 8" preserveAspectRatio="none" width="100%" height="8" aria-hidden="true"><rect width={disk !== null && most ? (100 * disk) / most : 0} height="8" fill="var(--ink2)" /></svg></dd>
          {full !== null && full < 30 * 86_400 && <><dt>full in about</dt><dd><b>{duration(full * 1000)}</b> at the pace since this page was opened. It is trimmed as the lake takes it over.</dd></>}
          {of("forewarn_log_full") === 1 && <><dt>state</dt><dd class="bad-text">full: readings are refused</dd></>}
          {of("forewarn_log_failed") === 1 && <><dt>state</dt><dd class="bad-text">the disk has failed: nothing is accepted until it is repaired and the server restarted</dd></>}
          <dt>offsets</dt><dd>{count(of("forewarn_log_start_offset"))} to {count(of("forewarn_log_end_offset"))}</dd>
          <dt>snapshot at</dt><dd>{count(of("forewarn_snapshot_offset"))}</dd>
          <dt>not yet processed</dt><dd>{count(of("forewarn_state_lag_records"))} records</dd>
        </dl>
      </Panel>
      <Panel title="Lake" there={samples !== null}>
        <dl class="facts pad">
          <dt>not yet committed</dt><dd>{count(of("forewarn_lake_tail_rows"))} rows, {bytes(of("forewarn_lake_tail_bytes"))} of memory</dd>
          <dt>commits</dt><dd>{failing.length === 0 ? "none has failed since the last success" : failing.map((one) => <div key={one.labels.table} class="bad-text">{one.labels.table}: {count(one.value)} failed attempts</div>)}</dd>
        </dl>
      </Panel>
      <Panel title="Readings" there={samples !== null}>
        <dl class="facts pad">
          <dt>accepted</dt><dd>{count(accepted)}{rate !== null && `, ${number(rate)} a second now`}</dd>
          <dt>late</dt><dd>{count(of("forewarn_readings_late_total"))}</dd>
          <dt>repeated</dt><dd>{count(of("forewarn_readings_duplicate_total"))}</dd>
          <dt>ahead of the clock</dt><dd>{count(of("forewarn_readings_ahead_total"))}</dd>
          <dt>refused</dt><dd>{refused.length === 0 ? "0" : refused.map(([reason, n]) => `${count(n)} for their ${reason}`).join(", ")}</dd>
          <dt>series</dt><dd>{count(of("forewarn_series"))} of {count(of("forewarn_assets"))} assets</dd>
          <dt>event streams</dt><dd>{count(of("forewarn_http_streams"))} open</dd>
        </dl>
      </Panel>
    </>
  );
}

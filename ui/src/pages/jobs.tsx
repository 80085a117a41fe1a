// Jobs and their runs: what ran, what failed and why, what comes next.

import { useState } from "preact/hooks";
import { act, ApiProblem, enc, get } from "../data/api";
import { contact, now } from "../data/live";
import { useAsk } from "../data/poll";
import { count, full, time } from "../data/format";
import type { Job, Run } from "../data/types";
import { Dialog } from "../parts/dialog";
import { Empty, Panel, Refusal } from "../parts/panel";
import { say } from "../parts/toast";
import { When } from "../parts/when";
import { go, link } from "../shell/router";
import { may, zone } from "../shell/settings";

const STRIP = 30;
const SIGNS: Record<Run["state"], string> = { succeeded: "✓", failed: "✗", running: "▶", queued: "…", cancelled: "–" };

/** The newest run of each interval, oldest first: a square is an interval, not an attempt. */
export function intervals(runs: Run[], most: number): Run[] {
  const found = new Map<string, Run>();
  for (const run of runs) {
    const key = run.kind === "sql" || run.kind === "frame" ? `${run.from} ${run.to}` : run.run;
    const old = found.get(key);
    if (!old || old.time < run.time) found.set(key, run);
  }
  return [...found.values()].sort((a, b) => a.to.localeCompare(b.to) || a.time.localeCompare(b.time)).slice(-most);
}

export default function JobsPage({ rest }: { rest: string }) {
  const jobs = useAsk("jobs", (signal) => get<{ jobs: Job[] }>("/v1/jobs", { signal }), 4_000);
  const opened = jobs.data?.jobs.find((job) => job.name === rest);
  const failed = jobs.data?.jobs.filter((job) => job.last?.state === "failed").length ?? 0;
  return (
    <>
      <div class="head"><h1>Jobs</h1>{failed > 0 && <b class="bad-text">{failed} failed last time</b>}</div>
      {rest && opened && <JobPanel job={opened} />}
      {rest && jobs.data && !opened && <Panel><Empty title={`There is no job ${rest}.`} /></Panel>}
      <Panel problem={jobs.problem} loading={jobs.loading} again={jobs.again} there={jobs.data !== null}>
        {jobs.data?.jobs.length === 0 ? <Empty title="No job is defined."><p>A job is a query with a schedule, in a pipeline's file:</p><pre>{"jobs:\n  - name: hottest-hourly\n    schedule: \"5 * * * *\"\n    sql: SELECT asset, max(value) AS hottest FROM readings WHERE signal = 'temperature' AND time >= :from AND time < :to GROUP BY asset\n    into: hottest_hourly"}</pre></Empty> : (
          <div class="scroll">
            <table class="cards">
              <thead><tr><th>job</th><th>next</th><th>last {STRIP} runs</th><th>last</th><th class="number">rows</th><th>note</th><th /></tr></thead>
              <tbody>{jobs.data?.jobs.map((job) => <Line key={job.name} job={job} />)}</tbody>
            </table>
          </div>
        )}
      </Panel>
    </>
  );
}

function Line({ job }: { job: Job }) {
  return (
    <tr>
      <td><a href={link("jobs", job.name)}>{job.name}</a><div class="second">{job.schedule}</div></td>
      <td class="nowrap" data-label="next"><When at={job.next} /></td>
      <td><Strip job={job} /></td>
      <td class="nowrap" data-label="last">
        {job.running ? <b>running</b> : job.queued > 0 ? `${job.queued} queued` : job.last ? <><span class={job.last.state === "failed" ? "bad-text" : ""}>{job.last.state}</span> <When at={job.last.time} /></> : "never"}
      </td>
      <td class="number" data-label="rows">{count(job.last?.rows)}</td>
      <td class="what">{job.last?.error && <span class="bad-text">{job.last.error} </span>}{job.note}</td>
      <td><RunNow job={job} /></td>
    </tr>
  );
}

function Strip({ job }: { job: Job }) {
  const runs = useAsk(`runs ${job.name} ${job.last?.run ?? ""} ${job.last?.state ?? ""} ${job.running ?? ""}`, (signal) => get<{ runs: Run[] }>(`/v1/jobs/${enc(job.name)}/runs?limit=60`, { signal }), 0);
  const shown = intervals(runs.data?.runs ?? [], STRIP);
  return (
    <div class="strip" role="list" aria-label={`runs of ${job.name}`}>
      {shown.map((run) => {
        const label = `${run.state}, ${interval(run)}${run.error ? `: ${run.error}` : ""}`;
        return <span key={run.run} role="listitem" class={run.state} title={label} aria-label={label}>{SIGNS[run.state]}</span>;
      })}
      {runs.data && shown.length === 0 && <i class="second">no run yet</i>}
      {runs.problem && <i class="second">{runs.problem.detail}</i>}
    </div>
  );
}

function interval(run: Run): string {
  return Date.parse(run.from) === 0 ? `all up to ${full(run.to, zone.value)}` : `${full(run.from, zone.value)} to ${full(run.to, zone.value)}`;
}

/** Starts a run; the button says what is under way. */
export function RunNow({ job, path, name = "Run" }: { job: Pick<Job, "name" | "running" | "queued">; path?: string; name?: string }) {
  const [busy, set] = useState(false);
  const run = async () => {
    set(true);
    try {
      const { value } = await act<{ run: string }>(path ?? `/v1/jobs/${enc(job.name)}/run`, undefined);
      say(`${job.name}: run ${value.run} is queued`);
    } catch (error) {
      if (error instanceof ApiProblem) say(`${job.name}: ${error.detail}`, { bad: true });
    } finally {
      set(false);
    }
  };
  return <button type="button" disabled={busy || contact.value !== "live" || !may("engineer")} title={may("engineer") ? "" : "takes the role of an engineer"} onClick={() => void run()}>{name}</button>;
}

function JobPanel({ job }: { job: Job }) {
  const runs = useAsk(`runs of ${job.name}`, (signal) => get<{ runs: Run[]; truncated: boolean }>(`/v1/jobs/${enc(job.name)}/runs?limit=100`, { signal }), 4_000);
  const [filling, fill] = useState(false);
  const cancel = async (run: Run) => {
    try {
      await act(`/v1/jobs/runs/${enc(run.run)}/cancel`, undefined);
      say(`${run.run}: is being cancelled`);
      runs.again();
    } catch (error) {
      if (error instanceof ApiProblem) say(error.detail, { bad: true });
    }
  };
  return (
    <Panel title={job.name} problem={runs.problem} loading={runs.loading} again={runs.again} there={runs.data !== null}
      tools={<>
        {(job.kind === "sql" || job.kind === "frame") && <button type="button" disabled={contact.value !== "live" || !may("engineer")} onClick={() => fill(true)}>Backfill …</button>}
        <button type="button" class="plain" aria-label="close" onClick={() => go(link("jobs"))}>×</button>
      </>}>
      <p class="pad">{job.description}. Next: {job.next_times.map((at) => time(at, now.value, zone.value)).join(", ") || "not scheduled"}.</p>
      {runs.data?.runs.length === 0 ? <Empty title="It has not run yet." /> : (
        <div class="scroll">
          <table class="cards">
            <thead><tr><th>state</th><th>since</th><th>interval</th><th>by</th><th class="number">rows</th><th>error, details</th><th /></tr></thead>
            <tbody>
              {runs.data?.runs.map((run) => (
                <tr key={run.run}>
                  <td class={run.state === "failed" ? "bad-text" : ""}>{SIGNS[run.state]} {run.state}</td>
                  <td class="nowrap"><When at={run.time} /></td>
                  <td class="second">{interval(run)}</td>
                  <td>{run.trigger}</td>
                  <td class="number">{count(run.rows)}</td>
                  <td class="what">{run.error}{run.details ? <details><summary>details</summary><pre>{JSON.stringify(run.details, null, 1)}</pre></details> : null}</td>
                  <td>{(run.state === "running" || run.state === "queued") && <button type="button" onClick={() => void cancel(run)}>Cancel</button>}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {runs.data?.truncated && <p class="pad second">Older runs are in the table job_runs.</p>}
        </div>
      )}
      {filling && <Backfill job={job} close={() => { fill(false); runs.again(); }} />}
    </Panel>
  );
}

function Backfill({ job, close }: { job: Job; close: () => void }) {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const [from, setFrom] = useState(day(now.value - 7 * 86_400_000));
  const [to, setTo] = useState(day(now.value));
  const [again, setAgain] = useState(false);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      const { value } = await act<{ runs: string[]; skipped: number }>(`/v1/jobs/${enc(job.name)}/backfill`, { from: `${from}T00:00:00Z`, to: `${to}T00:00:00Z`, again });
      say(`${job.name}: ${value.runs.length} runs queued, ${value.skipped} intervals skipped`);
      close();
    } catch (error) {
      if (error instanceof ApiProblem) setProblem(error);
    }
  };
  return (
    <Dialog title={`Backfill ${job.name}`} close={close}>
      <form class="dialog" onSubmit={(event) => void submit(event)}>
        <p>Runs the job for each past interval of its schedule in this range whose rows are missing. Days begin at 00:00 UTC.</p>
        <div class="row">
          <label class="field">from <input type="date" required value={from} onInput={(event) => setFrom(event.currentTarget.value)} /></label>
          <label class="field">to, not included <input type="date" required value={to} onInput={(event) => setTo(event.currentTarget.value)} /></label>
        </div>
        <label class="row"><input type="checkbox" checked={again} onChange={(event) => setAgain(event.currentTarget.checked)} /> also those that have succeeded: their rows are replaced</label>
        {problem && <Refusal problem={problem} />}
        <div class="row"><button class="main" type="submit">Queue about {Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000))} days</button><button type="button" onClick={close}>Cancel</button></div>
      </form>
    </Dialog>
  );
}


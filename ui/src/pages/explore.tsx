// Explore: a question in SQL, its answer as a table, a plot, or a file. Nothing runs by itself.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiProblem, ask as fetchAs, get } from "../data/api";
import { contact, now } from "../data/live";
import { useAsk } from "../data/poll";
import { count, duration } from "../data/format";
import { cell, fileName, kinds, MOST_SERIES, series } from "../data/sql";
import type { SqlRows } from "../data/types";
import { Empty, Panel, Refusal } from "../parts/panel";
import { say } from "../parts/toast";
import { Plot } from "../parts/xy";
import { place, setParams } from "../shell/router";

const ROWS = 10_000;
const SHOWN = 500;
const sql = <T,>(query: string, signal?: AbortSignal, max_rows = ROWS) => get<T>("/v1/sql", { method: "POST", body: { query, max_rows }, signal, within: 300_000 });

const EXAMPLES: [string, string][] = [
  ["the newest readings", "SELECT time, asset, signal, value, quality\nFROM readings\nORDER BY time DESC\nLIMIT 100"],
  ["the hottest by hour", "SELECT date_trunc('hour', time) AS hour, asset, max(value) AS hottest\nFROM readings\nWHERE signal = 'temperature' AND time >= (SELECT max(time) FROM readings) - INTERVAL '7 days'\nGROUP BY 1, 2\nORDER BY 1"],
  ["alerts by rule", "SELECT rule, asset, count(*) AS raised\nFROM alert_events\nWHERE transition = 'raised'\nGROUP BY rule, asset\nORDER BY raised DESC"],
  ["what people did", "SELECT time, actor, action, comment\nFROM commands\nORDER BY time DESC\nLIMIT 100"],
  ["failures on record", "SELECT time, asset, event, actor, comment\nFROM life_events\nORDER BY time DESC\nLIMIT 100"],
  ["failed runs", "SELECT time, job, state, error\nFROM job_runs\nWHERE state = 'failed'\nORDER BY time DESC\nLIMIT 100"],
];

export default function ExplorePage() {
  const asked = place.value.params.get("q") ?? "";
  const [text, setText] = useState(asked || EXAMPLES[0]![1]);
  const [answer, setAnswer] = useState<{ rows: SqlRows; ms: number; query: string } | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [running, setRunning] = useState(false);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => {
    if (asked) setText(asked);
  }, [asked]);
  useEffect(() => () => stop.current?.abort(), []);
  const tables = useAsk("tables", (signal) => sql<SqlRows>("SELECT table_name FROM information_schema.tables WHERE table_schema <> 'information_schema' ORDER BY table_name", signal), 0);
  const run = async () => {
    stop.current?.abort();
    const mine = new AbortController();
    stop.current = mine;
    setRunning(true);
    setProblem(null);
    if (text.length <= 2_000) setParams({ q: text }, true);
    const begun = performance.now();
    try {
      const rows = await sql<SqlRows>(text, mine.signal);
      setAnswer({ rows, ms: performance.now() - begun, query: text });
    } catch (error) {
      if (error instanceof ApiProblem) setProblem(error);
      else if (!mine.signal.aborted) throw error;
    } finally {
      if (stop.current === mine) setRunning(false);
    }
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void run();
    }
  };
  return (
    <>
      <div class="head"><h1>Explore</h1><span class="second">read-only SQL over everything that is stored, up to the newest reading; times are UTC</span></div>
      <div class="explore">
        <Tables names={(tables.data?.rows ?? []).map((row) => String(row[0]))} problem={tables.problem} use={setText} />
        <div>
          <Panel title="Question" tools={<>
            <select aria-label="examples" value="" onChange={(event) => { if (event.currentTarget.value) setText(event.currentTarget.value); }}>
              <option value="">examples …</option>
              {EXAMPLES.map(([name, query]) => <option key={name} value={query}>{name}</option>)}
            </select>
            <button type="button" class="main" disabled={running || contact.value !== "live" || !text.trim()} onClick={() => void run()} title="Ctrl-Enter">Run</button>
            <button type="button" disabled={!running} onClick={() => { stop.current?.abort(); setRunning(false); }}>Stop</button>
          </>}>
            <div class="pad"><textarea class="code" rows={7} spellcheck={false} aria-label="SQL" value={text} onInput={(event) => setText(event.currentTarget.value)} onKeyDown={keys} /></div>
            {running && <div class="bar" />}
            {problem && <Refusal problem={problem} />}
          </Panel>
          {answer ? <Answer {...answer} /> : !problem && <Panel><Empty title="Nothing has been asked yet."><p>Ctrl-Enter runs the question. The examples work on any plant.</p></Empty></Panel>}
        </div>
      </div>
    </>
  );
}

function Tables({ names, problem, use }: { names: string[]; problem: ApiProblem | null; use: (text: string) => void }) {
  const [open, set] = useState("");
  const columns = useAsk(`columns ${open}`, async (signal) => (open
    ? sql<SqlRows>(`SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '${open.replace(/'/g, "''")}' ORDER BY ordinal_position`, signal)
    : { columns: [], rows: [] }), 0);
  return (
    <Panel title="Tables" problem={problem} there={names.length > 0 || problem !== null}>
      <ul class="pad">
        {names.map((name) => (
          <li key={name}>
            <button type="button" aria-expanded={open === name} onClick={() => set(open === name ? "" : name)}>{open === name ? "▾" : "▸"} {name}</button>
            {open === name && (
              <>
                {(columns.data?.rows ?? []).map((row) => <div key={String(row[0])} class="second pad">{cell(row[0])} <i>{cell(row[1]).replace(/Timestamp\(.*/, "time").toLowerCase()}</i></div>)}
                <button type="button" onClick={() => use(`SELECT *\nFROM ${name}\nLIMIT 100`)}>ask for 100 rows</button>
              </>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Answer({ rows, ms, query }: { rows: SqlRows; ms: number; query: string }) {
  const types = useMemo(() => kinds(rows), [rows]);
  const [plot, setPlot] = useState(false);
  const [busy, setBusy] = useState(false);
  const cut = rows.truncated === true;
  const download = async () => {
    setBusy(true);
    try {
      const response = await fetchAs("/v1/sql", { method: "POST", body: { query }, accept: "text/csv", within: 300_000 });
      const blob = await response.blob();
      const url = URL.createObjectURL(blob);
      const anchor = document.createElement("a");
      anchor.href = url;
      anchor.download = fileName(new Date(now.value).toISOString(), response.headers.get("x-forewarn-truncated") === "true");
      anchor.click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (error) {
      say(error instanceof ApiProblem ? `${error.detail} ${error.hint}` : "the download was cut off", { bad: true });
    } finally {
      setBusy(false);
    }
  };
  const plottable = types.includes("number") && types.some((kind) => kind !== "text");
  return (
    <Panel title={<>{count(rows.rows.length)} rows · {duration(ms)}{cut && <b class="doubt-text"> · cut: there are more rows than these</b>}</>} tools={<>
      <button type="button" aria-pressed={!plot} onClick={() => setPlot(false)}>table</button>
      <button type="button" aria-pressed={plot} disabled={!plottable} onClick={() => setPlot(true)} title={plottable ? "" : "a plot needs a column of numbers"}>plot</button>
      <button type="button" disabled={busy} onClick={() => void download()} title="runs the question again, without the console's limit of rows">CSV</button>
    </>}>
      {plot && plottable ? <Picture rows={rows} /> : rows.rows.length === 0 ? <Empty title="No row matches." /> : (
        <div class="scroll result">
          <table>
            <thead><tr>{rows.columns.map((name, at) => <th key={name + at} class={types[at] === "number" ? "number" : ""}>{name}</th>)}</tr></thead>
            <tbody>
              {rows.rows.slice(0, SHOWN).map((row, at) => (
                <tr key={at}>{row.map((value, column) => <td key={column} class={types[column] === "number" ? "number" : ""}>{value === null ? <span class="second">null</span> : cell(value)}</td>)}</tr>
              ))}
            </tbody>
          </table>
          {rows.rows.length > SHOWN && <p class="pad second">The first {SHOWN} of {count(rows.rows.length)} rows are shown; CSV has all.</p>}
        </div>
      )}
    </Panel>
  );
}

function Picture({ rows }: { rows: SqlRows }) {
  const types = kinds(rows);
  const first = (kind: string, not = -1) => types.findIndex((one, at) => one === kind && at !== not);
  const [x, setX] = useState(first("time") >= 0 ? first("time") : first("number"));
  const [y, setY] = useState(first("number", x) >= 0 ? first("number", x) : first("number"));
  const [by, setBy] = useState(first("text"));
  const drawn = useMemo(() => series(rows, x, y, by), [rows, x, y, by]);
  const pick = (label: string, value: number, set: (at: number) => void, admit: (kind: string) => boolean, none?: string) => (
    <label class="field">{label}
      <select value={value} onChange={(event) => set(Number(event.currentTarget.value))}>
        {none && <option value={-1}>{none}</option>}
        {rows.columns.map((name, at) => admit(types[at]!) && <option key={name} value={at}>{name}</option>)}
      </select>
    </label>
  );
  return (
    <>
      <div class="filters pad">
        {pick("x", x, setX, (kind) => kind !== "text")}
        {pick("y", y, setY, (kind) => kind === "number")}
        {pick("by", by, setBy, (kind) => kind === "text", "nothing")}
        {drawn.left > 0 && <span class="doubt-text">{drawn.left} more are not drawn: {MOST_SERIES} lines at most</span>}
      </div>
      <Plot series={drawn.series} time={types[x] === "time"} label={`${rows.columns[y]} over ${rows.columns[x]}`} />
    </>
  );
}

// A chart of one signal: the newest value with its age, the drawing, what the cursor reads, and all as a table.

import { useEffect, useRef, useState } from "preact/hooks";
import { full, measure, number } from "../data/format";
import { freshness, summary, type Column } from "../data/readings";
import type { SignalNow } from "../data/types";
import { now } from "../data/live";
import { themeRound, zone } from "../shell/settings";
import { Age } from "./when";
import type { Drawing, Line, Look, Picture, Span } from "./draw";

function look(): Look {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(name).trim();
  return {
    ink: token("--ink-a"), band: `${token("--ink-b")}66`, grid: `${token("--line")}80`, text: token("--ink2"), hatch: token("--unknown"),
    limit: token("--critical"), font: "12px system-ui, sans-serif",
  };
}

interface Props {
  signal: SignalNow;
  column: Column | null;
  from: number;
  to: number;
  limits?: Line[];
  spans?: Span[];
  zoom: (from: number, to: number) => void;
}

export function Chart({ signal, column, from, to, limits = [], spans = [], zoom }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const drawing = useRef<Drawing | null>(null);
  const [read, setRead] = useState<number | null>(null);
  const [table, setTable] = useState(false);
  const [waits, ready] = useState(0);
  const round = themeRound.value;
  const place = zone.value;
  const picture: Picture | null = column && {
    column, from, to, now: now.value / 1000, limits, spans, zone: place, look: look(), zoom, cursor: setRead,
  };
  const latest = useRef(picture);
  latest.current = picture;
  const there = column !== null && column.time.length > 0;
  useEffect(() => {
    let left = false;
    if (!there || !host.current) return;
    void import("./draw").then(({ Drawing: Kind }) => {
      if (left || !host.current || !latest.current) return;
      drawing.current = new Kind(host.current, latest.current, "asset");
      ready((value) => value + 1);
    });
    return () => {
      left = true;
      drawing.current?.close();
      drawing.current = null;
    };
  }, [there, round, place]);
  useEffect(() => {
    if (picture) drawing.current?.update(picture);
  }, [column, from, to, waits, JSON.stringify(limits), spans.length]);
  const fresh = freshness(signal.time ? Date.parse(signal.time) : null, now.value, column?.buckets ? null : (column?.step ?? null));
  const bad = signal.quality === "bad" || signal.quality === "uncertain";
  const step = (by: number) => {
    if (!column) return;
    const last = column.time.length - 1;
    const next = Math.min(last, Math.max(0, (read ?? last) + by));
    setRead(next);
    drawing.current?.move(next);
  };
  const keys = (event: KeyboardEvent) => {
    const by = event.shiftKey ? 10 : 1;
    if (event.key === "ArrowLeft") step(-by);
    else if (event.key === "ArrowRight") step(by);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="chart">
      <div class="legend">
        <h2>{signal.signal}</h2>
        {bad && <span class="doubt-text">{signal.quality} quality</span>}
        <span class={`value ${fresh === "stale" || bad ? "old" : ""}`}>{measure(signal.value, signal.unit)}</span>
        <span class={fresh === "stale" ? "doubt-text" : "second"}>{fresh === "stale" ? "stale, " : ""}<Age of={signal.time} /></span>
        <button type="button" class="plain" aria-pressed={table} onClick={() => setTable(!table)}>{table ? "as chart" : "as table"}</button>
      </div>
      {column && column.time.length === 0 && <p class="pad second">No reading in this range. It is drawn as a gap, not as zero.</p>}
      <div ref={host} class={`plot${table ? " visually-hidden" : ""}`} tabIndex={0} role="img" onKeyDown={keys}
        aria-label={column ? summary(signal.signal, signal.unit, column, number) : signal.signal} />
      <p class="readout" aria-live="polite">{column && read !== null ? reading(column, read, signal.unit, place) : " "}</p>
      {table && column && <Table column={column} unit={signal.unit} zone={place} />}
    </div>
  );
}

function reading(column: Column, at: number, unit: string | null, place: string): string {
  const time = column.time[at];
  if (time === undefined) return "";
  const mean = column.mean[at] ?? null;
  const spread = column.buckets && mean !== null ? ` (${number(column.min[at])} to ${number(column.max[at])})` : "";
  const marks = [column.late[at] ? "late" : "", column.quality[at] === "good" ? "" : `${column.quality[at]} quality`].filter(Boolean).join(", ");
  return `${full(time * 1000, place)}  ${mean === null ? "no usable value" : measure(mean, unit)}${spread}${marks ? `, ${marks}` : ""}`;
}

function Table({ column, unit, zone: place }: { column: Column; unit: string | null; zone: string }) {
  const rows = column.time.map((_, at) => at).slice(-500).reverse();
  return (
    <div class="scroll pad">
      <table>
        <caption class="second">{rows.length < column.time.length ? `the newest 500 of ${column.time.length}` : `${rows.length} rows`}</caption>
        <thead><tr><th>time</th><th class="number">{column.buckets ? "mean" : "value"} {unit}</th>{column.buckets && <><th class="number">min</th><th class="number">max</th></>}<th>quality</th></tr></thead>
        <tbody>
          {rows.map((at) => (
            <tr key={at}>
              <td class="nowrap">{full(column.time[at]! * 1000, place)}</td><td class="number">{number(column.mean[at])}</td>
              {column.buckets && <><td class="number">{number(column.min[at])}</td><td class="number">{number(column.max[at])}</td></>}
              <td>{column.quality[at]}{column.late[at] ? ", late" : ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

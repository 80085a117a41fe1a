// The fleet: is anything wrong, seen from two metres. Worst first; a healthy asset is plain grey text.

import { useState } from "preact/hooks";
import { get, query } from "../data/api";
import { alerts, contact, tally } from "../data/live";
import { useAsk } from "../data/poll";
import { levels, rows as build, worstFirst, type Row } from "../data/fleet";
import { life } from "../data/format";
import { stateWord } from "../data/states";
import type { AssetNode, Prediction, Rule, RuleOnAsset } from "../data/types";
import { Interval, isOld } from "../parts/life";
import { Mark } from "../parts/mark";
import { Empty, Panel } from "../parts/panel";
import { Age } from "../parts/when";
import { link, place, setParams } from "../shell/router";

const MOST = 1_000;
const SHOWN = 200;

/** For each asset how many rules cannot tell how it is. */
async function unknownRules(signal: AbortSignal): Promise<Map<string, number>> {
  const { rules } = await get<{ rules: Rule[] }>("/v1/rules", { signal });
  const found = new Map<string, number>();
  for (const rule of rules.filter(({ states }) => states.unknown > 0)) {
    const answer = await get<{ per_asset: RuleOnAsset[] }>(`/v1/rules/${encodeURIComponent(rule.name)}?state=unknown&limit=1000`, { signal });
    for (const { asset } of answer.per_asset) found.set(asset, (found.get(asset) ?? 0) + 1);
  }
  return found;
}

export function FleetPage() {
  const { params } = place.value;
  const under = params.get("under") ?? "";
  const words = (params.get("q") ?? "").toLowerCase();
  const wall = params.get("view") === "wall";
  const assets = useAsk(`assets ${under}`, (signal) => get<{ assets: AssetNode[]; next: string | null }>(`/v1/assets${query({ limit: MOST, under })}`, { signal }), 5_000);
  const predictions = useAsk("predictions", (signal) => get<{ predictions: Prediction[] }>("/v1/predictions", { signal }), 5_000);
  const unknown = useAsk("unknown rules", unknownRules, 15_000);
  const [held, hold] = useState<string[] | null>(null);
  const [shown, show] = useState(SHOWN);

  const all = build(assets.data?.assets ?? [], alerts.value.values(), unknown.data ?? new Map(), predictions.data?.predictions ?? []);
  const sorted = all.filter((row) => row.asset.toLowerCase().includes(words)).sort(worstFirst);
  // The order changes only while nobody points into the table.
  const place_ = new Map((held ?? []).map((asset, at) => [asset, at]));
  const listed = held ? [...sorted].sort((a, b) => (place_.get(a.asset) ?? 1e9) - (place_.get(b.asset) ?? 1e9)) : sorted;
  const doubtful = all.filter((row) => row.unknown > 0).length;
  const counts = tally.value.tabs;
  return (
    <>
      <div class="head">
        <h1>{under || "Fleet"}</h1>
        <span>
          {assets.data ? <>{all.length}{assets.data.next ? " or more" : ""} assets · {doubtful} unknown · {counts.open} alerts open, <b>{counts.acknowledge} to acknowledge</b>{counts.shelved > 0 && <> · {counts.shelved} shelved</>}</> : "…"}
          {contact.value === "lost" && <b> · not current</b>}
        </span>
        <div class="tools">
          {!wall && <input aria-label="filter" placeholder="filter" value={params.get("q") ?? ""} onInput={(event) => setParams({ q: event.currentTarget.value }, true)} />}
          <button type="button" onClick={() => setParams({ view: wall ? null : "wall" })}>{wall ? "leave the wall view" : "wall"}</button>
        </div>
      </div>
      <div class={wall ? "" : "fleet"}>
        {!wall && <Tree all={all} under={under} />}
        <Panel problem={assets.problem ?? predictions.problem} loading={assets.loading} again={() => { assets.again(); predictions.again(); }} there={assets.data !== null}>
          {assets.data?.next && <p class="pad">Only the first {MOST} assets are shown: choose a level{under ? ` below ${under}` : ""}.</p>}
          {all.length === 0 ? <Ways /> : listed.length === 0 ? <Empty title={`No asset has “${words}” in its name.`} /> : (
            <div class="scroll" onPointerEnter={(event) => event.pointerType === "mouse" && hold(sorted.map((row) => row.asset))} onPointerLeave={() => hold(null)}>
              <table class="cards">
                <thead><tr><th title="unacknowledged severity, open severity, unknown, end of life, longest silent, name">! worst first</th><th>asset</th><th>what</th><th>remaining life</th><th class="number">last heard</th></tr></thead>
                <tbody>{listed.slice(0, shown).map((row) => <Line key={row.asset} row={row} />)}</tbody>
              </table>
            </div>
          )}
          {listed.length > shown && <button type="button" class="newer" onClick={() => show(shown + SHOWN)}>{listed.length - shown} more</button>}
        </Panel>
      </div>
    </>
  );
}

function Line({ row }: { row: Row }) {
  const top = row.alerts[0];
  const p = row.prediction;
  return (
    <tr>
      <td class="inline">{top ? <Mark alert={top} /> : row.unknown > 0 ? <span class="doubt-text old">?</span> : ""}</td>
      <td class={top || row.unknown ? "" : "well"}><a class="path" href={link("assets", row.asset)}>{row.asset}</a></td>
      <td class="what">
        {top && <><a href={link("alerts", top.id)}>{top.rule}</a>: {top.message} <span class="second">({stateWord(top)}{top.acknowledged_by ? `, ${top.acknowledged_by}` : ""})</span></>}
        {row.alerts.length > 1 && <>{" "}<a class="second nowrap" href={link("alerts", "", { asset: row.asset })}>and {row.alerts.length - 1} more</a></>}
        {row.unknown > 0 && <div class="doubt-text">{row.unknown === 1 ? "1 rule" : `${row.unknown} rules`} cannot tell: inputs are missing, bad or too old</div>}
        {row.shelved > 0 && <div class="second">{row.shelved} shelved or suppressed</div>}
      </td>
      <td>{p && (p.out_of_distribution
        ? <span class="doubt-text">inputs unlike any in training</span>
        : <><Interval of={p} /><span class={isOld(p) ? "doubt-text" : "second"}>{life(p)}{isOld(p) && <>, <Age of={p.made} /> old</>}</span></>)}</td>
      <td class="number" data-label="last heard"><Age of={row.node.last_time} /></td>
    </tr>
  );
}

function Tree({ all, under }: { all: Row[]; under: string }) {
  const found = levels(all);
  if (found.length === 0 && !under) return null;
  const up = under.includes("/") ? under.slice(0, under.lastIndexOf("/")) : "";
  return (
    <Panel title="Levels" there>
      <ul class="tree">
        {under && <li><a href={link("fleet", "", { under: up })}>↑ {up || "all"}</a></li>}
        {found.filter((level) => level.depth < under.split("/").filter(Boolean).length + 3).map((level) => (
          <li key={level.path}>
            <span>
              {"\u2003".repeat(level.depth)}
              <a href={link("fleet", "", { under: level.path })} aria-current={level.path === under ? "page" : undefined}>{level.name}</a>
            </span>
            <span class="marked">{level.worst && <Mark alert={level.worst} />}{level.unknown > 0 && <b class="doubt">?{level.unknown}</b>}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Ways() {
  return (
    <Empty title="No asset is known yet: nothing has been sent.">
      <p>Three ways in. By HTTP:</p>
      <pre>{`curl ${location.origin}/v1/readings -H 'content-type: application/json' -d '{"asset":"plant1/line1/pump1","signal":"temperature","value":61.5}'`}</pre>
      <p>From Telegraf or any Influx client, to <code>{location.origin}</code> as an InfluxDB. From files:</p>
      <pre>forewarn import --config forewarn.yaml readings.csv</pre>
      <p>Names become assets as they come; <code>docs/taking-data-in.md</code> has MQTT too.</p>
    </Empty>
  );
}

// Rules in force: on which assets they watch, how they stand there, and why. Definitions are files; this page reads.

import { enc, get } from "../data/api";
import { useAsk } from "../data/poll";
import { count } from "../data/format";
import { DIGITS, WORDS } from "../data/states";
import type { Rule, RuleOnAsset, RuleStates } from "../data/types";
import { Shape } from "../parts/mark";
import { Empty, Panel } from "../parts/panel";
import { go, link, place, setParams } from "../shell/router";

const STATES: [keyof RuleStates, string][] = [["alert", "alert"], ["unknown", "unknown"], ["never_decided", "never decided"], ["pending", "pending"], ["normal", "normal"], ["retired", "retired"]];
const name = (state: keyof RuleStates): string => STATES.find(([one]) => one === state)?.[1] ?? state;
const doubtful = (state: keyof RuleStates): boolean => state === "unknown" || state === "never_decided";

export default function RulesPage({ rest }: { rest: string }) {
  const rules = useAsk("rules", (signal) => get<{ rules: Rule[]; refused: string[] }>("/v1/rules", { signal }), 5_000);
  const words = (place.value.params.get("q") ?? "").toLowerCase();
  const listed = (rules.data?.rules ?? []).filter((rule) => `${rule.name} ${rule.condition} ${rule.pipeline}`.toLowerCase().includes(words));
  return (
    <>
      <div class="head">
        <h1>Rules</h1>
        <span class="second">Definitions are files in the folder <code>pipelines</code>; what stands here is in force.</span>
        <div class="tools"><input aria-label="filter" placeholder="filter" value={place.value.params.get("q") ?? ""} onInput={(event) => setParams({ q: event.currentTarget.value }, true)} /></div>
      </div>
      {(rules.data?.refused ?? []).map((text) => <Panel key={text}><p class="refusal"><b>Not in force:</b> {text}</p></Panel>)}
      {rest && <RulePanel key={rest} name={rest} />}
      <Panel problem={rules.problem} loading={rules.loading} again={rules.again} there={rules.data !== null}>
        {rules.data?.rules.length === 0 ? <Empty title="No rule is in force."><p>A first rule, in a file of the folder <code>pipelines</code>:</p><pre>{"pipeline: first\nrules:\n  - name: too-hot\n    assets: \"plant1/**\"\n    when: \"temperature > 90.0\"\n    for: 1m\n    severity: major"}</pre></Empty> : (
          <div class="scroll">
            <table class="cards">
              <thead><tr><th>!</th><th>rule</th><th>watches</th><th class="number">assets</th><th class="number">alert</th><th class="number">unknown</th><th class="number">never decided</th><th class="number">pending</th><th class="number">normal</th></tr></thead>
              <tbody>
                {listed.map((rule) => (
                  <tr key={`${rule.pipeline} ${rule.name}`}>
                    <td class="inline"><span class="marked"><b>{DIGITS[rule.severity]}</b><Shape severity={rule.severity} fill="outline" label={WORDS[rule.severity]} /></span></td>
                    <td><a href={link("rules", rule.name)}>{rule.name}</a><div class="second">{rule.pipeline}</div></td>
                    <td class="what">{rule.condition}<div class="second">{rule.assets}</div>{rule.notes.map((note) => <div key={note} class="doubt-text">{note}</div>)}</td>
                    <td class="number" data-label="assets">{count(rule.matches)}</td>
                    <Number rule={rule} state="alert" /><Number rule={rule} state="unknown" /><Number rule={rule} state="never_decided" /><Number rule={rule} state="pending" /><Number rule={rule} state="normal" />
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
    </>
  );
}

function Number({ rule, state }: { rule: Rule; state: keyof RuleStates }) {
  const value = rule.states[state];
  const text = value === 0 ? <span class="second">0</span> : <a href={link("rules", rule.name, { state })}>{doubtful(state) ? `? ${count(value)}` : count(value)}</a>;
  return <td class={`number ${value > 0 && doubtful(state) ? "doubt-text" : ""}`} data-label={name(state)}>{text}</td>;
}

function RulePanel({ name: rule }: { name: string }) {
  const state = place.value.params.get("state") ?? "";
  const ask = useAsk(`rule ${rule} ${state}`, (signal) => get<Rule & { per_asset: RuleOnAsset[]; next: string | null }>(`/v1/rules/${enc(rule)}?limit=500${state ? `&state=${state}` : ""}`, { signal }), 5_000);
  const detail = ask.data;
  return (
    <Panel title={rule} problem={ask.problem} loading={ask.loading} again={ask.again} there={detail !== null}
      tools={<>
        {STATES.map(([one, text]) => (detail?.states[one] ?? 0) > 0 && <button key={one} type="button" aria-pressed={state === one} onClick={() => setParams({ state: state === one ? null : one })}>{text} {detail?.states[one]}</button>)}
        <a href={link("alerts", "", { rule, tab: "history" })}>past alerts</a>
        <button type="button" class="plain" aria-label="close" onClick={() => go(link("rules"))}>×</button>
      </>}>
      {detail && (
        <>
          <p class="pad">{WORDS[detail.severity]}: {detail.condition}. On <code>{detail.assets}</code>, version <code>{detail.version}</code>.</p>
          {detail.notes.map((note) => <p key={note} class="pad doubt-text">{note}</p>)}
          {detail.per_asset.length === 0 ? <Empty title={state ? `On no asset it is ${state.replace("_", " ")}.` : "It matches no asset."} /> : (
            <div class="scroll">
              <table class="cards">
                <thead><tr><th>state</th><th>asset</th><th>why</th></tr></thead>
                <tbody>
                  {detail.per_asset.map((one) => (
                    <tr key={one.asset}>
                      <td class="nowrap">{doubtful(one.state) ? <span class="doubt-text old">? {name(one.state)}</span> : one.alert ? <a href={link("alerts", one.alert)}>{name(one.state)}{one.alert_state ? `, ${one.alert_state}` : ""}</a> : name(one.state)}</td>
                      <td><a href={link("assets", one.asset)}>{one.asset}</a></td>
                      <td class="what">{one.why}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
              {detail.next && <p class="pad second">The first 500 assets are shown.</p>}
            </div>
          )}
        </>
      )}
    </Panel>
  );
}

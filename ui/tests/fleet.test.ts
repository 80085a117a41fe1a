import assert from "node:assert/strict";
import test from "node:test";
import { levels, rows, worstFirst } from "../src/data/fleet";
import { limitsOf, watches } from "../src/data/limits";
import type { Alert, AssetNode, Prediction, Rule } from "../src/data/types";

const node = (asset: string, last_time = "2026-06-08T08:00:00Z"): AssetNode => ({ asset, name: asset.split("/").pop()!, signals: [], last_time, open_alerts: 0 });
const alert = (asset: string, severity: string, state: string, more = {}) =>
  ({ id: asset + severity, asset, severity, state, unknown: false, withdrawn: false, started: "2026-06-08T08:00:00Z", raised: null, offset: 1, rule: "r",
    evidence: { from: "2026-06-08T08:00:00Z", to: "", values: [], rule_version: "" }, ...more }) as unknown as Alert;
const predicts = (asset: string, p05: number) => ({ asset, p05 }) as Prediction;

test("worst first: to acknowledge, open, unknown, end of life, longest silent, name", () => {
  const nodes = ["h/well", "h/soon", "h/unknown", "h/acknowledged", "h/new", "h/silent", "h/also"].map((name) => node(name));
  nodes[5]!.last_time = "2026-06-01T08:00:00Z";
  const all = rows(nodes, [alert("h/acknowledged", "critical", "acknowledged"), alert("h/new", "warning", "unacknowledged"), alert("h/well", "critical", "shelved")],
    new Map([["h/unknown", 2]]), [predicts("h/soon", 3), predicts("h/soon", 2)]);
  assert.deepEqual(all.sort(worstFirst).map((row) => row.asset), ["h/new", "h/acknowledged", "h/unknown", "h/soon", "h/silent", "h/also", "h/well"]);
  assert.deepEqual([all[6]!.shelved, all[6]!.alerts.length, all[3]!.prediction!.p05], [1, 0, 2]);
});

test("an alert in doubt makes its asset unknown, and levels say what stands worst below", () => {
  const all = rows([node("p/h1/a"), node("p/h1/b"), node("p/h2/c")], [alert("p/h1/b", "major", "unacknowledged", { unknown: true })], new Map([["p/h2/c", 1]]), []);
  const found = levels(all);
  assert.deepEqual(found.map(({ path, assets, unknown, waiting }) => [path, assets, unknown, waiting]), [["p", 3, 2, 1], ["p/h1", 2, 1, 1], ["p/h2", 1, 1, 0]]);
  assert.equal(found[1]!.worst!.severity, "major");
  assert.equal(found[2]!.worst, null);
});

test("limits are read from plain comparisons only", () => {
  const rule = (name: string, condition: string, assets = "plant1/**") => ({ name, condition, assets }) as Rule;
  const found = limitsOf([
    rule("hot", "heat_margin < 10.0 && vibration_rms > 4.5, for 30m; until heat_margin > 15.0; over for 12h"),
    rule("mean", "mean(flow, 10m) > 3.0; x"), rule("sum", "flow > 3.0 * 2; x"), rule("elsewhere", "flow > 1", "plant2/**"), rule("learnt", "temperature strays from what is usual"),
  ], "plant1/hall1/pump1");
  assert.deepEqual([...found], [["heat_margin", [{ value: 10, name: "hot < 10" }]], ["vibration_rms", [{ value: 4.5, name: "hot > 4.5" }]]]);
  assert.equal(watches('["plant1/**/pump*", "!plant1/test/**"]', "plant1/test/pump1"), false);
  assert.equal(watches("plant1/**/pump*, !plant1/test/**", "plant1/x/pump1"), true);
  assert.equal(watches("plant1", "plant1/x"), false, "a rule's path is no glob");
});

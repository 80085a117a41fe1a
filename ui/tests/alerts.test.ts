import assert from "node:assert/strict";
import test from "node:test";
import { allows, byUrgency, counts, dropMissing, fold, forget, glob, held, matches, merge, under, type Action } from "../src/data/alerts";
import { filling, stateWord } from "../src/data/states";
import type { Alert, AlertState, Severity } from "../src/data/types";

function alert(id: string, offset: number, more: Partial<Alert> = {}): Alert {
  return {
    id, offset, rule: "squeak", asset: "plant1/hall1/pump1", severity: "minor", state: "unacknowledged", unknown: false, withdrawn: false,
    started: "2026-06-08T08:00:00Z", raised: "2026-06-08T08:00:00Z", ended: null, value: 76, score: null, message: "acoustic_db > 75.0 holds",
    consequence: null, action: null, acknowledged_by: null, shelved_until: null,
    evidence: { rule_version: "1", from: "2026-06-08T08:00:00Z", to: "2026-06-08T08:00:00Z", values: [] }, ...more,
  };
}

/** The same numbers at every run. */
function random(seed: number): () => number {
  return () => {
    seed = (seed * 1_664_525 + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
}

test("any order of lists and events gives the same alerts", () => {
  const events: Alert[] = [];
  const states: AlertState[] = ["unacknowledged", "acknowledged", "returned", "shelved", "normal"];
  for (let offset = 1; offset <= 60; offset += 1) {
    events.push(alert(`a${offset % 7}`, offset, { state: states[offset % 5]! }));
  }
  const inOrder = new Map<string, Alert>();
  for (const event of events) merge(inOrder, [event]);
  for (let seed = 1; seed <= 50; seed += 1) {
    const next = random(seed);
    // Shuffled, with every event twice.
    const mixed = [...events, ...events].map((event) => [next(), event] as const).sort((a, b) => a[0] - b[0]).map(([, event]) => event);
    const known = new Map<string, Alert>();
    for (const event of mixed) merge(known, [event]);
    assert.deepEqual([...known].sort(), [...inOrder].sort(), `seed ${seed}`);
  }
});

test("an older list takes nothing back, and says what has ended", () => {
  const known = new Map([["a", alert("a", 10, { state: "acknowledged" })]]);
  assert.equal(merge(known, [alert("a", 9)]), false);
  assert.equal(known.get("a")!.state, "acknowledged");
  // The list is of offset 20: what it lacks has ended, but for what is newer than the list.
  merge(known, [alert("b", 5), alert("c", 25)]);
  dropMissing(known, [alert("a", 10)], 20);
  assert.deepEqual([...known.keys()], ["a", "c"]);
  merge(known, [alert("d", 30, { state: "normal" }), alert("e", 31, { state: "normal" })]);
  forget(known, 1);
  assert.deepEqual([...known.keys()], ["a", "c", "e"], "the oldest ended one goes");
});

test("what waits for somebody comes first, then what is worse, then what is newer", () => {
  const onset = (time: string) => ({ evidence: { rule_version: "1", from: time, to: time, values: [] } });
  const rows = [
    alert("acknowledged", 1, { severity: "critical", state: "acknowledged" }),
    alert("older", 2, { severity: "major", ...onset("2026-06-08T07:00:00Z") }),
    alert("newer", 3, { severity: "major", ...onset("2026-06-08T09:00:00Z") }),
    alert("worse", 4, { severity: "critical", state: "returned" }),
  ];
  assert.deepEqual(rows.sort(byUrgency).map(({ id }) => id), ["worse", "newer", "older", "acknowledged"]);
});

test("tabs and counts: shelved is not open, unknown is never well", () => {
  const rows = [
    alert("1", 1, { severity: "critical" }), alert("2", 2, { state: "shelved" }), alert("3", 3, { unknown: true, state: "acknowledged" }),
    alert("4", 4, { state: "pending" }), alert("5", 5, { state: "normal" }), alert("6", 6, { state: "out-of-service" }),
  ];
  const found = counts(rows);
  assert.deepEqual(found.tabs, { acknowledge: 1, open: 2, shelved: 2, unknown: 1, pending: 1, history: 1 });
  assert.deepEqual([found.open.critical, found.open.minor, found.acknowledge.minor, found.unknown], [1, 1, 0, 1]);
  assert.equal(stateWord(rows[2]!), "unknown (acknowledged)");
  assert.equal(stateWord(alert("7", 7, { unknown: true, state: "normal" })), "over");
  assert.equal(under("open", alert("8", 8, { unknown: true })), true, "a gap ends no alert");
});

test("filters find by glob, rule, severity and words", () => {
  for (const [pattern, path, expected] of [
    ["plant1/**", "plant1/hall1/pump1", true], ["plant1/**", "plant10/pump1", false], ["plant1/**/pump*", "plant1/pump1", true],
    ["plant1/*", "plant1/hall1/pump1", false], ["plant1/*/pump?", "plant1/hall1/pump1", true], ["plant1/hall1", "plant1/hall1/pump1", true],
    ["plant1/hall", "plant1/hall1/pump1", false], ["", "x", true], ["**", "x", true], ["a(b", "a(b", true], ["a.b/*", "aXb/c", false],
  ] as const) assert.equal(glob(pattern)(path), expected, `${pattern} ${path}`);
  const none = { severities: [] as Severity[], asset: "", rule: "", text: "" };
  assert.equal(matches({ ...none, text: "HOLDS squeak" })(alert("1", 1)), true);
  assert.equal(matches({ ...none, text: "bearing" })(alert("1", 1)), false);
  assert.equal(matches({ ...none, severities: ["critical"] })(alert("1", 1)), false);
  assert.equal(matches({ ...none, rule: "squeak" })(alert("1", 1)), true);
});

test("rows fold by asset or rule in the order of the worst, and a hand holds the list still", () => {
  const rows = [alert("1", 1, { asset: "b" }), alert("2", 2, { asset: "a" }), alert("3", 3, { asset: "b" })];
  assert.deepEqual(fold(rows, "asset").map(({ key, alerts }) => [key, alerts.length]), [["b", 2], ["a", 1]]);
  assert.equal(fold(rows, "").length, 3);
  assert.deepEqual(held(["2", "9"], rows), { order: ["2", "9"], newer: 2 });
});

test("what an alert can take is what AlertState::allows says", () => {
  const can = (state: AlertState) => (["acknowledge", "shelve", "unshelve", "comment"] as Action[]).filter((action) => allows(state, action)).join(" ");
  assert.deepEqual(
    (["unacknowledged", "acknowledged", "returned", "shelved", "suppressed", "out-of-service", "pending", "normal"] as AlertState[]).map(can),
    ["acknowledge shelve comment", "shelve comment", "acknowledge shelve comment", "acknowledge shelve unshelve comment",
      "acknowledge shelve comment", "acknowledge shelve comment", "comment", "comment"],
  );
});

test("each state has a filling of its own, and withdrawn is struck", () => {
  assert.deepEqual(
    (["unacknowledged", "returned", "acknowledged", "pending", "shelved", "suppressed"] as AlertState[]).map((state) => filling(state, false)),
    ["full", "half", "outline", "dotted", "clock", "bar"],
  );
  assert.equal(filling("unacknowledged", true), "struck");
});

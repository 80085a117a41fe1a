import assert from "node:assert/strict";
import test from "node:test";
import { ApiProblem } from "../src/data/api";
import { perform } from "../src/parts/actions";
import type { Alert, AlertState } from "../src/data/types";

const alert = (id: string, state: AlertState): Alert => ({ id, state, unknown: false, withdrawn: false }) as Alert;

test("what cannot take an action is skipped with the reason, the others go in one request", async () => {
  const sent: string[][] = [];
  const outcome = await perform([alert("a", "unacknowledged"), alert("b", "normal"), alert("c", "returned"), alert("d", "unacknowledged")], "acknowledge", {}, {
    one: () => Promise.reject(new Error("one at a time")),
    many: (alerts) => {
      sent.push(alerts.map(({ id }) => id));
      return Promise.resolve([{ id: "d", why: "the alert has been acknowledged already" }]);
    },
  });
  assert.deepEqual(sent, [["a", "c", "d"]]);
  assert.deepEqual(outcome.done.map(({ id }) => id), ["a", "c"]);
  assert.deepEqual(outcome.skipped.map(({ alert: one, why }) => [one.id, why]), [["b", "it is over"], ["d", "the alert has been acknowledged already"]]);
});

test("without contact nothing is done, and nothing is kept to be sent later", async () => {
  const many = Array.from({ length: 2_500 }, (_, at) => alert(`a${at}`, "unacknowledged"));
  let calls = 0;
  const outcome = await perform(many, "acknowledge", {}, {
    one: () => Promise.resolve(200),
    many: () => {
      calls += 1;
      return calls === 1 ? Promise.resolve([]) : Promise.reject(new ApiProblem(0, "no contact", "the server does not answer", ""));
    },
  });
  assert.equal(calls, 2);
  assert.equal(outcome.done.length, 1_000);
  assert.equal(outcome.skipped.length, 1_500);
  assert.equal(outcome.skipped[0]!.why, "the server does not answer");
});

test("an action that is recorded but not visible yet says so", async () => {
  const outcome = await perform([alert("a", "unacknowledged")], "shelve", {}, { one: () => Promise.resolve(202), many: () => Promise.reject(new Error()) });
  assert.deepEqual([outcome.done.length, outcome.later], [1, 1]);
});

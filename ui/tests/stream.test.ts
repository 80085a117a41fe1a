import assert from "node:assert/strict";
import test from "node:test";
import { Stream, wait, type Events } from "../src/data/stream";

type Heard = (event: { data?: string; lastEventId?: string }) => void;

class Fake implements Events {
  readyState = 0;
  closed = false;
  private heard = new Map<string, Heard>();
  constructor(readonly url: string) {}
  close() {
    this.closed = true;
    this.readyState = 2;
  }
  addEventListener(kind: string, heard: Heard) {
    this.heard.set(kind, heard);
  }
  tell(kind: string, event: { data?: string; lastEventId?: string } = {}) {
    this.heard.get(kind)?.(event);
  }
  alert(offset: number) {
    this.tell("alert", { data: JSON.stringify({ id: `a${offset}` }), lastEventId: String(offset) });
  }
}

function stand(after: number) {
  const opened: Fake[] = [];
  const waiting: { ms: number; run: () => void; cancelled: boolean }[] = [];
  const seen: number[] = [];
  const states: boolean[] = [];
  let gaps = 0;
  const stream = new Stream("/v1/alerts/stream", after, {
    open: (url) => {
      const fake = new Fake(url);
      opened.push(fake);
      return fake;
    },
    later: (ms, run) => {
      const one = { ms, run, cancelled: false };
      waiting.push(one);
      return () => {
        one.cancelled = true;
      };
    },
    random: () => 1,
  }, { event: (_, offset) => seen.push(offset), gap: () => { gaps += 1; }, state: (open) => states.push(open) });
  return { stream, opened, waiting, seen, states, gaps: () => gaps };
}

test("it begins behind the place that lists are asked from, and goes on behind the last event", () => {
  const { stream, opened, seen, waiting } = stand(41);
  assert.equal(opened[0]!.url, "/v1/alerts/stream?after=41");
  opened[0]!.tell("open");
  opened[0]!.alert(42);
  opened[0]!.alert(45);
  // 503: the browser gives up for good, so it is opened again after a while, behind what was seen.
  opened[0]!.readyState = 2;
  opened[0]!.tell("error");
  assert.equal(opened.length, 1);
  waiting[0]!.run();
  assert.equal(opened[1]!.url, "/v1/alerts/stream?after=45");
  assert.deepEqual(seen, [42, 45]);
  assert.equal(stream.after, 45);
});

test("an event twice is one, broken ones and those of a closed stream are none", () => {
  const { stream, opened, seen } = stand(0);
  opened[0]!.alert(1);
  opened[0]!.alert(1);
  opened[0]!.tell("alert", { data: "{", lastEventId: "2" });
  opened[0]!.alert(3);
  stream.again();
  opened[0]!.alert(9);
  opened[1]!.alert(3);
  opened[1]!.alert(4);
  assert.equal(opened[1]!.url, "/v1/alerts/stream?after=3");
  assert.ok(opened[0]!.closed);
  assert.deepEqual(seen, [1, 3, 4]);
});

test("a break that the browser mends itself opens no second stream; a gap is told", () => {
  const { opened, waiting, states, gaps } = stand(0);
  opened[0]!.tell("open");
  opened[0]!.readyState = 0;
  opened[0]!.tell("error");
  opened[0]!.tell("open");
  opened[0]!.tell("gap", { data: "{}" });
  assert.equal(waiting.length, 0);
  assert.deepEqual(states, [true, false, true]);
  assert.equal(gaps(), 1);
});

test("it waits longer each time, up to 30 s, and begins anew once it was open", () => {
  assert.deepEqual([0, 1, 2, 5, 40].map((attempt) => wait(attempt, 1)), [1_000, 2_000, 4_000, 30_000, 30_000]);
  assert.ok(wait(0, 0) > 0 && wait(5, 0) < 30_000);
  const { opened, waiting } = stand(0);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    opened.at(-1)!.readyState = 2;
    opened.at(-1)!.tell("error");
    waiting.at(-1)!.run();
  }
  assert.deepEqual(waiting.map(({ ms }) => ms), [1_000, 2_000, 4_000]);
  opened.at(-1)!.tell("open");
  opened.at(-1)!.readyState = 2;
  opened.at(-1)!.tell("error");
  assert.equal(waiting.at(-1)!.ms, 1_000);
});

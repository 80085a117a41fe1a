import assert from "node:assert/strict";
import test from "node:test";
import { allowsRole } from "../src/shell/settings";
import { link, parse } from "../src/shell/router";

test("a place goes into the URL and comes back the same", () => {
  for (const [page, rest, params] of [
    ["fleet", "", { q: "pump 1" }], ["assets", "plant1/hall 1/pump?2", { last: "7d" }], ["assets", "a/<script>&#%", {}], ["alerts", "", { severity: "critical,major" }],
  ] as const) {
    const url = new URL(link(page, rest, params), "http://x");
    const found = parse(url.pathname, url.search);
    assert.deepEqual([found.page, found.rest, Object.fromEntries(found.params)], [page, rest, params]);
  }
});

test("the root is the fleet, and a broken escape is no crash", () => {
  assert.equal(parse("/ui/", "").page, "fleet");
  assert.equal(parse("/ui", "").page, "fleet");
  assert.equal(parse("/ui/assets/%E0%A4%A", "").page, "assets");
});

test("what a role may do follows the order of roles; an unknown one is for the server to judge", () => {
  const roles = ["ingest", "viewer", "operator", "engineer", "administrator", "auditor"];
  assert.deepEqual(roles.map((role) => allowsRole(role, "operator")), [false, false, true, true, true, true]);
  assert.deepEqual(roles.map((role) => allowsRole(role, "engineer")), [false, false, false, true, true, true]);
});

// Contrast by WCAG 2.2's formula, of every pair of tokens that stand on one another, computed from the CSS.
import assert from "node:assert/strict";
import fs from "node:fs";
import test from "node:test";

const css = fs.readFileSync("src/style.css", "utf8");

function tokens(block: string): Record<string, string> {
  return Object.fromEntries([...block.matchAll(/--([a-z0-9-]+): (#[0-9A-Fa-f]{6});/g)].map((found) => [found[1]!, found[2]!]));
}

/** The declarations of the block that begins with `start`. */
function block(start: string): string {
  const from = css.indexOf(start);
  assert.ok(from >= 0, `${start} is not in the CSS`);
  return css.slice(from, css.indexOf("}", from));
}

const light = tokens(block(":root {"));
const dark = tokens(block(':root[data-theme="dark"] {'));

function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

test("the formula is WCAG's", () => {
  assert.equal(contrast("#FFFFFF", "#000000"), 21);
  assert.equal(contrast("#777777", "#FFFFFF").toFixed(2), "4.48");
});

test("both themes have every token, and the dark one is the same by choice and by system", () => {
  assert.deepEqual(Object.keys(dark).sort(), Object.keys(light).sort());
  assert.deepEqual(tokens(block(':root:not([data-theme="light"]) {')), dark);
});

for (const [name, theme] of [["light", light], ["dark", dark]] as const) {
  const grounds = ["bg", "panel", "well", "sel"];
  const least = (token: string, on: string[], ratio: number) => {
    for (const ground of on) {
      const found = contrast(theme[token]!, theme[ground]!);
      assert.ok(found >= ratio, `${name}: ${token} on ${ground} has ${found.toFixed(2)}, needs ${ratio}`);
    }
  };
  test(`${name}: text has 4.5 on every ground`, () => {
    for (const token of ["ink", "ink2", "critical", "major", "minor", "warning", "unknown", "prediction"]) least(token, grounds, 4.5);
    least("ctl", ["well"], 4.5);
  });
  test(`${name}: borders of controls, the focus and chart inks have 3`, () => {
    least("rim", grounds, 3);
    least("focus", grounds, 3);
    for (const token of ["ink-a", "ink-b", "ink-c", "ink-d"]) least(token, ["well"], 3);
  });
  test(`${name}: no two severities have one fill`, () => {
    const fills = ["critical", "major", "minor", "warning"].map((severity) => theme[`${severity}-fill`]);
    assert.equal(new Set(fills).size, 4);
  });
}

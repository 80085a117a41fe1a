// What people do with the console, in a real browser against a real server.
import assert from "node:assert/strict";
import { after, before, beforeEach, afterEach, test } from "node:test";
import { open } from "./browser.mjs";
import { eventually, Server } from "./server.mjs";

let server;
let chrome;
let contexts = [];
let faults = [];

before(async () => {
  server = await Server.start();
  chrome = await open();
});
after(async () => {
  await chrome?.browser.close();
  await server?.end();
});
beforeEach(() => {
  contexts = [];
  faults = [];
});
afterEach(async () => {
  for (const context of contexts) await context.close();
  assert.deepEqual(faults.flat(), [], "console errors, policy violations, requests elsewhere");
});

/** A person with a browser of their own. */
async function person(name, options = {}) {
  const context = await chrome.browser.newContext({ viewport: { width: 1300, height: 800 }, ...options });
  contexts.push(context);
  if (name) await context.addInitScript((who) => localStorage.setItem("forewarn.person", who), name);
  const page = await context.newPage();
  faults.push(chrome.watch(page));
  return page;
}

const row = (page, asset) => page.locator("table.alerts tbody tr", { hasText: asset });

test("an alert comes by itself, is taken with one key, and the other person sees by whom", async () => {
  const [anna, ole] = [await person("anna"), await person("ole")];
  await anna.goto(`${server.pages}/ui/alerts`);
  await ole.goto(`${server.pages}/ui/alerts?tab=open`);
  await anna.getByText("No alert is open.").waitFor();
  await server.send("plant1/hall1/pump1", "temperature", 95);
  await row(anna, "plant1/hall1/pump1").waitFor();
  assert.match(await row(anna, "plant1/hall1/pump1").textContent(), /too-hot: .*95.*Reduce speed.*Seal damage/);
  await row(ole, "plant1/hall1/pump1").waitFor();
  // One click for the row, one key for the action.
  await row(anna, "plant1/hall1/pump1").locator("td.what").click({ position: { x: 300, y: 10 } });
  await anna.keyboard.press("a");
  await anna.getByText("plant1/hall1/pump1 too-hot acknowledged").waitFor();
  await eventually(async () => /acknowledged.*anna/.test(await row(ole, "plant1/hall1/pump1").textContent()), "ole sees that anna has it");
  assert.equal((await server.alerts())[0].acknowledged_by, "anna");
});

test("who acts is asked for once, and nothing is sent before", async () => {
  await server.send("plant1/hall1/pump2", "temperature", 96);
  const page = await person("");
  await page.goto(`${server.pages}/ui/alerts?text=pump2`);
  await row(page, "pump2").locator("input").check();
  await page.keyboard.press("Escape");
  await row(page, "pump2").locator("input").check();
  await page.getByRole("button", { name: /^Acknowledge/ }).click();
  await page.getByText("Your name, as it stands beside what you do").waitFor();
  assert.equal((await server.alerts()).find((one) => one.asset.endsWith("pump2")).state, "unacknowledged");
  await page.keyboard.type("berit");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: /^Acknowledge/ }).click();
  await page.getByText("too-hot acknowledged").waitFor();
  assert.equal((await server.alerts()).find((one) => one.asset.endsWith("pump2")).acknowledged_by, "berit");
});

test("shelving takes an end and a reason, and can be undone", async () => {
  await server.send("plant1/hall1/pump3", "temperature", 97);
  const page = await person("anna");
  await page.goto(`${server.pages}/ui/alerts?text=pump3`);
  await row(page, "pump3").locator("input").check();
  await page.getByRole("button", { name: /^Shelve/ }).click();
  await page.getByLabel("For how long").selectOption("24h");
  await page.getByLabel("Why").selectOption("maintenance");
  await page.getByLabel("Remark").fill("bearing is being changed");
  await page.getByRole("button", { name: "Shelve 1", exact: false }).or(page.locator("dialog button.main")).first().click();
  await page.getByText("too-hot shelved").waitFor();
  const shelved = (await server.alerts()).find((one) => one.asset.endsWith("pump3"));
  assert.equal(shelved.state, "shelved");
  assert.ok(shelved.shelved_until);
  await page.getByRole("button", { name: "Undo" }).click();
  await eventually(async () => (await server.alerts()).find((one) => one.asset.endsWith("pump3")).state !== "shelved", "it is back");
});

test("inputs that fail to come make an alert unknown on the screen, never well", async () => {
  const page = await person("anna");
  await page.goto(`${server.pages}/ui/alerts?text=short-sighted`);
  await server.send("plant1/hall1/pump4", "pressure", 7);
  await row(page, "pump4").waitFor();
  await eventually(async () => /unknown/.test(await row(page, "pump4").textContent()), "it is unknown");
  assert.equal(await page.locator(".doubt-text", { hasText: "?" }).first().isVisible(), true);
  await page.goto(`${server.pages}/ui/`);
  await page.getByText(/cannot tell: inputs are missing/).first().waitFor();
});

test("a killed server shows within 15 s, actions stop, and after its return nothing is lost or twice", async () => {
  const page = await person("anna");
  await page.goto(`${server.pages}/ui/alerts`);
  await page.locator(".contact", { hasText: "live" }).waitFor();
  await row(page, "pump1").locator("input").check();
  const killed = Date.now();
  await server.kill();
  await page.locator(".lost-line").waitFor({ timeout: 60_000 });
  const seconds = (Date.now() - killed) / 1000;
  console.log(`# no contact shown after ${seconds.toFixed(1)} s`);
  assert.ok(seconds < 17, `stale is shown after ${seconds} s`);
  assert.equal(await page.getByRole("button", { name: /^Acknowledge/ }).isDisabled(), true);
  assert.ok(await page.locator(".panel.stale").count() > 0);
  await server.run();
  await server.send("plant1/hall1/pump5", "temperature", 99);
  await page.keyboard.press("Escape");
  await page.mouse.move(700, 10);
  await page.locator(".contact", { hasText: "live" }).waitFor();
  await eventually(async () => (await row(page, "pump5").count()) === 1, "the alert of meanwhile, once");
  await eventually(async () => (await page.locator(".lost-line").count()) === 0, "contact again");
  const shown = await page.locator("table.alerts tbody tr").count();
  assert.equal(shown, (await server.alerts()).filter((one) => !["shelved", "suppressed", "out-of-service"].includes(one.state)).length);
});

test("the list stands still under the pointer, and newer rows wait", async () => {
  const page = await person("anna");
  await page.goto(`${server.pages}/ui/alerts`);
  await row(page, "pump1").waitFor();
  await row(page, "pump1").hover();
  const before = await page.locator("table.alerts tbody tr").count();
  await server.send("plant1/hall2/pump6", "temperature", 99);
  await page.getByText(/1 newer: show/).waitFor();
  assert.equal(await page.locator("table.alerts tbody tr").count(), before);
  await page.keyboard.press("n");
  await row(page, "pump6").waitFor();
});

test("several alerts are taken at once; those that cannot be are counted and skipped", async () => {
  for (const name of ["a", "b", "c"]) await server.send(`plant1/line1/press-${name}`, "temperature", 91);
  const page = await person("anna");
  await page.goto(`${server.pages}/ui/alerts?text=press-`);
  await eventually(async () => (await page.locator("table.alerts tbody tr").count()) === 3, "the three are there");
  await row(page, "press-a").locator("input").check();
  await page.keyboard.press("a");
  await page.getByText("press-a too-hot acknowledged").waitFor();
  for (const name of ["a", "b", "c"]) await row(page, `press-${name}`).locator("input").check();
  await page.getByText("3 selected: 3 major").waitFor();
  await page.keyboard.press("a");
  await page.getByText("2 alerts acknowledged").waitFor();
  await page.getByText(/press-a too-hot not acknowledged: it is acknowledged/).waitFor();
  assert.ok((await server.alerts()).filter((one) => one.asset.includes("press")).every((one) => one.acknowledged_by === "anna"));
});

test("every page opens in both themes and on a phone without an error or a word to another server", async () => {
  for (const options of [{ colorScheme: "light" }, { colorScheme: "dark" }, { viewport: { width: 360, height: 740 }, hasTouch: true }]) {
    const page = await person("anna", options);
    for (const path of ["", "alerts", "alerts?tab=history", "assets/plant1/hall1/pump1", "rules/too-hot", "explore", "jobs", "models", "system", "nowhere"]) {
      await page.goto(`${server.pages}/ui/${path}`);
      await page.locator("main h1, main .empty").first().waitFor();
      await eventually(async () => (await page.locator(".skeleton").count()) === 0, `${path} has loaded`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 0, `${path} is ${wide} px too wide`);
    }
  }
});

test("a question is asked, plotted and kept in the link", async () => {
  const page = await person("anna");
  await page.goto(`${server.pages}/ui/explore`);
  await page.getByLabel("SQL").fill("SELECT time, value, asset FROM readings WHERE signal = 'temperature' ORDER BY time");
  await page.getByLabel("SQL").press("Control+Enter");
  await page.getByText(/\d+ rows · /).waitFor();
  await page.getByRole("button", { name: "plot" }).click();
  await page.locator(".plot canvas").waitFor();
  assert.match(page.url(), /q=SELECT/);
  await page.getByLabel("SQL").fill("SELECT nothing FROM readings");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.locator(".refusal", { hasText: "nothing" }).waitFor();
});

test("a technician reports a repair from the machine's page", async () => {
  const page = await person("ole", { viewport: { width: 390, height: 844 }, hasTouch: true });
  await page.goto(`${server.pages}/ui/assets/plant1/hall1/pump1`);
  await page.getByRole("button", { name: /Report event/ }).tap();
  await page.getByLabel("Remark").fill("bearing changed");
  await page.getByRole("button", { name: "Report “repaired”" }).tap();
  await page.getByText("“bearing changed”").waitFor();
});

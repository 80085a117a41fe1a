// Pictures of the pages for a person to look at, in both themes and on a phone:
//   node flows/shots.mjs http://127.0.0.1:8080 [page …]      into .shots/
import fs from "node:fs";
import { open } from "./browser.mjs";

const [base = "http://127.0.0.1:8080", ...only] = process.argv.slice(2);
const PAGES = {
  fleet: "/ui/",
  alerts: "/ui/alerts",
  asset: "/ui/assets/plant1/hall1/pump2",
  system: "/ui/system",
  explore: "/ui/explore",
  jobs: "/ui/jobs",
  models: "/ui/models",
  rules: "/ui/rules",
};
const LOOKS = [
  ["light", { colorScheme: "light", viewport: { width: 1400, height: 860 } }],
  ["dark", { colorScheme: "dark", viewport: { width: 1400, height: 860 } }],
  ["phone", { colorScheme: "light", viewport: { width: 390, height: 844 }, hasTouch: true }],
];
fs.mkdirSync(".shots", { recursive: true });
const { browser, watch } = await open();
for (const [look, options] of LOOKS) {
  const context = await browser.newContext(options);
  for (const [name, path] of Object.entries(PAGES)) {
    if (only.length > 0 && !only.includes(name)) continue;
    const page = await context.newPage();
    const faults = watch(page);
    await page.goto(base + path, { waitUntil: "load" });
    await page.waitForTimeout(1_800);
    await page.screenshot({ path: `.shots/${name}-${look}.png` });
    if (faults.length > 0) console.log(name, look, faults);
    await page.close();
  }
  await context.close();
}
await browser.close();

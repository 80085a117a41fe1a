// Debian's Chromium, driven by playwright-core; and a watch for what no page may do.
import fs from "node:fs";
import { chromium } from "playwright-core";

export async function open() {
  const executablePath = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(fs.existsSync);
  if (!executablePath) throw new Error("no Chromium found: apt-get install chromium, or CHROMIUM=/path/to/it");
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  return { browser, watch };
}

/** Collects console errors, policy violations and requests to another origin. */
export function watch(page) {
  const faults = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource|ERR_/.test(message.text())) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    const home = page.url() === "about:blank" ? url.origin : new URL(page.url()).origin;
    if (url.protocol.startsWith("http") && url.origin !== home) faults.push(`elsewhere: ${request.url()}`);
  });
  return faults;
}

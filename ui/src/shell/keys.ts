// Keys: one list, from which the help is made too. Off in inputs, and can be turned off.

import { signal } from "@preact/signals";
import { go, link } from "./router";
import { shortcuts } from "./settings";

export const helpOpen = signal(false);

export const PAGES: { key: string; page: string; name: string }[] = [
  { key: "f", page: "fleet", name: "Fleet" },
  { key: "a", page: "alerts", name: "Alerts" },
  { key: "r", page: "rules", name: "Rules" },
  { key: "e", page: "explore", name: "Explore" },
  { key: "j", page: "jobs", name: "Jobs" },
  { key: "m", page: "models", name: "Models" },
  { key: "y", page: "system", name: "System" },
];

export const HELP: [string, string][] = [
  ["?", "these keys"],
  ["/", "search"],
  ["g, then a letter", PAGES.map(({ key, name }) => `${key} ${name}`).join(", ")],
  ["j k or ↓ ↑", "next, previous row"],
  ["x or Space", "select the row"],
  ["Enter", "open the row"],
  ["Esc", "back, close"],
  ["a s u c", "acknowledge, shelve, unshelve, comment"],
  ["1 2 3 4", "only critical, major, minor, warning"],
  ["n", "show newer rows"],
  ["f", "hold the list, let it go"],
];

/** What the page on the screen does with a key; true if it took it. */
export const pageKeys: { handle: ((event: KeyboardEvent) => boolean) | null } = { handle: null };

let waitsForPage = false;

export function listen(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    // A box that was ticked by the mouse keeps the focus; keys go on working there.
    if (target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], dialog")) return;
    if (!shortcuts.value) return;
    if (waitsForPage) {
      waitsForPage = false;
      const found = PAGES.find(({ key }) => key === event.key);
      if (found) {
        event.preventDefault();
        go(link(found.page));
      }
      return;
    }
    if (event.key === "g") waitsForPage = true;
    else if (event.key === "?") helpOpen.value = true;
    else if (event.key === "/") document.querySelector<HTMLInputElement>("#search")?.focus();
    else if (!pageKeys.handle?.(event)) return;
    event.preventDefault();
  });
}

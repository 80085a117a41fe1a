// What this screen remembers: theme, zone, the name of who acts. No secret is ever kept here.

import { effect, signal } from "@preact/signals";

function kept(key: string): string {
  try {
    return localStorage.getItem(`forewarn.${key}`) ?? "";
  } catch {
    return "";
  }
}

function keep(key: string, value: string): void {
  try {
    if (value) localStorage.setItem(`forewarn.${key}`, value);
    else localStorage.removeItem(`forewarn.${key}`);
  } catch {
    // Storage may be forbidden; the setting then holds until the page is closed.
  }
}

export const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
/** "" as the system says, or "light", "dark". */
export const theme = signal(kept("theme"));
export const zone = signal(kept("zone") === "UTC" ? "UTC" : browserZone);
export const person = signal(kept("person"));
/** Set where the server knows who one is; the name is its own then. */
export const signedIn = signal<{ name: string; role: string } | null>(null);
const ROLES = ["ingest", "viewer", "operator", "engineer", "administrator"];

/** Whether a role may act as another may; pure. */
export function allowsRole(role: string, least: "operator" | "engineer"): boolean {
  const at = ROLES.indexOf(role);
  // A role that this console does not know is for the server to judge.
  return at < 0 || at >= ROLES.indexOf(least);
}

/** Whether whoever is signed in may do what this role may; without users everybody may. The server has the last word. */
export function may(least: "operator" | "engineer"): boolean {
  return signedIn.value === null || allowsRole(signedIn.value.role, least);
}

export const shortcuts = signal(kept("shortcuts") !== "off");
/** Counts changes of theme, so that charts are drawn in its colours. */
export const themeRound = signal(0);

export function apply(): void {
  effect(() => {
    if (theme.value) document.documentElement.dataset.theme = theme.value;
    else delete document.documentElement.dataset.theme;
    keep("theme", theme.value);
    themeRound.value = themeRound.peek() + 1;
  });
  effect(() => keep("zone", zone.value === "UTC" ? "UTC" : ""));
  effect(() => keep("person", person.value));
  effect(() => keep("shortcuts", shortcuts.value ? "" : "off"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    themeRound.value += 1;
  });
}

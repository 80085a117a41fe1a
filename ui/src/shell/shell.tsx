// The shell, always there: what is wrong, whether there is contact, what time it is, who acts; and the pages.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { SEVERITIES } from "../data/alerts";
import { clock, day, duration, full, zoneName } from "../data/format";
import { alertsLoaded, contact, heardAt, now, present, streaming, tally } from "../data/live";
import { DIGITS, WORDS } from "../data/states";
import { Shape, Sprite } from "../parts/mark";
import { Toasts } from "../parts/toast";
import { Help, PersonDialog, personOpen } from "./dialogs";
import { PAGES, helpOpen, pageKeys } from "./keys";
import { go, link, place } from "./router";
import { browserZone, person, signedIn, theme, zone } from "./settings";
import { SignIn } from "./signin";

type Page = ComponentType<{ rest: string }>;

/** Each page is a chunk of its own, but for the two that are looked at first. */
export type Pages = Record<string, () => Promise<Page> | Page>;

export function Shell({ pages }: { pages: Pages }) {
  const { page, rest, params } = place.value;
  const wall = params.get("view") === "wall";
  useEffect(() => {
    document.documentElement.classList.toggle("wall", wall);
  }, [wall]);
  const title = PAGES.find((one) => one.page === page)?.name ?? "Asset";
  const { acknowledge } = tally.value;
  const waiting = SEVERITIES.reduce((sum, severity) => sum + acknowledge[severity], 0);
  useEffect(() => {
    document.title = `${waiting > 0 ? `(${waiting}) ` : ""}${rest || title} · Forewarn`;
  }, [waiting, title, rest]);
  return (
    <>
      <Sprite />
      <div class="shell">
        <Top />
        <nav class="pages" aria-label="pages">
          {PAGES.map((one) => (
            <a key={one.page} href={link(one.page)} aria-current={one.page === page ? "page" : undefined} title={`g ${one.key}`}>{one.name}</a>
          ))}
          <span class="spread" />
          <span class="second desk">Forewarn {present.value?.version}</span>
        </nav>
        <main id="main" tabIndex={-1}>
          <Contact />
          {contact.value === "sign-in" && <SignIn />}
          <Loaded key={page} page={page} rest={rest} pages={pages} />
        </main>
      </div>
      {helpOpen.value && <Help />}
      {personOpen.value && <PersonDialog />}
      <Toasts />
      <Announcer />
    </>
  );
}

/** Loads a page's code the first time it is opened. */
function Loaded({ page, rest, pages }: { page: string; rest: string; pages: Pages }) {
  const [found, set] = useState<{ page: Page | null; failed: boolean }>({ page: null, failed: false });
  useEffect(() => {
    pageKeys.handle = null;
    const load = pages[page];
    if (!load) return;
    let left = false;
    Promise.resolve(load()).then(
      (loaded) => left || set({ page: loaded, failed: false }),
      () => left || set({ page: null, failed: true }),
    );
    return () => {
      left = true;
    };
  }, [page]);
  if (!pages[page]) {
    return <div class="panel"><div class="empty"><p><b>There is no page {page}.</b></p><p><a href={link("fleet")}>To the fleet</a></p></div></div>;
  }
  if (found.failed) {
    return <div class="panel refusal" role="alert"><p><b>The page could not be loaded.</b> The server does not answer, or has been renewed: load again.</p></div>;
  }
  return found.page ? <found.page rest={rest} /> : null;
}

function Top() {
  const [text, set] = useState("");
  const counts = tally.value;
  const search = (event: Event) => {
    event.preventDefault();
    go(link("fleet", "", { q: text }));
  };
  return (
    <header class="top">
      <a class="name" href={link("fleet")}>Forewarn</a>
      <form role="search" onSubmit={search}>
        <input id="search" type="search" placeholder="/ search assets" aria-label="search assets" value={text}
          onInput={(event) => set(event.currentTarget.value)}
          onKeyDown={(event) => { if (event.key === "Escape") event.currentTarget.blur(); }} />
      </form>
      <div class="right">
        <div class="tallies" aria-label="to acknowledge of open, by severity">
          {SEVERITIES.map((severity) => {
            const [waiting, open] = [counts.acknowledge[severity], counts.open[severity]];
            const label = `${WORDS[severity]}: ${waiting} to acknowledge of ${open} open`;
            return (
              <a key={severity} class={open ? "" : "none"} title={label} aria-label={label}
                href={link("alerts", "", { tab: waiting ? "acknowledge" : "open", severity })}>
                <Shape severity={severity} fill={waiting ? "full" : "outline"} label={`${DIGITS[severity]}`} />
                {alertsLoaded.value ? <><b>{waiting}</b>/{open}</> : "–"}
              </a>
            );
          })}
          <a class={counts.unknown ? "doubt-text" : "none"} href={link("alerts", "", { tab: "unknown" })} title={`${counts.unknown} in doubt, as inputs are missing or bad`}>
            ?&nbsp;{alertsLoaded.value ? counts.unknown : "–"}
          </a>
        </div>
        <Pulse />
        <Clock />
        <button type="button" class="plain" onClick={() => { personOpen.value = true; }}>
          {signedIn.value?.name ?? (person.value || "who are you?")}
        </button>
      </div>
    </header>
  );
}

/** How long ago the server was heard; told also in colourless words. */
function Pulse() {
  void now.value;
  const state = contact.value;
  if (state === "starting") return <span class="contact">connecting …</span>;
  if (state === "sign-in") return <span class="contact">not signed in</span>;
  const silent = performance.now() - heardAt.value;
  if (state === "lost") return <span class="contact lost">no contact {duration(silent)}</span>;
  return <span class="contact">{streaming.value ? "live" : "reconnecting"} {duration(silent)}</span>;
}

function Clock() {
  const [, beat] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => beat((value) => value + 1), 1_000);
    return () => clearInterval(timer);
  }, []);
  const other = zone.value === "UTC" ? browserZone : "UTC";
  if (!present.value) return null;
  return (
    <button type="button" class="plain clock" title={`${full(now.value, zone.value)}: the server's clock. Click: ${other}`}
      onClick={() => { zone.value = other; }}>
      {day(now.value, zone.value)} {clock(now.value, zone.value)} {zoneName(zone.value)}
    </button>
  );
}

function Contact() {
  if (contact.value !== "lost") return null;
  void now.value;
  const silent = performance.now() - heardAt.value;
  const at = clock(now.value, zone.value);
  return (
    <div class="lost-line" role="alert">
      No contact with the server for {duration(silent)}. What you see is of {at} by its clock. Nothing can be done until it answers again.
    </div>
  );
}

/** New critical and major alerts are read out, one message in 5 s at most. */
function Announcer() {
  const [text, set] = useState("");
  const { critical, major } = tally.value.acknowledge;
  useEffect(() => {
    if (critical + major === 0) return;
    const timer = setTimeout(() => set(`${critical} critical and ${major} major alerts to acknowledge`), 5_000);
    return () => clearTimeout(timer);
  }, [critical, major]);
  return <div class="visually-hidden" aria-live="polite">{text}</div>;
}

export function themeName(): string {
  return theme.value || "as the system";
}

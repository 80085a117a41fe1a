// The URL is the state: which page, and what it shows. Back works.

import { signal } from "@preact/signals";

export interface Place {
  page: string;
  rest: string;
  params: URLSearchParams;
}

/** Where a URL leads: `/ui/assets/plant1/hall1/pump2?last=7d`. Pure. */
export function parse(pathname: string, search: string): Place {
  const path = pathname.replace(/^\/ui\/?/, "");
  const cut = path.indexOf("/");
  const page = cut < 0 ? path : path.slice(0, cut);
  let rest = cut < 0 ? "" : path.slice(cut + 1);
  try {
    rest = rest.split("/").map(decodeURIComponent).join("/");
  } catch {
    // A broken escape names nothing; the page says so.
  }
  return { page: page || "fleet", rest, params: new URLSearchParams(search) };
}

export function link(page: string, rest = "", params: Record<string, string | null | undefined> = {}): string {
  const path = rest ? `/${rest.split("/").map(encodeURIComponent).join("/")}` : "";
  const kept = Object.entries(params).filter((pair): pair is [string, string] => !!pair[1]);
  const search = kept.length ? `?${new URLSearchParams(kept)}` : "";
  return page === "fleet" && !path ? `/ui/${search}` : `/ui/${page}${path}${search}`;
}

export const place = signal<Place>(
  typeof location === "undefined" ? parse("/ui/", "") : parse(location.pathname, location.search),
);

function read(): void {
  place.value = parse(location.pathname, location.search);
}

export function go(url: string): void {
  history.pushState(null, "", url);
  read();
  document.querySelector("main")?.scrollTo(0, 0);
}

/** Changes what the page shows; typing replaces, choosing can be taken back. */
export function setParams(changes: Record<string, string | null>, replace = false): void {
  const params = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(changes)) {
    if (value) params.set(key, value);
    else params.delete(key);
  }
  const search = params.toString();
  const url = location.pathname + (search ? `?${search}` : "");
  if (replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  read();
}

export function listen(): void {
  addEventListener("popstate", read);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const anchor = (event.target as Element | null)?.closest?.("a");
    if (!anchor || anchor.target || anchor.hasAttribute("download")) return;
    if (anchor.origin !== location.origin || !anchor.pathname.startsWith("/ui/")) return;
    event.preventDefault();
    go(anchor.pathname + anchor.search);
  });
}

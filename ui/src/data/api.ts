// The only place that speaks HTTP. What the server refuses comes back in its own words.

export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly hint: string,
    readonly body: unknown = null,
  ) {
    super(detail || title);
  }

  get noContact(): boolean {
    return this.status === 0;
  }
}

/** What the shell wants to know of each answer: contact, or that one must sign in. */
export const watchers: { heard: () => void; refused: () => void } = { heard: () => {}, refused: () => {} };

export interface Options {
  method?: string;
  body?: unknown;
  accept?: string;
  signal?: AbortSignal;
  /** Milliseconds until an answer counts as none. */
  within?: number;
}

export async function ask(path: string, options: Options = {}): Promise<Response> {
  const { method = "GET", body, accept = "application/json", within = 30_000 } = options;
  const headers: Record<string, string> = { accept };
  if (body !== undefined) headers["content-type"] = "application/json";
  const late = AbortSignal.timeout(within);
  const signal = options.signal ? anyOf(options.signal, late) : late;
  let response: Response;
  try {
    response = await fetch(path, {
      method, headers, signal, cache: "no-store", credentials: "same-origin",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiProblem(0, "no contact", "the server does not answer", "it is asked again by itself; see that it runs");
  }
  watchers.heard();
  if (response.ok) return response;
  if (response.status === 401) watchers.refused();
  throw await problem(response);
}

function anyOf(a: AbortSignal, b: AbortSignal): AbortSignal {
  const all = new AbortController();
  for (const signal of [a, b]) {
    if (signal.aborted) all.abort(signal.reason);
    signal.addEventListener("abort", () => all.abort(signal.reason), { once: true });
  }
  return all.signal;
}

async function problem(response: Response): Promise<ApiProblem> {
  let body: Record<string, unknown> = {};
  try {
    body = (await response.json()) as Record<string, unknown>;
  } catch {
    // An answer without JSON has its status alone.
  }
  const text = (key: string) => (typeof body[key] === "string" ? (body[key] as string) : "");
  return new ApiProblem(response.status, text("title") || `HTTP ${response.status}`, text("detail"), text("hint"), body);
}

export async function get<T>(path: string, options: Options = {}): Promise<T> {
  return (await (await ask(path, options)).json()) as T;
}

/** Does something; the status tells 200 (done) from 202 (recorded, takes effect soon). */
export async function act<T>(path: string, body: unknown, method = "POST"): Promise<{ status: number; value: T }> {
  const response = await ask(path, { method, body });
  const value = response.status === 204 ? (null as T) : ((await response.json().catch(() => null)) as T);
  return { status: response.status, value };
}

/** The path of an asset within a URL of the API. */
export const enc = encodeURIComponent;

export function query(values: Record<string, string | number | undefined | null>): string {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return pairs.length === 0 ? "" : `?${pairs.map(([key, value]) => `${key}=${enc(String(value))}`).join("&")}`;
}

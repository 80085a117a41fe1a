// One event stream that misses nothing: it goes on behind the last offset it has seen, whatever broke it.
// EventSource gives up for good on an HTTP error such as 503, so a new one is opened after a random time.

/** The part of EventSource that is needed, so that tests need no browser. */
export interface Events {
  readyState: number;
  close(): void;
  addEventListener(kind: string, heard: (event: { data?: string; lastEventId?: string }) => void): void;
}

export interface Surroundings {
  open(url: string): Events;
  later(ms: number, run: () => void): () => void;
  random(): number;
}

export interface Listener {
  event(value: unknown, offset: number): void;
  /** Records between were trimmed: lists must be asked for again. */
  gap(): void;
  state(open: boolean): void;
}

const CLOSED = 2;

/** Random within 1, 2, 4 … 30 s, so that not all screens come back at once. */
export function wait(attempt: number, random: number): number {
  return Math.round((0.25 + 0.75 * random) * Math.min(30_000, 1_000 * 2 ** Math.max(0, attempt)));
}

export class Stream {
  private source: Events | null = null;
  private cancel: (() => void) | null = null;
  private attempt = 0;
  private last: number;

  constructor(
    private readonly path: string,
    after: number,
    private readonly around: Surroundings,
    private readonly to: Listener,
  ) {
    this.last = after;
    this.connect();
  }

  /** The offset behind which the stream goes on. */
  get after(): number {
    return this.last;
  }

  close(): void {
    this.cancel?.();
    this.source?.close();
    this.source = null;
  }

  /** At once, as after sleep. */
  again(): void {
    this.close();
    this.attempt = 0;
    this.connect();
  }

  private connect(): void {
    const source = this.around.open(`${this.path}?after=${this.last}`);
    this.source = source;
    const mine = () => this.source === source;
    source.addEventListener("open", () => {
      if (!mine()) return;
      this.attempt = 0;
      this.to.state(true);
    });
    source.addEventListener("alert", (event) => {
      if (!mine()) return;
      const offset = Number(event.lastEventId);
      // An event twice is one: a proxy may replay, and a resume may overlap.
      if (!Number.isFinite(offset) || offset <= this.last) return;
      let value: unknown;
      try {
        value = JSON.parse(event.data ?? "");
      } catch {
        return;
      }
      this.last = offset;
      this.to.event(value, offset);
    });
    source.addEventListener("gap", () => {
      if (mine()) this.to.gap();
    });
    source.addEventListener("error", () => {
      if (!mine()) return;
      this.to.state(false);
      if (source.readyState !== CLOSED) return;
      this.source = null;
      this.cancel = this.around.later(wait(this.attempt++, this.around.random()), () => this.connect());
    });
  }
}

// Asking again and again, while somebody looks: what was there stays, a failure is kept beside it.

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiProblem } from "./api";
import { contact } from "./live";

export interface Asked<T> {
  data: T | null;
  problem: ApiProblem | null;
  loading: boolean;
  again: () => void;
}

/** Asks `fetcher` now, whenever `key` changes, and every `everyMs`; 0: once. Slower where answers are slow. */
export function useAsk<T>(key: string, fetcher: (signal: AbortSignal) => Promise<T>, everyMs: number): Asked<T> {
  const [state, set] = useState<{ key: string; data: T | null; problem: ApiProblem | null; loading: boolean }>({
    key, data: null, problem: null, loading: true,
  });
  const [round, setRound] = useState(0);
  const latest = useRef(fetcher);
  latest.current = fetcher;
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    set((old) => ({ key, data: old.key === key ? old.data : null, problem: null, loading: true }));
    const run = async () => {
      const begun = performance.now();
      if (!document.hidden && contact.value !== "sign-in") {
        try {
          const data = await latest.current(stop.signal);
          if (stop.signal.aborted) return;
          set({ key, data, problem: null, loading: false });
        } catch (error) {
          if (stop.signal.aborted) return;
          const problem = error instanceof ApiProblem
            ? error
            : new ApiProblem(0, "the console failed", String(error), "load the page again");
          set((old) => ({ ...old, problem, loading: false }));
        }
      }
      const took = performance.now() - begun;
      if (everyMs > 0 && !stop.signal.aborted) timer = setTimeout(run, Math.max(everyMs, 5 * took));
    };
    void run();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key, everyMs, round]);
  const fits = state.key === key;
  return {
    data: fits ? state.data : null,
    problem: fits ? state.problem : null,
    loading: fits ? state.loading : true,
    again: () => setRound((value) => value + 1),
  };
}

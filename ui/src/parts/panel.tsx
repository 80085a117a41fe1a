// A panel keeps its states to itself: one that fails leaves the others alone.

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { ApiProblem } from "../data/api";
import { contact } from "../data/live";

interface Props {
  title?: ComponentChildren;
  tools?: ComponentChildren;
  problem?: ApiProblem | null;
  loading?: boolean;
  /** There is something to show, even if it is old. */
  there?: boolean;
  again?: () => void;
  class?: string;
  children?: ComponentChildren;
}

export function Panel({ title, tools, problem, loading, there = true, again, children, ...rest }: Props) {
  const lost = contact.value === "lost";
  return (
    <section class={`panel${lost ? " stale" : ""} ${rest.class ?? ""}`} aria-busy={loading ? "true" : undefined}>
      {(title || tools) && (
        <header>
          {title && <h2>{title}</h2>}
          {tools && <div class="tools">{tools}</div>}
        </header>
      )}
      {loading && there && <div class="bar" />}
      {problem && !(problem.noContact && there) && <Refusal problem={problem} again={again} />}
      {there ? children : !problem && <Skeleton />}
    </section>
  );
}

/** The server's own words, and a way to ask again. That there is no contact the head of the page says once for all. */
export function Refusal({ problem, again }: { problem: ApiProblem; again?: (() => void) | undefined }) {
  return (
    <div class="refusal" role="alert">
      <p><b>{problem.title}.</b> {problem.detail}</p>
      {problem.hint && <p class="second">{problem.hint}</p>}
      {again && <button type="button" onClick={again}>Retry</button>}
    </div>
  );
}

/** Shown only where there was nothing, and only after a moment. */
function Skeleton() {
  const [shown, show] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => show(true), 150);
    return () => clearTimeout(timer);
  }, []);
  return <div class="skeleton" aria-label="loading">{shown && <><i /><i /><i /></>}</div>;
}

/** Empty says why, and what to do next. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p><b>{title}</b></p>
      {children}
    </div>
  );
}

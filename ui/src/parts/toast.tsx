// What was done, or why not; read out, and gone after a while.

import { signal } from "@preact/signals";

export interface Toast {
  id: number;
  text: string;
  bad?: boolean;
  undo?: (() => void) | undefined;
}

const toasts = signal<Toast[]>([]);
let next = 1;

export function say(text: string, options: { bad?: boolean; undo?: () => void } = {}): void {
  const toast: Toast = { id: next++, text, ...options };
  toasts.value = [...toasts.value.slice(-3), toast];
  setTimeout(() => drop(toast.id), options.bad ? 20_000 : 10_000);
}

function drop(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((toast) => (
        <div key={toast.id} class={toast.bad ? "toast bad" : "toast"}>
          <span>{toast.text}</span>
          {toast.undo && <button type="button" onClick={() => { toast.undo?.(); drop(toast.id); }}>Undo</button>}
          <button type="button" class="plain" aria-label="dismiss" onClick={() => drop(toast.id)}>×</button>
        </div>
      ))}
    </div>
  );
}

// The shapes of the API's answers, as /openapi.json describes them.

export type Severity = "critical" | "major" | "minor" | "warning";
export type AlertState =
  | "pending" | "unacknowledged" | "acknowledged" | "returned" | "normal" | "shelved" | "suppressed" | "out-of-service";

export interface Evidence {
  rule_version: string;
  from: string;
  to: string;
  values: { signal: string; time: string; value: number }[];
}

export interface Alert {
  id: string;
  rule: string;
  asset: string;
  severity: Severity;
  state: AlertState;
  unknown: boolean;
  withdrawn: boolean;
  started: string;
  raised: string | null;
  ended: string | null;
  value: number | null;
  score: number | null;
  message: string;
  consequence: string | null;
  action: string | null;
  acknowledged_by: string | null;
  shelved_until: string | null;
  evidence: Evidence;
  offset: number;
}

export interface Transition {
  offset: number;
  time: string;
  transition: string;
  state: AlertState;
  value: number | null;
  score: number | null;
  message: string;
  actor: string | null;
  comment: string | null;
}

export interface AlertDetail extends Alert {
  transitions: Transition[];
  transitions_left_out: number;
}

export interface Present {
  version: string;
  now: string;
  log: string;
  end: number;
  behind: number;
}

export interface AssetNode {
  asset: string;
  name: string;
  signals: string[];
  last_time: string | null;
  open_alerts: number;
}

export interface SignalNow {
  signal: string;
  unit: string | null;
  time: string | null;
  value: number | null;
  quality: "good" | "uncertain" | "bad" | null;
}

export interface Prediction {
  asset: string;
  model: string;
  version: string;
  time: string;
  made: string;
  data_age_s: number;
  unit: string;
  p05: number;
  p50: number;
  p95: number;
  cap: number;
  at_cap: boolean;
  contributions: { signal: string; weight: number }[];
  out_of_distribution: boolean;
  life_started: string;
  coverage: number | null;
}

export interface LifeEvent {
  event: string;
  time: string;
  actor: string | null;
  comment: string | null;
  offset: number;
  corrects: number | null;
  corrected_by: number | null;
}

export interface AssetDetail {
  asset: string;
  signals: SignalNow[];
  alerts: Alert[];
  prediction: Prediction | null;
  life_events: LifeEvent[];
}

export interface Point {
  time: string;
  value: number | null;
  quality: "good" | "uncertain" | "bad";
  min?: number | null;
  max?: number | null;
  count?: number;
  late?: boolean;
}

export interface History {
  unit: string | null;
  resolution: "raw" | "buckets";
  bucket_ms: number | null;
  readings: Point[];
}

export interface Run {
  run: string;
  job: string;
  kind: string;
  state: "queued" | "running" | "succeeded" | "failed" | "cancelled";
  from: string;
  to: string;
  time: string;
  trigger: string;
  rows: number | null;
  error: string | null;
  details: unknown;
}

export interface Job {
  name: string;
  kind: string;
  description: string;
  schedule: string;
  next: string | null;
  next_times: string[];
  running: string | null;
  queued: number;
  last: Run | null;
  note: string | null;
}

export interface Metrics {
  rmse: number;
  mae: number;
  late_share: number;
}

export interface Version {
  version: string;
  current: boolean;
  usable: boolean;
  summary: {
    trained: string;
    from: string;
    to: string;
    lives: number;
    rows: number;
    features: number;
    chosen: { algorithm: string } & Record<string, unknown>;
    metrics: Metrics;
    coverage: number | null;
    width: number | null;
    warnings?: string[];
    trials: { candidate: { algorithm: string } & Record<string, unknown>; metrics: Metrics }[];
  };
}

export interface Model {
  model: string;
  assets: string;
  signals: string[];
  unit: string;
  cap: number;
  version: Version | null;
  problem: string | null;
}

export interface RuleStates {
  normal: number;
  pending: number;
  alert: number;
  unknown: number;
  never_decided: number;
  retired: number;
}

export interface Rule {
  name: string;
  pipeline: string;
  severity: Severity;
  assets: string;
  condition: string;
  version: string;
  matches: number;
  states: RuleStates;
  notes: string[];
}

export interface RuleOnAsset {
  asset: string;
  state: keyof RuleStates;
  alert?: string;
  alert_state?: AlertState;
  why: string;
}

export interface Source {
  name: string;
  kind: string;
  connected: boolean;
  problem?: string;
  failures: number;
  received: number;
  last_received?: string;
  refused: number;
  dead_letters: number;
  lag: number;
}

export interface Check {
  name: string;
  ok: boolean;
  detail: string;
}

export interface SqlRows {
  columns: string[];
  rows: (string | number | boolean | null | object)[][];
  truncated?: boolean;
}

/*
 * Every number that `GET /metrics` shows. docs/observability.md says what to make of them.
 */

interface Counter {
  readonly help: string;
  readonly labels: readonly string[];
}

interface Histogram extends Counter {
  /** Upper bounds of the buckets, rising; beyond the last there is one more. */
  readonly buckets: readonly number[];
}

const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const EVENTS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_000];

/** What is counted where it happens, over the deployment's life. */
export const COUNTERS = {
  sequencer_http_requests_total: {
    help: "Requests by method, route and status; `unmatched` is every path without a route.",
    labels: ["method", "path", "status"],
  },
  sequencer_errors_total: { help: "Requests that were answered with an error, by its code.", labels: ["code"] },
  sequencer_authentication_failures_total: { help: "Requests that were answered with 401, by code.", labels: ["code"] },
  sequencer_rate_limit_refusals_total: { help: "Requests that were answered with 429, by route.", labels: ["path"] },
  sequencer_agent_registration_total: {
    help: "Attempts of agents to register themselves: `registered`, or `refused` with the error's code.",
    labels: ["outcome", "reason"],
  },
  sequencer_ves_events_received: { help: "Events in requests that were not refused as a whole.", labels: [] },
  sequencer_ves_events_verified: { help: "Received events that nothing is wrong with in themselves.", labels: [] },
  sequencer_events_ingested: { help: "Events that were given a number, as Workers were told.", labels: [] },
  sequencer_events_replayed: {
    help: "Events that were in the log already, and answered with their place.",
    labels: [],
  },
  sequencer_events_rejected: { help: "Events that were refused a number.", labels: [] },
  sequencer_event_rejections_total: { help: "The same by reason, without its details.", labels: ["reason"] },
  sequencer_errors_schema_validation: {
    help: "Events that do not match the schema of their type, refused or accepted with a warning.",
    labels: [],
  },
  sequencer_errors_database: {
    help: "Pieces of work on Postgres that failed, but the anchoring Worker's.",
    labels: [],
  },
  sequencer_batches_sealed: { help: "Batches that were sealed.", labels: [] },
  sequencer_events_sealed: { help: "Events in them.", labels: [] },
  sequencer_mirror_failures_total: { help: "Attempts to mirror a stream that failed.", labels: [] },
  sequencer_live_messages_sent: { help: "Messages of events and of batches to live subscribers.", labels: [] },
  sequencer_live_subscriptions_ended_total: {
    help: "Live subscriptions that the server has ended, by the code that they were closed with.",
    labels: ["code"],
  },
  sequencer_audit_events_logged: { help: "Entries of the audit logs of all tenants.", labels: [] },
  sequencer_rows_written_total: {
    help: "Rows written to SQLite, index entries included, by kind of object.",
    labels: ["object"],
  },
  sequencer_metrics_cardinality_overflow: {
    help: "Numbers that were dropped because there were too many sets of labels.",
    labels: [],
  },
} as const satisfies Readonly<Record<string, Counter>>;

export const HISTOGRAMS = {
  sequencer_http_request_latency_seconds: {
    help: "From a request's arrival at the Worker to its answer, by method and route.",
    labels: ["method", "path"],
    buckets: SECONDS,
  },
  sequencer_ingest_latency_seconds: {
    help: "From a checked request to its receipts: verification, append and signing.",
    labels: [],
    buckets: SECONDS,
  },
  sequencer_request_events_per_batch: { help: "Events of an ingest request.", labels: [], buckets: EVENTS },
  sequencer_append_latency_seconds: {
    help: "From an append's arrival at its stream's object to its events being on disk.",
    labels: [],
    buckets: SECONDS,
  },
  sequencer_mirror_latency_seconds: {
    help: "Writing what was sealed to Postgres, until nothing was left or it failed.",
    labels: [],
    buckets: SECONDS,
  },
} as const satisfies Readonly<Record<string, Histogram>>;

/** What is read when it is asked for. Each is left out while it cannot be told. */
export const GAUGES = {
  sequencer_metrics_up: "Whether the counters can be read.",
  sequencer_streams: "Streams that hold events.",
  sequencer_streams_unmirrored: "Streams with sealed events that are not in Postgres.",
  sequencer_events_unsealed: "Events in no batch yet.",
  sequencer_seal_oldest_unsealed_seconds: "Seconds since the oldest of them was sequenced; 0 when there is none.",
  sequencer_events_unmirrored: "Sealed events that are not in Postgres.",
  sequencer_mirror_oldest_unmirrored_seconds: "Seconds since the oldest of them was sequenced; 0 when there is none.",
  sequencer_mirror_up: "Whether the mirror in Postgres can be read.",
  sequencer_streams_frozen: "Streams that take no writes.",
  sequencer_streams_mirrored: "Streams with a batch in Postgres.",
  sequencer_batches_unanchored: "Batches in Postgres that are not final on chain.",
  sequencer_anchor_oldest_unanchored_seconds: "Seconds since the oldest of them was sealed; 0 when there is none.",
  sequencer_anchor_last_run_seconds: "Seconds since the anchoring Worker ran last; absent before the first run.",
  sequencer_anchor_last_success_seconds: "Seconds since a run of it went well; absent before the first.",
} as const satisfies Readonly<Record<string, string>>;

/** The sum of all streams' heads: it only rises, and is read from what streams report. */
export const EVENTS_SEQUENCED = {
  name: "sequencer_events_sequenced",
  help: "Events that have a number: the sum of all streams' heads.",
} as const;

export type CounterName = keyof typeof COUNTERS;
export type HistogramName = keyof typeof HISTOGRAMS;
export type GaugeName = keyof typeof GAUGES;

/** A value for each label of a metric. */
export type LabelsOf<Metric extends Counter> = Readonly<Record<Metric["labels"][number], string | number>>;

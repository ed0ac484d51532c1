/*
 * Variables that operators of other sequencers know and this one does not read, and what is there instead.
 * docs/configuration.md lists them, and `npm start` says it of those in .dev.vars.
 */

/** Names with a blank between them, and what is there instead of all of them. */
const GROUPS: readonly (readonly [names: string, instead: string])[] = [
  ["GRPC_PORT GRPC_DISABLED GRPC_REQUEST_TIMEOUT_SECS", "gRPC is not served; the HTTP API is all there is"],
  [
    "REQUEST_TIMEOUT_SECS",
    "a Worker runs for as long as its caller waits; `cpu_ms` under `[limits]` in `wrangler.toml` bounds its processor time",
  ],
  [
    "MAX_DB_CONNECTIONS MIN_DB_CONNECTIONS DB_ACQUIRE_TIMEOUT_MS DB_IDLE_TIMEOUT_SECS DB_MAX_LIFETIME_SECS",
    "Hyperdrive pools the connections to Postgres: `wrangler hyperdrive update --origin-connection-limit`",
  ],
  [
    "READ_DATABASE_URL READ_MAX_DB_CONNECTIONS READ_MIN_DB_CONNECTIONS READ_DB_ACQUIRE_TIMEOUT_MS " +
      "READ_DB_IDLE_TIMEOUT_SECS READ_DB_MAX_LIFETIME_SECS READ_DB_APPLICATION_NAME",
    "no replica is read: events come from their stream's object",
  ],
  ["DB_STATEMENT_TIMEOUT_MS", "every statement has its limit in `src/mirror/postgres.ts`"],
  ["DB_IDLE_IN_TX_TIMEOUT_MS DB_LOCK_TIMEOUT_MS", "settings of the Worker's role in Postgres: `ALTER ROLE … SET …`"],
  ["DB_APPLICATION_NAME ALLOW_INSECURE_LOCAL_DB", "part of the connection string that Hyperdrive is given"],
  ["DB_MIGRATE_ON_STARTUP", "`npm run admin -- migrate`; `npm start` does it by itself"],
  [
    "DB_STARTUP_MAX_RETRIES DB_STARTUP_RETRY_DELAY_SECS",
    "nothing waits for Postgres: streams go on without it, and drain when it returns",
  ],
  [
    "CACHE_COMMITMENT_MAX CACHE_COMMITMENT_TTL_SECS CACHE_VES_COMMITMENT_MAX CACHE_VES_COMMITMENT_TTL_SECS",
    "batches are read from their stream's object each time",
  ],
  [
    "CACHE_PROOF_MAX CACHE_PROOF_TTL_SECS CACHE_VES_PROOF_MAX CACHE_VES_PROOF_TTL_SECS",
    "proofs of mirrored batches never change, and stay in the edge's own cache",
  ],
  [
    "CACHE_AGENT_KEY_MAX CACHE_AGENT_KEY_TTL_SECS CACHE_SCHEMA_MAX CACHE_SCHEMA_TTL_SECS",
    "what an isolate remembers of a registry is checked by its version with each append",
  ],
  ["RATE_LIMIT_MAX_ENTRIES", "20,000 keys of a tenant are counted at once"],
  [
    "PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_MAX_ENTRIES PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_WINDOW_SECONDS",
    "always a minute, and 20,000 addresses in each of 16 objects that count them",
  ],
  [
    "VES_SEQUENCER_ML_DSA_SEED VES_SEQUENCER_SECURITY_PROFILE",
    "not served yet: events and receipts are signed with Ed25519 only",
  ],
  ["VES_STARK_VERIFY_ON_SUBMIT VES_STARK_VERIFY_CONCURRENCY", "not served yet: there are no validity proofs"],
  ["AUDIT_LOG_ENABLED", "not a choice: what is recorded is recorded in every deployment"],
  [
    "WORKER_LEADER_ELECTION",
    "always on: a run of the anchoring Worker takes a lease in Postgres, and a stream is one object",
  ],
  ["ANCHOR_INTERVAL_SECS", "the Cron Trigger in `workers/anchor/wrangler.toml`"],
  ["ANCHOR_BATCH_THRESHOLD", "a run sends what is sealed, up to `ANCHOR_MAX_BATCHES` in a transaction"],
  ["ANCHOR_FINALITY_POLL_SECS ANCHOR_RECONCILE_SECS", "every run of the anchoring Worker follows up what was sent"],
  [
    "LOG_FORMAT LOG_JSON LOG_CONSOLE",
    "every line of the log is JSON, for Workers Logs (`[observability]` in `wrangler.toml`) and `wrangler tail`",
  ],
  ["OTEL_SERVICE_VERSION", "traces name the version that runs"],
];

/** A group of variables that are not read, in the order of the document. */
export const UNREAD_VARIABLES = GROUPS.map(([names, instead]) => ({ names: names.split(" "), instead }));

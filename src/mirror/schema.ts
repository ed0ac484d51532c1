import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  customType,
  index,
  integer,
  type PgColumn,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";

/*
 * The mirror in Postgres: what the sequencer writes there, and the only source of its SQL. After a change,
 * `npm run migrations` writes the step in migrations/postgres. docs/storage-schema.md explains every column.
 *
 * There are no foreign keys: streams, registries and commitments are mirrored independently of each other, so a row may
 * be there before the one it speaks of.
 */

/** Bytes as they are; as text, every hash would take twice the room. */
const bytea = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });
/** Below 2^53 wherever the sequencer writes it. */
const bigNumber = () => bigint({ mode: "number" });
/** With milliseconds, as the objects keep times: what is mirrored compares equal. */
const time = () => timestamp({ precision: 3, withTimezone: true });
/** When the row arrived here; says how far the mirror lags, and nothing about the event. */
const mirroredAt = () => time().notNull().defaultNow();
const is32Bytes = (name: string, column: PgColumn) => check(name, sql`octet_length(${column}) = 32`);

/** The log of every stream, as the objects hold it. */
export const vesEvents = pgTable(
  "ves_events",
  {
    tenant_id: uuid().notNull(),
    store_id: uuid().notNull(),
    sequence_number: bigNumber().notNull(),
    event_id: uuid().notNull(),
    sequenced_at: time().notNull(),
    receipt_key_version: integer().notNull(),
    ves_version: integer().notNull(),
    source_agent_id: uuid().notNull(),
    agent_key_id: bigNumber().notNull(),
    entity_type: text().notNull(),
    entity_id: text().notNull(),
    entity_version: bigNumber().notNull(),
    event_type: text().notNull(),
    // The very text that was signed: a timestamp would come back written differently, and the signature not verify.
    created_at: text().notNull(),
    payload_kind: smallint().notNull(),
    // Canonical JSON, which hashes to the payload hash. jsonb would reorder it, and refuses \u0000.
    payload: text(),
    // The same encrypted, byte for byte as the stream's object holds it.
    payload_encrypted: bytea(),
    payload_plain_hash: bytea().notNull(),
    payload_cipher_hash: bytea(),
    event_signing_hash: bytea().notNull(),
    agent_signature: bytea().notNull(),
    signature_scheme: integer(),
    signature_bundle: text(),
    command_id: uuid(),
    base_version: bigNumber(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.store_id, table.sequence_number] }),
    // Ids are unique in a stream, not among streams. The id comes first so that an event is found by it alone.
    unique("ves_events_event_id").on(table.event_id, table.tenant_id, table.store_id),
    check("ves_events_payload", sql`num_nonnulls(${table.payload}, ${table.payload_encrypted}) = 1`),
  ],
);

/** Merkle commitments over ranges of a stream's numbers. */
export const vesCommitments = pgTable(
  "ves_commitments",
  {
    tenant_id: uuid().notNull(),
    store_id: uuid().notNull(),
    sequence_start: bigNumber().notNull(),
    sequence_end: bigNumber().notNull(),
    batch_id: uuid().notNull(),
    ves_version: integer().notNull(),
    leaf_count: integer().notNull(),
    merkle_root: bytea().notNull(),
    prev_state_root: bytea().notNull(),
    new_state_root: bytea().notNull(),
    committed_at: time().notNull(),
    mirrored_at: mirroredAt(),
  },
  (table) => [
    // By its start and not its batch: two commitments from one place would be a fork, and the second is refused.
    primaryKey({ columns: [table.tenant_id, table.store_id, table.sequence_start] }),
    unique("ves_commitments_batch_id").on(table.batch_id),
    check(
      "ves_commitments_leaf_count",
      sql`${table.leaf_count} = ${table.sequence_end} - ${table.sequence_start} + 1 AND ${table.leaf_count} > 0`,
    ),
    is32Bytes("ves_commitments_merkle_root", table.merkle_root),
    is32Bytes("ves_commitments_prev_state_root", table.prev_state_root),
    is32Bytes("ves_commitments_new_state_root", table.new_state_root),
  ],
);

export const tenants = pgTable("tenants", {
  tenant_id: uuid().primaryKey(),
  mirrored_at: mirroredAt(),
});

/** The stores that were ever written to. */
export const stores = pgTable(
  "stores",
  { tenant_id: uuid().notNull(), store_id: uuid().notNull(), created_at: time().notNull() },
  (table) => [primaryKey({ columns: [table.tenant_id, table.store_id] })],
);

export const agents = pgTable(
  "agents",
  { tenant_id: uuid().notNull(), agent_id: uuid().notNull(), mirrored_at: mirroredAt() },
  (table) => [primaryKey({ columns: [table.tenant_id, table.agent_id] })],
);

/** What the signatures in `ves_events` verify under. */
export const agentSigningKeys = pgTable(
  "agent_signing_keys",
  {
    tenant_id: uuid().notNull(),
    agent_id: uuid().notNull(),
    key_id: bigNumber().notNull(),
    public_key: bytea().notNull(),
    created_at: time().notNull(),
    valid_from: time(),
    valid_to: time(),
    revoked_at: time(),
  },
  (table) => [primaryKey({ columns: [table.tenant_id, table.agent_id, table.key_id] })],
);

/**
 * The audit log of every tenant. Triggers refuse to change or delete a row. The hash is in the key, so that a registry that
 * was lost and began anew does not hide what stood under its numbers before.
 */
export const vesAuditLog = pgTable(
  "ves_audit_log",
  {
    tenant_id: uuid().notNull(),
    sequence_number: bigNumber().notNull(),
    entry_id: uuid().notNull(),
    recorded_at: time().notNull(),
    action: text().notNull(),
    hash: bytea().notNull(),
    // Canonical JSON without the hash, which is over this very text.
    entry: text().notNull(),
    mirrored_at: mirroredAt(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.sequence_number, table.hash] }),
    is32Bytes("ves_audit_log_hash", table.hash),
  ],
);

/** Credentials of agents: what each may do and until when. The keys themselves are stored nowhere. */
export const apiKeys = pgTable(
  "api_keys",
  {
    tenant_id: uuid().notNull(),
    agent_id: uuid().notNull(),
    key_hash: bytea().notNull(),
    // NULL: all stores of the tenant.
    store_ids: uuid().array(),
    can_read: boolean().notNull(),
    can_write: boolean().notNull(),
    can_admin: boolean().notNull(),
    created_at: time().notNull(),
    expires_at: time(),
    revoked_at: time(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.agent_id, table.key_hash] }),
    is32Bytes("api_keys_key_hash", table.key_hash),
  ],
);

/** Streams whose mirroring has stopped because the mirror and the object disagree; somebody has to look. */
export const vesFrozenStreams = pgTable(
  "ves_frozen_streams",
  {
    tenant_id: uuid().notNull(),
    store_id: uuid().notNull(),
    reason: text().notNull(),
    frozen_at: time().notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.tenant_id, table.store_id] })],
);

/**
 * Rows of `ves_events` and `ves_commitments` that were changed or deleted; triggers write here. All that the sequencer ever
 * changes of a mirrored row is the key that its payload is encrypted under, which they let pass: whatever stands here was
 * done by hand. The mirror looks here before each batch, and freezes
 * the stream.
 */
export const vesAlterations = pgTable(
  "ves_alterations",
  {
    id: bigNumber().primaryKey().generatedAlwaysAsIdentity(),
    tenant_id: uuid().notNull(),
    store_id: uuid().notNull(),
    table_name: text().notNull(),
    // Of a commitment, the first number that it covers.
    sequence_number: bigNumber().notNull(),
    operation: text().notNull(),
    altered_at: timestamp({ withTimezone: true }).notNull().defaultNow(),
    // Who connected, and not whose rights the statement ran with.
    altered_by: text()
      .notNull()
      .default(sql`session_user`),
  },
  (table) => [index("ves_alterations_by_stream").on(table.tenant_id, table.store_id)],
);

/**
 * What became of each commitment on chain: one row for each, which a trigger on `ves_commitments` makes. It is kept apart
 * because a row of that table never changes.
 */
export const vesAnchors = pgTable(
  "ves_anchors",
  {
    tenant_id: uuid().notNull(),
    store_id: uuid().notNull(),
    sequence_start: bigNumber().notNull(),
    batch_id: uuid().notNull(),
    // pending: to be sent; submitted: in a transaction that is not final yet; anchored: final.
    status: text().notNull().default("pending"),
    attempt_id: bigNumber(),
    chain_id: bigNumber(),
    tx_hash: bytea(),
    block_number: bigNumber(),
    block_hash: bytea(),
    anchored_at: time(),
    // Rises with each change that the stream's object is told of, and the highest that it was told.
    revision: integer().notNull().default(0),
    told_revision: integer().notNull().default(0),
    failures: integer().notNull().default(0),
    retry_at: time(),
    error: text(),
  },
  (table) => [
    primaryKey({ columns: [table.tenant_id, table.store_id, table.sequence_start] }),
    unique("ves_anchors_batch_id").on(table.batch_id),
    check("ves_anchors_status", sql`${table.status} IN ('pending', 'submitted', 'anchored')`),
    check("ves_anchors_attempt", sql`${table.status} <> 'submitted' OR ${table.attempt_id} IS NOT NULL`),
    check("ves_anchors_anchored_at", sql`(${table.status} = 'anchored') = (${table.anchored_at} IS NOT NULL)`),
    index("ves_anchors_open")
      .on(table.tenant_id, table.store_id, table.sequence_start)
      .where(sql`${table.status} <> 'anchored'`),
    index("ves_anchors_by_attempt")
      .on(table.attempt_id)
      .where(sql`${table.attempt_id} IS NOT NULL`),
    index("ves_anchors_by_block")
      .on(table.block_number)
      .where(sql`${table.status} = 'anchored'`),
    index("ves_anchors_untold")
      .on(table.tenant_id, table.store_id, table.sequence_start)
      .where(sql`${table.told_revision} < ${table.revision}`),
  ],
);

/**
 * One nonce of the anchoring account each. What is sent under it may be replaced with the same call at a higher fee, but by
 * nothing else, so that at most one of its transactions is ever mined.
 */
export const vesAnchorAttempts = pgTable(
  "ves_anchor_attempts",
  {
    id: bigNumber().primaryKey().generatedAlwaysAsIdentity(),
    chain_id: bigNumber().notNull(),
    contract: bytea().notNull(),
    sender: bytea().notNull(),
    nonce: bigNumber().notNull(),
    // open: may still change; settled: its batches are final; failed: it was mined and reverted; lost: another transaction
    // of the account has taken the nonce, or the chain was begun anew.
    status: text().notNull().default("open"),
    // The chain's head when it was recorded: it is in no block before.
    head_block: bigNumber().notNull(),
    // Where it was last seen mined.
    tx_hash: bytea(),
    block_number: bigNumber(),
    error: text(),
    created_at: time().notNull().defaultNow(),
  },
  (table) => [
    check("ves_anchor_attempts_status", sql`${table.status} IN ('open', 'settled', 'failed', 'lost')`),
    uniqueIndex("ves_anchor_attempts_nonce")
      .on(table.chain_id, table.sender, table.nonce)
      .where(sql`${table.status} <> 'lost'`),
    index("ves_anchor_attempts_open")
      .on(table.id)
      .where(sql`${table.status} = 'open'`),
  ],
);

/** Signed transactions, each written down before it is sent. */
export const vesAnchorTransactions = pgTable(
  "ves_anchor_transactions",
  {
    tx_hash: bytea().primaryKey(),
    attempt_id: bigNumber().notNull(),
    // What is sent, and sent again. NULL once it is far below the head of the chain.
    raw: bytea(),
    max_fee_per_gas: bigNumber().notNull(),
    max_priority_fee_per_gas: bigNumber().notNull(),
    created_at: time().notNull().defaultNow(),
    sent_at: time(),
  },
  (table) => [
    is32Bytes("ves_anchor_transactions_tx_hash", table.tx_hash),
    index("ves_anchor_transactions_by_attempt").on(table.attempt_id),
    index("ves_anchor_transactions_raw")
      .on(table.attempt_id)
      .where(sql`${table.raw} IS NOT NULL`),
  ],
);

/** Streams whose history in the contract is not theirs: nothing more of them is anchored, and they are frozen. */
export const vesAnchorConflicts = pgTable(
  "ves_anchor_conflicts",
  {
    tenant_id: uuid().notNull(),
    store_id: uuid().notNull(),
    reason: text().notNull(),
    found_at: time().notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.tenant_id, table.store_id] })],
);

/** One row: which contract this database anchors to, whose turn it is, and how the last turn went. */
export const vesAnchorState = pgTable(
  "ves_anchor_state",
  {
    id: integer().primaryKey().default(1),
    chain_id: bigNumber(),
    contract: bytea(),
    lease_holder: uuid(),
    lease_until: time(),
    last_run_at: time(),
    last_success_at: time(),
    last_error: text(),
  },
  (table) => [check("ves_anchor_state_id", sql`${table.id} = 1`)],
);

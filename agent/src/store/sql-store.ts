import {
  blob,
  integer,
  integerOrNull,
  type SqlRow,
  type SqlStore,
  type SqlValue,
  text,
  textOrNull,
} from "../../../src/storage/sql-store.ts";
import { migrate } from "../../../src/storage/migrate.ts";
import { outboxMigrations } from "../../../migrations/outbox/index.ts";
import type {
  AgentStore,
  EntityRef,
  OutboxChange,
  OutboxQuery,
  OutboxRow,
  OutboxState,
  PulledQuery,
  PulledRow,
  StreamRef,
  StreamTables,
  VerifiedBatch,
} from "./store.ts";

const COLUMN_OF_CHANGE: Record<keyof OutboxChange, string> = {
  signingHash: "signing_hash",
  envelope: "envelope",
  state: "state",
  reason: "reason",
  message: "message",
  pushedAt: "pushed_at",
  ackedAt: "acked_at",
  remoteSequence: "remote_sequence",
  receipt: "receipt",
};

/**
 * An agent's store in a SQLite database, brought up to date first: `openSqliteStore` makes one of a file, and a Durable
 * Object's own database serves as well.
 *
 * @throws Error if the database was written by a newer version
 */
export function sqlAgentStore(sql: SqlStore, close: () => void): AgentStore {
  migrate(sql, outboxMigrations);
  return {
    transaction: (stream, body) => sql.transaction(() => body(tablesOf(sql, stream))),
    close,
  };
}

function tablesOf(sql: SqlStore, { tenantId, storeId }: StreamRef): StreamTables {
  /** Every statement's first two bindings name the stream. */
  const exec = (statement: string, ...bindings: SqlValue[]): SqlRow[] =>
    sql.exec(statement, tenantId, storeId, ...bindings);
  return {
    append: (row) => {
      exec(
        `INSERT INTO outbox (tenant_id, store_id, event_id, command_id, entity_type, entity_id, event_type, base_version,
          created_at, source_agent, signing_hash, envelope, replaces, recorded_at, state)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')`,
        row.eventId,
        row.commandId,
        row.entityType,
        row.entityId,
        row.eventType,
        row.baseVersion,
        row.createdAt,
        row.agentId,
        row.signingHash,
        row.envelope,
        row.replaces,
        row.recordedAt,
      );
    },
    outbox: (query) => {
      const { where, bindings } = outboxCondition(query);
      const statement = `SELECT * FROM outbox WHERE tenant_id = ? AND store_id = ?${where} ORDER BY id${limited(query)}`;
      return exec(statement, ...bindings).map(outboxRow);
    },
    onTheirWay: ({ entityType, entityId }, aboveSequence) => {
      const [row] = exec(
        `SELECT COUNT(*) AS rows FROM outbox WHERE tenant_id = ? AND store_id = ? AND entity_type = ? AND entity_id = ?
          AND state IN ('pending', 'accepted') AND (remote_sequence IS NULL OR remote_sequence > ?)`,
        entityType,
        entityId,
        aboveSequence,
      );
      return integer(row?.["rows"]);
    },
    update: (id, change) => {
      const members = Object.entries(change) as [keyof OutboxChange, SqlValue][];
      const assignments = members.map(([member]) => `${COLUMN_OF_CHANGE[member]} = ?`).join(", ");
      const values = members.map(([, value]) => value);
      sql.exec(`UPDATE outbox SET ${assignments} WHERE id = ?`, ...values, id);
    },
    counts: (agentId) => {
      const rows = exec(
        `SELECT state, COUNT(*) AS rows, COUNT(pushed_at) AS sent FROM outbox
        WHERE tenant_id = ? AND store_id = ? AND source_agent = ? GROUP BY state`,
        agentId,
      );
      const outbox = { pending: 0, accepted: 0, rejected: 0, conflict: 0, rebased: 0, dropped: 0 };
      for (const row of rows) outbox[text(row["state"]) as OutboxState] = integer(row["rows"]);
      const unanswered = integer(rows.find(({ state }) => state === "pending")?.["sent"] ?? 0);
      const [bad] = exec(
        `SELECT COUNT(*) AS rows FROM pulled_events WHERE tenant_id = ? AND store_id = ? AND quarantine IS NOT NULL`,
      );
      return { outbox, unanswered, quarantined: integer(bad?.["rows"]) };
    },
    prune: ({ ackedBefore, withRejected = false, withUnpulled = false }) => {
      const done = ["'dropped'", ...(withRejected ? ["'rejected'"] : []), ...(withUnpulled ? ["'accepted'"] : [])];
      return exec(
        `DELETE FROM outbox WHERE tenant_id = ? AND store_id = ? AND acked_at < ?
          AND (state IN (${done.join(", ")})
            OR (state = 'rebased' AND event_id NOT IN (
              SELECT replaces FROM outbox WHERE replaces IS NOT NULL AND state IN ('pending', 'conflict', 'rebased')))
            OR (state = 'accepted' AND EXISTS (
              SELECT 1 FROM pulled_events AS log WHERE log.tenant_id = outbox.tenant_id AND log.store_id = outbox.store_id
                AND log.sequence_number = outbox.remote_sequence AND log.event_id = outbox.event_id
                AND log.quarantine IS NULL))) RETURNING id`,
        ackedBefore,
      ).length;
    },
    addPulled: (row) => {
      exec(
        `INSERT INTO pulled_events (tenant_id, store_id, sequence_number, event_id, entity_type, entity_id, event_type,
          source_agent, sequenced_at, pulled_at, envelope, leaf_hash, quarantine)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        row.sequenceNumber,
        row.eventId,
        row.entityType,
        row.entityId,
        row.eventType,
        row.agentId,
        row.sequencedAt,
        row.pulledAt,
        row.envelope,
        row.leafHash,
        row.quarantine,
      );
    },
    pulled: (query) => {
      const { where, bindings } = pulledCondition(query);
      const statement = `SELECT * FROM pulled_events WHERE tenant_id = ? AND store_id = ?${where}
        ORDER BY sequence_number${limited(query)}`;
      return exec(statement, ...bindings).map(pulledRow);
    },
    pulledAmong: (eventIds) =>
      exec(
        `SELECT DISTINCT event_id FROM pulled_events WHERE tenant_id = ? AND store_id = ?${ONE_OF}`,
        JSON.stringify(eventIds),
      ).map((row) => text(row["event_id"])),
    leaves: (from, to) =>
      exec(
        `SELECT leaf_hash FROM pulled_events WHERE tenant_id = ? AND store_id = ? AND sequence_number BETWEEN ? AND ?
        ORDER BY sequence_number`,
        from,
        to,
      ).map((row) => blob(row["leaf_hash"])),
    addBatch: (batch) => {
      exec(
        `INSERT INTO verified_batches VALUES (?, ?, ?, ?, ?, ?, ?)`,
        batch.sequenceStart,
        batch.sequenceEnd,
        batch.batchId,
        batch.merkleRoot,
        batch.newStateRoot,
      );
    },
    batchOf: (sequenceNumber) => {
      const [row] = exec(
        `SELECT * FROM verified_batches WHERE tenant_id = ? AND store_id = ? AND sequence_start <= ?
        ORDER BY sequence_start DESC LIMIT 1`,
        sequenceNumber,
      );
      const batch = row === undefined ? undefined : verifiedBatch(row);
      return batch !== undefined && sequenceNumber <= batch.sequenceEnd ? batch : undefined;
    },
    entityVersion: ({ entityType, entityId }) => {
      const [row] = exec(
        `SELECT version FROM entity_versions WHERE tenant_id = ? AND store_id = ? AND entity_type = ? AND entity_id = ?`,
        entityType,
        entityId,
      );
      return row === undefined ? 0 : integer(row["version"]);
    },
    raiseEntityVersion: ({ entityType, entityId }, by) => {
      exec(
        `INSERT INTO entity_versions VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET version = version + excluded.version, updated_at = excluded.updated_at`,
        entityType,
        entityId,
        by,
        Date.now(),
      );
    },
    state: (key) => {
      const [row] = exec(`SELECT value FROM sync_state WHERE tenant_id = ? AND store_id = ? AND key = ?`, key);
      return row === undefined ? undefined : text(row["value"]);
    },
    setState: (key, value) => {
      exec(`INSERT OR REPLACE INTO sync_state VALUES (?, ?, ?, ?, ?)`, key, value, Date.now());
    },
  };
}

type Binding = string | number;

interface Condition {
  readonly where: string;
  readonly bindings: readonly Binding[];
}

/** Many ids as one binding. */
const ONE_OF = " AND event_id IN (SELECT value FROM json_each(?))";

function outboxCondition({ eventId, eventIds, agentId, state, entity, numbers, afterId }: OutboxQuery): Condition {
  return allOf([
    [" AND event_id = ?", eventId],
    [ONE_OF, eventIds && JSON.stringify(eventIds)],
    [" AND source_agent = ?", agentId],
    [" AND state = ?", state],
    [" AND remote_sequence >= ?", numbers?.from],
    [" AND remote_sequence <= ?", numbers?.to],
    [" AND id > ?", afterId],
    ...entityConditions(entity),
  ]);
}

function pulledCondition({ eventId, entity, from, isQuarantined }: PulledQuery): Condition {
  const { where, bindings } = allOf([
    [" AND event_id = ?", eventId],
    [" AND sequence_number >= ?", from],
    ...entityConditions(entity),
  ]);
  return { where: isQuarantined === true ? `${where} AND quarantine IS NOT NULL` : where, bindings };
}

function entityConditions(entity: EntityRef | undefined): [string, Binding | undefined][] {
  return [
    [" AND entity_type = ?", entity?.entityType],
    [" AND entity_id = ?", entity?.entityId],
  ];
}

/** Not a binding: SQLite prepares a statement anew whenever its limit is bound, which costs ten times what a lookup does. */
function limited({ limit }: { readonly limit?: number }): string {
  return limit === undefined ? "" : ` LIMIT ${limit}`;
}

function allOf(conditions: readonly [string, Binding | undefined][]): Condition {
  const given = conditions.flatMap(([where, value]) => (value === undefined ? [] : [{ where, value }]));
  return { where: given.map(({ where }) => where).join(""), bindings: given.map(({ value }) => value) };
}

function outboxRow(row: SqlRow): OutboxRow {
  return {
    id: integer(row["id"]),
    eventId: text(row["event_id"]),
    commandId: textOrNull(row["command_id"] ?? null),
    entityType: text(row["entity_type"]),
    entityId: text(row["entity_id"]),
    eventType: text(row["event_type"]),
    baseVersion: integerOrNull(row["base_version"] ?? null),
    createdAt: text(row["created_at"]),
    agentId: text(row["source_agent"]),
    signingHash: blob(row["signing_hash"]),
    envelope: text(row["envelope"]),
    replaces: textOrNull(row["replaces"] ?? null),
    recordedAt: integer(row["recorded_at"]),
    state: text(row["state"]) as OutboxState,
    reason: textOrNull(row["reason"] ?? null),
    message: textOrNull(row["message"] ?? null),
    pushedAt: integerOrNull(row["pushed_at"] ?? null),
    ackedAt: integerOrNull(row["acked_at"] ?? null),
    remoteSequence: integerOrNull(row["remote_sequence"] ?? null),
    receipt: textOrNull(row["receipt"] ?? null),
  };
}

function pulledRow(row: SqlRow): PulledRow {
  return {
    sequenceNumber: integer(row["sequence_number"]),
    eventId: text(row["event_id"]),
    entityType: text(row["entity_type"]),
    entityId: text(row["entity_id"]),
    eventType: text(row["event_type"]),
    agentId: text(row["source_agent"]),
    sequencedAt: text(row["sequenced_at"]),
    pulledAt: integer(row["pulled_at"]),
    envelope: text(row["envelope"]),
    leafHash: blob(row["leaf_hash"]),
    quarantine: textOrNull(row["quarantine"] ?? null),
  };
}

function verifiedBatch(row: SqlRow): VerifiedBatch {
  return {
    sequenceStart: integer(row["sequence_start"]),
    sequenceEnd: integer(row["sequence_end"]),
    batchId: text(row["batch_id"]),
    merkleRoot: blob(row["merkle_root"]),
    newStateRoot: blob(row["new_state_root"]),
  };
}

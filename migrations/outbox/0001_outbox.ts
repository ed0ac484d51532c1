import type { Migration } from "../migration.ts";

/**
 * What an agent keeps on its own disk. docs/agents.md explains every column.
 *
 * Every key begins with tenant and store, so that one file may hold several streams without any of them meeting.
 */
export const outbox: Migration = {
  id: 1,
  name: "outbox",
  sql: `
    CREATE TABLE outbox (
      id               INTEGER PRIMARY KEY AUTOINCREMENT,
      tenant_id        TEXT NOT NULL,
      store_id         TEXT NOT NULL,
      event_id         TEXT NOT NULL,
      command_id       TEXT,
      entity_type      TEXT NOT NULL,
      entity_id        TEXT NOT NULL,
      event_type       TEXT NOT NULL,
      base_version     INTEGER,
      created_at       TEXT NOT NULL,
      source_agent     TEXT NOT NULL,
      signing_hash     BLOB NOT NULL,
      envelope         TEXT NOT NULL CHECK (json_valid(envelope)),
      replaces         TEXT,
      recorded_at      INTEGER NOT NULL,
      state            TEXT NOT NULL,
      reason           TEXT,
      message          TEXT,
      pushed_at        INTEGER,
      acked_at         INTEGER,
      remote_sequence  INTEGER,
      receipt          TEXT,
      UNIQUE (tenant_id, store_id, event_id)
    ) STRICT;
    CREATE INDEX outbox_by_state ON outbox (tenant_id, store_id, source_agent, state, id);
    CREATE INDEX outbox_by_entity ON outbox (tenant_id, store_id, entity_type, entity_id, id);

    CREATE TABLE sync_state (
      tenant_id   TEXT NOT NULL,
      store_id    TEXT NOT NULL,
      key         TEXT NOT NULL,
      value       TEXT NOT NULL,
      updated_at  INTEGER NOT NULL,
      PRIMARY KEY (tenant_id, store_id, key)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE entity_versions (
      tenant_id    TEXT NOT NULL,
      store_id     TEXT NOT NULL,
      entity_type  TEXT NOT NULL,
      entity_id    TEXT NOT NULL,
      version      INTEGER NOT NULL,
      updated_at   INTEGER NOT NULL,
      PRIMARY KEY (tenant_id, store_id, entity_type, entity_id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE pulled_events (
      id               INTEGER PRIMARY KEY,
      tenant_id        TEXT NOT NULL,
      store_id         TEXT NOT NULL,
      sequence_number  INTEGER NOT NULL,
      event_id         TEXT NOT NULL,
      entity_type      TEXT NOT NULL,
      entity_id        TEXT NOT NULL,
      event_type       TEXT NOT NULL,
      source_agent     TEXT NOT NULL,
      sequenced_at     TEXT NOT NULL,
      pulled_at        INTEGER NOT NULL,
      envelope         TEXT NOT NULL,
      leaf_hash        BLOB NOT NULL,
      quarantine       TEXT,
      UNIQUE (tenant_id, store_id, sequence_number)
    ) STRICT;
    CREATE INDEX pulled_by_event ON pulled_events (tenant_id, store_id, event_id, sequence_number);
    CREATE INDEX pulled_by_entity ON pulled_events (tenant_id, store_id, entity_type, entity_id, sequence_number);
    CREATE INDEX pulled_quarantined ON pulled_events (tenant_id, store_id, sequence_number) WHERE quarantine IS NOT NULL;

    CREATE TABLE verified_batches (
      tenant_id       TEXT NOT NULL,
      store_id        TEXT NOT NULL,
      sequence_start  INTEGER NOT NULL,
      sequence_end    INTEGER NOT NULL,
      batch_id        TEXT NOT NULL,
      merkle_root     BLOB NOT NULL,
      new_state_root  BLOB NOT NULL,
      PRIMARY KEY (tenant_id, store_id, sequence_start)
    ) STRICT, WITHOUT ROWID;
  `,
};

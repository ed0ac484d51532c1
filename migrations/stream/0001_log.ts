import type { Migration } from "../migration.ts";

/**
 * The log of one stream. docs/storage-schema.md explains every column.
 *
 * Rows written are what an object is billed for, and each index entry counts as a row. So `events` has its number
 * (the rowid) and one index (its event id), and nothing else: an entity's history is found by walking back through
 * `previous_sequence`, with `skip_sequence` to stride over long ones.
 */
export const log: Migration = {
  id: 1,
  name: "log",
  sql: `
    CREATE TABLE events (
      sequence_number      INTEGER PRIMARY KEY CHECK (sequence_number > 0),
      event_id             BLOB NOT NULL UNIQUE,
      sequenced_at         INTEGER NOT NULL,
      receipt_key_version  INTEGER NOT NULL,
      ves_version          INTEGER NOT NULL,
      source_agent_id      BLOB NOT NULL,
      agent_key_id         INTEGER NOT NULL,
      entity_type          TEXT NOT NULL,
      entity_id            TEXT NOT NULL,
      entity_version       INTEGER NOT NULL,
      previous_sequence    INTEGER,
      skip_sequence        INTEGER,
      event_type           TEXT NOT NULL,
      created_at           TEXT NOT NULL,
      payload_kind         INTEGER NOT NULL,
      payload              ANY NOT NULL,
      payload_plain_hash   BLOB NOT NULL,
      payload_cipher_hash  BLOB,
      event_signing_hash   BLOB NOT NULL,
      agent_signature      BLOB NOT NULL,
      signature_scheme     INTEGER,
      signature_bundle     TEXT,
      command_id           BLOB,
      base_version         INTEGER
    ) STRICT;

    CREATE TABLE entities (
      entity_type    TEXT NOT NULL,
      entity_id      TEXT NOT NULL,
      version        INTEGER NOT NULL,
      last_sequence  INTEGER NOT NULL,
      skip_sequence  INTEGER,
      PRIMARY KEY (entity_type, entity_id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE commands (
      command_id       BLOB PRIMARY KEY,
      sequence_number  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE cursors (
      agent_id               BLOB PRIMARY KEY,
      acknowledged_sequence  INTEGER NOT NULL,
      updated_at             INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

    CREATE TRIGGER events_are_never_deleted BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
  `,
};

import type { Migration } from "../migration.ts";

/** Sealed batches and how far they are mirrored. docs/storage-schema.md explains every column. */
export const batches: Migration = {
  id: 2,
  name: "batches",
  sql: `
    CREATE TABLE batches (
      sequence_start   INTEGER PRIMARY KEY CHECK (sequence_start > 0),
      sequence_end     INTEGER NOT NULL CHECK (sequence_end >= sequence_start),
      batch_id         BLOB NOT NULL UNIQUE,
      merkle_root      BLOB NOT NULL,
      prev_state_root  BLOB NOT NULL,
      new_state_root   BLOB NOT NULL,
      committed_at     INTEGER NOT NULL,
      tree             BLOB NOT NULL
    ) STRICT;

    CREATE TRIGGER batches_are_never_changed BEFORE UPDATE ON batches
    BEGIN SELECT RAISE(ABORT, 'sealed batches are append-only'); END;

    CREATE TRIGGER batches_are_never_deleted BEFORE DELETE ON batches
    BEGIN SELECT RAISE(ABORT, 'sealed batches are append-only'); END;

    CREATE TABLE mirror_state (
      id                 INTEGER PRIMARY KEY CHECK (id = 1),
      mirrored_sequence  INTEGER NOT NULL,
      failures           INTEGER NOT NULL,
      retry_at           INTEGER,
      frozen_reason      TEXT,
      is_restoring       INTEGER NOT NULL
    ) STRICT;
    INSERT INTO mirror_state VALUES (1, 0, 0, NULL, NULL, 0);
  `,
};

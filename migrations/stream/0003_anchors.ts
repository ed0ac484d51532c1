import type { Migration } from "../migration.ts";

/**
 * What became of sealed batches on chain. docs/storage-schema.md explains every column.
 *
 * Kept apart from the batches, which never change: a reorganisation of the chain takes anchors away again, so these rows
 * are changed at will.
 */
export const anchors: Migration = {
  id: 3,
  name: "anchors",
  sql: `
    CREATE TABLE anchors (
      sequence_start  INTEGER PRIMARY KEY,
      revision        INTEGER NOT NULL,
      chain_id        INTEGER,
      tx_hash         BLOB,
      block_number    INTEGER,
      anchored_at     INTEGER,
      CHECK ((anchored_at IS NULL) = (chain_id IS NULL))
    ) STRICT;

    CREATE TABLE anchor_state (
      id                 INTEGER PRIMARY KEY CHECK (id = 1),
      anchored_sequence  INTEGER NOT NULL,
      conflict_reason    TEXT,
      restored_start     INTEGER NOT NULL
    ) STRICT;
    INSERT INTO anchor_state VALUES (1, 0, NULL, 0);
  `,
};

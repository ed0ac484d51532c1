import type { Migration } from "../migration.ts";

/** What has been counted, as one row; and how far each stream is, for its shard. */
export const metrics: Migration = {
  id: 1,
  name: "metrics",
  sql: `
    CREATE TABLE totals (
      id   INTEGER PRIMARY KEY CHECK (id = 1),
      data TEXT NOT NULL CHECK (json_valid(data))
    ) STRICT;

    CREATE TABLE streams (
      tenant_id         BLOB    NOT NULL CHECK (length(tenant_id) = 16),
      store_id          BLOB    NOT NULL CHECK (length(store_id) = 16),
      head              INTEGER NOT NULL,
      sealed_sequence   INTEGER NOT NULL,
      mirrored_sequence INTEGER,
      unsealed_since    INTEGER,
      unmirrored_since  INTEGER,
      PRIMARY KEY (tenant_id, store_id)
    ) STRICT, WITHOUT ROWID;
  `,
};

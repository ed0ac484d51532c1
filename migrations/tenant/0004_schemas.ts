import type { Migration } from "../migration.ts";

/** The schemas of a tenant's event types. docs/storage-schema.md explains every column. */
export const schemas: Migration = {
  id: 4,
  name: "schemas",
  sql: `
    CREATE TABLE event_types (
      event_type      TEXT PRIMARY KEY,
      latest_version  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE event_schemas (
      schema_id      BLOB NOT NULL UNIQUE,
      event_type     TEXT NOT NULL,
      version        INTEGER NOT NULL,
      status         TEXT NOT NULL CHECK (status IN ('active', 'deprecated', 'archived')),
      compatibility  TEXT NOT NULL,
      bytes          INTEGER NOT NULL,
      created_at     INTEGER NOT NULL,
      updated_at     INTEGER NOT NULL,
      created_by     BLOB,
      description    TEXT,
      schema         TEXT NOT NULL,
      UNIQUE (event_type, version)
    ) STRICT;
  `,
};

import type { Migration } from "../migration.ts";

/** One tenant's agents, credentials, stores and policies. docs/storage-schema.md explains every column. */
export const registry: Migration = {
  id: 1,
  name: "registry",
  sql: `
    CREATE TABLE registry_state (
      id       INTEGER PRIMARY KEY CHECK (id = 1),
      version  INTEGER NOT NULL
    ) STRICT;
    INSERT INTO registry_state (id, version) VALUES (1, 0);

    CREATE TABLE agent_keys (
      agent_id    BLOB NOT NULL,
      key_id      INTEGER NOT NULL,
      public_key  BLOB NOT NULL,
      created_at  INTEGER NOT NULL,
      valid_from  INTEGER,
      valid_to    INTEGER,
      revoked_at  INTEGER,
      PRIMARY KEY (agent_id, key_id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE api_keys (
      key_hash    BLOB PRIMARY KEY,
      agent_id    BLOB NOT NULL,
      store_ids   TEXT,
      can_read    INTEGER NOT NULL,
      can_write   INTEGER NOT NULL,
      can_admin   INTEGER NOT NULL,
      created_at  INTEGER NOT NULL,
      expires_at  INTEGER,
      revoked_at  INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX api_keys_by_agent ON api_keys (agent_id);

    CREATE TABLE stores (
      store_id    BLOB PRIMARY KEY,
      created_at  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE agent_policies (
      agent_id    BLOB PRIMARY KEY,
      policy      TEXT NOT NULL,
      updated_at  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
  `,
};

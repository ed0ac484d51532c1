import type { Migration } from "../migration.ts";

/** The keys that a tenant's agents are encrypted to. docs/storage-schema.md explains every column. */
export const encryptionKeys: Migration = {
  id: 8,
  name: "encryption keys",
  sql: `
    CREATE TABLE encryption_keys (
      kid             INTEGER PRIMARY KEY,
      agent_id        BLOB NOT NULL,
      public_key      BLOB NOT NULL,
      signing_key_id  INTEGER NOT NULL,
      signature       BLOB NOT NULL,
      signed_at       INTEGER NOT NULL,
      created_at      INTEGER NOT NULL,
      valid_to        INTEGER,
      revoked_at      INTEGER
    ) STRICT;
    CREATE INDEX encryption_keys_by_agent ON encryption_keys (agent_id);
  `,
};

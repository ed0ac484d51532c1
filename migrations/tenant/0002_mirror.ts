import type { Migration } from "../migration.ts";

/**
 * What of the registry is not in Postgres yet. Triggers write it, so that no change can forget to; what was there before
 * is entered here. docs/storage-schema.md explains every column.
 */
export const mirror: Migration = {
  id: 2,
  name: "mirror",
  sql: `
    CREATE TABLE unmirrored (
      id        INTEGER PRIMARY KEY,
      store_id  BLOB,
      agent_id  BLOB,
      key_id    INTEGER
    ) STRICT;

    INSERT INTO unmirrored (store_id) SELECT store_id FROM stores;
    INSERT INTO unmirrored (agent_id) SELECT DISTINCT agent_id FROM api_keys;
    INSERT INTO unmirrored (agent_id, key_id) SELECT agent_id, key_id FROM agent_keys;

    CREATE TRIGGER new_stores_are_mirrored AFTER INSERT ON stores
    BEGIN INSERT INTO unmirrored (store_id) VALUES (NEW.store_id); END;

    CREATE TRIGGER agents_with_credentials_are_mirrored AFTER INSERT ON api_keys
    BEGIN INSERT INTO unmirrored (agent_id) VALUES (NEW.agent_id); END;

    CREATE TRIGGER new_keys_are_mirrored AFTER INSERT ON agent_keys
    BEGIN INSERT INTO unmirrored (agent_id, key_id) VALUES (NEW.agent_id, NEW.key_id); END;

    CREATE TRIGGER changed_keys_are_mirrored AFTER UPDATE ON agent_keys
    BEGIN INSERT INTO unmirrored (agent_id, key_id) VALUES (NEW.agent_id, NEW.key_id); END;
  `,
};

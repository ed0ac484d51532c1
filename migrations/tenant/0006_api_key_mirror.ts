import type { Migration } from "../migration.ts";

/**
 * API keys are mirrored too, each with its revocation and its removal; those that were there before are entered here.
 * docs/storage-schema.md explains every column.
 */
export const apiKeyMirror: Migration = {
  id: 6,
  name: "api_key_mirror",
  sql: `
    ALTER TABLE unmirrored ADD COLUMN key_hash BLOB;

    INSERT INTO unmirrored (agent_id, key_hash) SELECT agent_id, key_hash FROM api_keys;

    DROP TRIGGER agents_with_credentials_are_mirrored;

    CREATE TRIGGER new_api_keys_are_mirrored AFTER INSERT ON api_keys
    BEGIN INSERT INTO unmirrored (agent_id, key_hash) VALUES (NEW.agent_id, NEW.key_hash); END;

    CREATE TRIGGER changed_api_keys_are_mirrored AFTER UPDATE ON api_keys
    BEGIN INSERT INTO unmirrored (agent_id, key_hash) VALUES (NEW.agent_id, NEW.key_hash); END;

    CREATE TRIGGER removed_api_keys_are_mirrored AFTER DELETE ON api_keys
    BEGIN INSERT INTO unmirrored (agent_id, key_hash) VALUES (OLD.agent_id, OLD.key_hash); END;
  `,
};

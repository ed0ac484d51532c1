import type { Migration } from "../migration.ts";

/**
 * Lets a payload be encrypted under another key, or for the first time. Nothing else of an event ever changes: every other
 * column is compared, because a trigger on named columns would not see the number that is changed as `rowid`. Of an empty payload SQLite says that its beginning is NULL.
 */
export const payloadKeys: Migration = {
  id: 4,
  name: "payload_keys",
  sql: `
    DROP TRIGGER events_are_never_changed;

    CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
    WHEN (
      typeof(NEW.payload) = 'blob' AND substr(NEW.payload, 1, 4) = CAST('SSE2' AS BLOB)
      AND NEW.sequence_number IS OLD.sequence_number
      AND NEW.event_id IS OLD.event_id
      AND NEW.sequenced_at IS OLD.sequenced_at
      AND NEW.receipt_key_version IS OLD.receipt_key_version
      AND NEW.ves_version IS OLD.ves_version
      AND NEW.source_agent_id IS OLD.source_agent_id
      AND NEW.agent_key_id IS OLD.agent_key_id
      AND NEW.entity_type IS OLD.entity_type
      AND NEW.entity_id IS OLD.entity_id
      AND NEW.entity_version IS OLD.entity_version
      AND NEW.previous_sequence IS OLD.previous_sequence
      AND NEW.skip_sequence IS OLD.skip_sequence
      AND NEW.event_type IS OLD.event_type
      AND NEW.created_at IS OLD.created_at
      AND NEW.payload_kind IS OLD.payload_kind
      AND NEW.payload_plain_hash IS OLD.payload_plain_hash
      AND NEW.payload_cipher_hash IS OLD.payload_cipher_hash
      AND NEW.event_signing_hash IS OLD.event_signing_hash
      AND NEW.agent_signature IS OLD.agent_signature
      AND NEW.signature_scheme IS OLD.signature_scheme
      AND NEW.signature_bundle IS OLD.signature_bundle
      AND NEW.command_id IS OLD.command_id
      AND NEW.base_version IS OLD.base_version
    ) IS NOT TRUE
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
  `,
};

import type { Connection } from "../mirror/postgres.ts";
import { type RegistryRows, upsertRegistryRows } from "../mirror/registry-tables.ts";
import { isEmptyStore } from "../storage/migrate.ts";
import { integerOrNull, type SqlStore, text } from "../storage/sql-store.ts";

/** Rows of one statement: SQLite gives values of 2 MB at most; an entry of the audit log may have 5 KB, an API key 2 KB. */
const MAX_ROWS = 200;

const STORES = `
  SELECT json_group_array(json_object('store_id', hex(store_id), 'created_at', created_at)) AS rows
    FROM stores WHERE store_id IN (SELECT store_id FROM unmirrored WHERE id <= ? AND store_id IS NOT NULL)`;
const AGENTS = `
  SELECT json_group_array(json_object('agent_id', hex(agent_id))) AS rows
    FROM (SELECT DISTINCT agent_id FROM unmirrored WHERE id <= ? AND agent_id IS NOT NULL)`;
const KEYS = `
  SELECT json_group_array(json_object('agent_id', hex(agent_id), 'key_id', key_id, 'public_key', '\\x' || hex(public_key),
           'created_at', created_at, 'valid_from', valid_from, 'valid_to', valid_to, 'revoked_at', revoked_at)) AS rows
    FROM agent_keys
   WHERE (agent_id, key_id) IN (SELECT agent_id, key_id FROM unmirrored WHERE id <= ? AND key_id IS NOT NULL)`;
const AUDIT = `
  SELECT json_group_array(json_object('sequence_number', sequence, 'entry_id', hex(entry_id),
           'recorded_at', entry ->> 'recorded_at', 'action', action, 'hash', '\\x' || hex(hash), 'entry', entry)) AS rows
    FROM audit_log WHERE sequence IN (SELECT audit_sequence FROM unmirrored WHERE id <= ?)`;
const API_KEYS = `
  SELECT json_group_array(json_object('agent_id', hex(agent_id), 'key_hash', '\\x' || hex(key_hash), 'store_ids', json(store_ids),
           'can_read', can_read, 'can_write', can_write, 'can_admin', can_admin, 'created_at', created_at,
           'expires_at', expires_at, 'revoked_at', revoked_at)) AS rows
    FROM api_keys WHERE key_hash IN (SELECT key_hash FROM unmirrored WHERE id <= ? AND key_hash IS NOT NULL)`;
const REMOVED_API_KEYS = `
  SELECT json_group_array(json_object('agent_id', hex(agent_id), 'key_hash', '\\x' || hex(key_hash))) AS rows
    FROM (SELECT DISTINCT agent_id, key_hash FROM unmirrored
           WHERE id <= ? AND key_hash IS NOT NULL AND key_hash NOT IN (SELECT key_hash FROM api_keys))`;

export function hasUnmirrored(store: SqlStore): boolean {
  return !isEmptyStore(store) && store.exec("SELECT 1 FROM unmirrored LIMIT 1").length > 0;
}

/**
 * Writes to Postgres what has changed since it was last written there. What is written is the present state and not the
 * change, so that it may be written twice, and the order does not matter.
 *
 * @throws when Postgres fails: what was under way is written again
 */
export async function mirrorRegistry(store: SqlStore, tenantId: string, connection: Connection): Promise<void> {
  for (let last = lastOfPiece(store); last !== null; last = lastOfPiece(store)) {
    await upsertRegistryRows(connection, tenantId, rowsUpTo(store, last));
    store.exec("DELETE FROM unmirrored WHERE id <= ?", last);
  }
}

function lastOfPiece(store: SqlStore): number | null {
  const [row] = store.exec(`SELECT MAX(id) AS id FROM (SELECT id FROM unmirrored ORDER BY id LIMIT ${MAX_ROWS})`);
  return integerOrNull(row?.["id"]);
}

function rowsUpTo(store: SqlStore, last: number): RegistryRows {
  const rows = (query: string): string => text(store.exec(query, last)[0]?.["rows"]);
  return {
    stores: rows(STORES),
    agents: rows(AGENTS),
    keys: rows(KEYS),
    audit: rows(AUDIT),
    apiKeys: rows(API_KEYS),
    removedApiKeys: rows(REMOVED_API_KEYS),
  };
}

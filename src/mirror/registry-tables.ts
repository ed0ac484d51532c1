import type { Connection } from "./postgres.ts";

/** Rows of a tenant's registry as JSON arrays for Postgres: hex for ids, hex after \\x for bytes, milliseconds for times. */
export interface RegistryRows {
  readonly stores: string;
  readonly agents: string;
  readonly keys: string;
  /** Entries of the audit log. */
  readonly audit: string;
  readonly apiKeys: string;
  /** API keys that are not there any more. */
  readonly removedApiKeys: string;
}

const time = (column: string): string => `timestamptz 'epoch' + ${column} * interval '1 millisecond'`;

/**
 * Repeating it changes nothing, and a later state of a key replaces an earlier one. An entry of the audit log stays for
 * ever: where another one has its number, both stand.
 */
const UPSERT = `
  WITH tenant AS (
    INSERT INTO tenants (tenant_id) VALUES ($1) ON CONFLICT DO NOTHING
  ), store AS (
    INSERT INTO stores (tenant_id, store_id, created_at)
    SELECT $1, store_id, ${time("created_at")} FROM json_to_recordset($2) AS row (store_id uuid, created_at bigint)
    ON CONFLICT DO NOTHING
  ), agent AS (
    INSERT INTO agents (tenant_id, agent_id)
    SELECT $1, agent_id FROM json_to_recordset($3) AS row (agent_id uuid)
    ON CONFLICT DO NOTHING
  ), audit AS (
    INSERT INTO ves_audit_log (tenant_id, sequence_number, entry_id, recorded_at, action, hash, entry)
    SELECT $1, sequence_number, entry_id, recorded_at, action, hash, entry
      FROM json_to_recordset($5) AS row (sequence_number bigint, entry_id uuid, recorded_at timestamptz, action text,
           hash bytea, entry text)
    ON CONFLICT DO NOTHING
  ), api_key AS (
    INSERT INTO api_keys (tenant_id, agent_id, key_hash, store_ids, can_read, can_write, can_admin, created_at,
           expires_at, revoked_at)
    SELECT $1, agent_id, key_hash, store_ids, can_read <> 0, can_write <> 0, can_admin <> 0, ${time("created_at")},
           ${time("expires_at")}, ${time("revoked_at")}
      FROM json_to_recordset($6) AS row (agent_id uuid, key_hash bytea, store_ids uuid[], can_read integer,
           can_write integer, can_admin integer, created_at bigint, expires_at bigint, revoked_at bigint)
    ON CONFLICT (tenant_id, agent_id, key_hash) DO UPDATE
       SET expires_at = excluded.expires_at, revoked_at = excluded.revoked_at
  ), removed_api_key AS (
    DELETE FROM api_keys
     WHERE tenant_id = $1 AND (agent_id, key_hash) IN (
             SELECT agent_id, key_hash FROM json_to_recordset($7) AS row (agent_id uuid, key_hash bytea))
  )
  INSERT INTO agent_signing_keys (tenant_id, agent_id, key_id, public_key, created_at, valid_from, valid_to, revoked_at)
  SELECT $1, agent_id, key_id, public_key, ${time("created_at")}, ${time("valid_from")}, ${time("valid_to")},
         ${time("revoked_at")}
    FROM json_to_recordset($4) AS row (agent_id uuid, key_id bigint, public_key bytea, created_at bigint,
         valid_from bigint, valid_to bigint, revoked_at bigint)
  ON CONFLICT (tenant_id, agent_id, key_id) DO UPDATE
     SET public_key = excluded.public_key, created_at = excluded.created_at, valid_from = excluded.valid_from,
         valid_to = excluded.valid_to, revoked_at = excluded.revoked_at`;

/** Writes rows of a tenant's registry, all or none. */
export async function upsertRegistryRows(connection: Connection, tenantId: string, rows: RegistryRows): Promise<void> {
  const { stores, agents, keys, audit, apiKeys, removedApiKeys } = rows;
  await connection.query(UPSERT, [tenantId, stores, agents, keys, audit, apiKeys, removedApiKeys]);
}

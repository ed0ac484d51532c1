import { IS_ACTIVE_KEY } from "./admin-statements.ts";
import { PATIENCE_MS, withPostgres } from "./postgres.ts";

export interface AgentRef {
  readonly tenantId: string;
  readonly agentId: string;
}

/** An agent and its credentials, as far as they are mirrored. */
export interface AgentNumbers extends AgentRef {
  readonly apiKeys: number;
  readonly activeApiKeys: number;
  /** What its active API keys allow together; null when it has none. */
  readonly permissions: { readonly read: boolean; readonly write: boolean; readonly admin: boolean } | null;
  /** The stores that its active API keys are for; null: all, or it has none. */
  readonly storeIds: readonly string[] | null;
  /** When its first and its latest API key were minted. */
  readonly firstKeyAt: Date | null;
  readonly lastKeyAt: Date | null;
  readonly signingKeys: number;
  /** Those that are not revoked and whose time it is. */
  readonly activeSigningKeys: number;
}

interface AgentRow {
  readonly tenant_id: string;
  readonly agent_id: string;
  readonly api_keys: number;
  readonly active_api_keys: number;
  readonly can_read: boolean | null;
  readonly can_write: boolean | null;
  readonly can_admin: boolean | null;
  readonly has_all_stores: boolean | null;
  readonly store_ids: readonly string[];
  readonly first_key_at: Date | null;
  readonly last_key_at: Date | null;
  readonly signing_keys: number;
  readonly active_signing_keys: number;
}

const AGENTS = `
  WITH page AS (
    SELECT tenant_id, agent_id FROM agents
     WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR (tenant_id, agent_id) > ($2, $3::uuid))
     ORDER BY tenant_id, agent_id LIMIT $4
  )
  SELECT page.tenant_id, page.agent_id, keys.*, signing.*,
         ARRAY(SELECT DISTINCT unnest(store_ids) FROM api_keys
                WHERE api_keys.tenant_id = page.tenant_id AND api_keys.agent_id = page.agent_id AND ${IS_ACTIVE_KEY}
                ORDER BY 1) AS store_ids
    FROM page,
         LATERAL (SELECT count(*)::integer AS api_keys, (count(*) FILTER (WHERE ${IS_ACTIVE_KEY}))::integer AS active_api_keys,
                         bool_or(can_read) FILTER (WHERE ${IS_ACTIVE_KEY}) AS can_read,
                         bool_or(can_write) FILTER (WHERE ${IS_ACTIVE_KEY}) AS can_write,
                         bool_or(can_admin) FILTER (WHERE ${IS_ACTIVE_KEY}) AS can_admin,
                         bool_or(store_ids IS NULL) FILTER (WHERE ${IS_ACTIVE_KEY}) AS has_all_stores,
                         min(created_at) AS first_key_at, max(created_at) AS last_key_at
                    FROM api_keys
                   WHERE api_keys.tenant_id = page.tenant_id AND api_keys.agent_id = page.agent_id) AS keys,
         LATERAL (SELECT count(*)::integer AS signing_keys,
                         (count(*) FILTER (WHERE revoked_at IS NULL AND coalesce(valid_from <= now(), true)
                                             AND coalesce(valid_to >= now(), true)))::integer AS active_signing_keys
                    FROM agent_signing_keys AS key
                   WHERE key.tenant_id = page.tenant_id AND key.agent_id = page.agent_id) AS signing
   ORDER BY page.tenant_id, page.agent_id`;

/**
 * Agents by the ids of their tenants and their own.
 *
 * @param tenantId null: of all tenants
 * @param after the last one that is not wanted again; null: from the first on
 * @throws when Postgres cannot be asked
 */
export async function readAgents(
  hyperdrive: Hyperdrive,
  tenantId: string | null,
  { after, limit }: { readonly after: AgentRef | null; readonly limit: number },
): Promise<readonly AgentNumbers[]> {
  const { rows } = await withPostgres(
    hyperdrive,
    (connection) =>
      connection.query<AgentRow>(AGENTS, [tenantId, after?.tenantId ?? null, after?.agentId ?? null, limit]),
    PATIENCE_MS,
  );
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    agentId: row.agent_id,
    apiKeys: row.api_keys,
    activeApiKeys: row.active_api_keys,
    permissions:
      row.active_api_keys === 0
        ? null
        : { read: row.can_read === true, write: row.can_write === true, admin: row.can_admin === true },
    storeIds: row.has_all_stores === false ? row.store_ids : null,
    firstKeyAt: row.first_key_at,
    lastKeyAt: row.last_key_at,
    signingKeys: row.signing_keys,
    activeSigningKeys: row.active_signing_keys,
  }));
}

import { IS_ACTIVE_KEY, streamsOf } from "./admin-statements.ts";
import { IN_SCOPE, type Scope } from "./health.ts";
import { PATIENCE_MS, withPostgres } from "./postgres.ts";

/** What there is in a scope, as far as it is mirrored. */
export interface Numbers {
  readonly agents: number;
  readonly apiKeys: number;
  readonly activeApiKeys: number;
  readonly stores: number;
  /** The heads of all its streams together. */
  readonly totalHeadSequence: number;
  /** Stores whose last event is not older than 24 hours. */
  readonly activeStores24h: number;
  readonly lastActivityAt: Date | null;
}

export interface Overview extends Numbers {
  readonly tenants: number;
}

export interface TenantNumbers extends Numbers {
  readonly tenantId: string;
  /** When its latest API key was minted. */
  readonly lastKeyAt: Date | null;
}

interface NumbersRow {
  readonly agents: number;
  readonly api_keys: number;
  readonly active_api_keys: number;
  readonly stores: number;
  readonly total_head: number;
  readonly active_stores: number;
  readonly active_at: Date | null;
}

const OF_TENANT = "($1::uuid IS NULL OR tenant_id = $1)";

const KEY_COUNTS = `count(*)::integer AS api_keys, (count(*) FILTER (WHERE ${IS_ACTIVE_KEY}))::integer AS active_api_keys`;

/** A sum of `bigint` is a `numeric`, which comes as text; below 2^53 a double is as good. */
const STREAM_COUNTS = `count(*)::integer AS stores, coalesce(sum(head), 0)::float8 AS total_head,
  (count(*) FILTER (WHERE active_at > now() - interval '24 hours'))::integer AS active_stores, max(active_at) AS active_at`;

const OVERVIEW = `
  SELECT (SELECT count(*)::integer FROM tenants WHERE ${OF_TENANT}) AS tenants,
         (SELECT count(*)::integer FROM agents WHERE ${OF_TENANT}) AS agents, keys.*, streams.*
    FROM (SELECT ${KEY_COUNTS} FROM api_keys WHERE ${OF_TENANT}) AS keys,
         (SELECT ${STREAM_COUNTS} FROM (
            ${streamsOf(`(SELECT * FROM stores WHERE ${IN_SCOPE})`)}
          ) AS stream) AS streams`;

const TENANTS = `
  WITH page AS (
    SELECT tenant_id FROM tenants WHERE ${OF_TENANT} AND ($3::uuid IS NULL OR tenant_id > $3) ORDER BY tenant_id LIMIT $4
  )
  SELECT page.tenant_id, keys.*, streams.*,
         (SELECT count(*)::integer FROM agents WHERE agents.tenant_id = page.tenant_id) AS agents
    FROM page,
         LATERAL (SELECT ${KEY_COUNTS}, max(created_at) AS last_key_at FROM api_keys
                   WHERE api_keys.tenant_id = page.tenant_id) AS keys,
         LATERAL (SELECT ${STREAM_COUNTS} FROM (
            ${streamsOf(`(SELECT * FROM stores WHERE tenant_id = page.tenant_id AND ${IN_SCOPE})`)}
          ) AS stream) AS streams
   ORDER BY page.tenant_id`;

/** @throws when Postgres cannot be asked */
export async function readOverview(hyperdrive: Hyperdrive, { tenantId, storeIds }: Scope): Promise<Overview> {
  const { rows } = await withPostgres(
    hyperdrive,
    (connection) => connection.query<NumbersRow & { tenants: number }>(OVERVIEW, [tenantId, storeIds]),
    PATIENCE_MS,
  );
  const [row] = rows;
  if (row === undefined) throw new Error("an aggregate has one row");
  return { tenants: row.tenants, ...numbersOf(row) };
}

/**
 * Tenants by their ids.
 *
 * @param after the last one that is not wanted again; null: from the first on
 * @throws when Postgres cannot be asked
 */
export async function readTenants(
  hyperdrive: Hyperdrive,
  { tenantId, storeIds }: Scope,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<readonly TenantNumbers[]> {
  const { rows } = await withPostgres(
    hyperdrive,
    (connection) =>
      connection.query<NumbersRow & { tenant_id: string; last_key_at: Date | null }>(TENANTS, [
        tenantId,
        storeIds,
        after,
        limit,
      ]),
    PATIENCE_MS,
  );
  return rows.map((row) => ({ tenantId: row.tenant_id, lastKeyAt: row.last_key_at, ...numbersOf(row) }));
}

function numbersOf(row: NumbersRow): Numbers {
  return {
    agents: row.agents,
    apiKeys: row.api_keys,
    activeApiKeys: row.active_api_keys,
    stores: row.stores,
    totalHeadSequence: row.total_head,
    activeStores24h: row.active_stores,
    lastActivityAt: row.active_at,
  };
}

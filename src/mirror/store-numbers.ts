import { IS_ACTIVE_KEY, streamsOf } from "./admin-statements.ts";
import { FROZEN, IN_SCOPE, type Scope } from "./health.ts";
import { PATIENCE_MS, withPostgres } from "./postgres.ts";
import type { StreamRef } from "../stream-ref.ts";

/** A store and its stream, as far as it is mirrored. */
export interface StoreNumbers {
  readonly stream: StreamRef;
  /** 0 before the first batch is mirrored. */
  readonly headSequence: number;
  /** End of the unbroken run of anchored batches from 1. */
  readonly anchoredSequence: number;
  /** Why the stream takes no writes; null when it does. */
  readonly frozenReason: string | null;
  /** Agents with an active API key for the store. */
  readonly agents: number;
  /** When its last event was sequenced, or else when the store was first written to. */
  readonly updatedAt: Date;
}

interface StoreRow {
  readonly tenant_id: string;
  readonly store_id: string;
  readonly head: number;
  readonly anchored: number;
  readonly frozen_reason: string | null;
  readonly agents: number;
  readonly updated_at: Date;
}

const STORES = `
  WITH page AS (
    SELECT * FROM stores
     WHERE ${IN_SCOPE} AND ($3::uuid IS NULL OR (tenant_id, store_id) > ($3, $4::uuid))
     ORDER BY tenant_id, store_id LIMIT $5
  ), streams AS (${streamsOf("page")}), frozen AS (${FROZEN})
  SELECT tenant_id, store_id, coalesce(head, 0)::float8 AS head, frozen.reason AS frozen_reason,
         coalesce(
           (SELECT sequence_start - 1 FROM ves_anchors AS anchor
             WHERE anchor.tenant_id = streams.tenant_id AND anchor.store_id = streams.store_id AND status <> 'anchored'
             ORDER BY sequence_start LIMIT 1),
           head, 0)::float8 AS anchored,
         (SELECT count(DISTINCT agent_id)::integer FROM api_keys
           WHERE api_keys.tenant_id = streams.tenant_id AND ${IS_ACTIVE_KEY}
             AND (store_ids IS NULL OR streams.store_id = ANY (store_ids))) AS agents,
         coalesce(active_at, created_at) AS updated_at
    FROM streams LEFT JOIN frozen USING (tenant_id, store_id) ORDER BY tenant_id, store_id`;

/**
 * Stores by the ids of their tenants and their own.
 *
 * @param after the last one that is not wanted again; null: from the first on
 * @throws when Postgres cannot be asked
 */
export async function readStores(
  hyperdrive: Hyperdrive,
  { tenantId, storeIds }: Scope,
  { after, limit }: { readonly after: StreamRef | null; readonly limit: number },
): Promise<readonly StoreNumbers[]> {
  const { rows } = await withPostgres(
    hyperdrive,
    (connection) =>
      connection.query<StoreRow>(STORES, [tenantId, storeIds, after?.tenantId ?? null, after?.storeId ?? null, limit]),
    PATIENCE_MS,
  );
  return rows.map((row) => ({
    stream: { tenantId: row.tenant_id, storeId: row.store_id },
    headSequence: row.head,
    anchoredSequence: row.anchored,
    frozenReason: row.frozen_reason,
    agents: row.agents,
    updatedAt: row.updated_at,
  }));
}

import { PATIENCE_MS, withPostgres } from "./postgres.ts";

/** Which streams are told of. */
export interface Scope {
  /** Null: those of all tenants. */
  readonly tenantId: string | null;
  /** Null: all stores of the tenant. */
  readonly storeIds: readonly string[] | null;
}

/** A stream that takes no writes because it disagrees with its mirror or with the contract. */
export interface FrozenStream {
  readonly tenantId: string;
  readonly storeId: string;
  readonly reason: string;
  readonly frozenAt: Date;
}

export interface MirrorCounts {
  readonly frozenStreams: number;
  /** Streams with at least one mirrored batch. */
  readonly mirroredStreams: number;
}

/** The scope's streams among the rows of a table, with its two ids as parameters 1 and 2. */
export const IN_SCOPE = "($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid[] IS NULL OR store_id = ANY ($2))";

/** A stream that both disagree with is listed for what was found first. */
export const FROZEN = `
  SELECT DISTINCT ON (tenant_id, store_id) tenant_id, store_id, reason, frozen_at FROM (
    SELECT tenant_id, store_id, reason, frozen_at FROM ves_frozen_streams
     UNION ALL
    SELECT tenant_id, store_id, reason, found_at FROM ves_anchor_conflicts
  ) AS found
   WHERE ${IN_SCOPE} ORDER BY tenant_id, store_id, frozen_at`;

/** Streams that are frozen, the one that is so for the longest time first. @throws when Postgres cannot be asked */
export async function readFrozenStreams(
  hyperdrive: Hyperdrive,
  { tenantId, storeIds }: Scope,
  limit: number,
): Promise<readonly FrozenStream[]> {
  const { rows } = await withPostgres(
    hyperdrive,
    (connection) =>
      connection.query<{ tenant_id: string; store_id: string; reason: string; frozen_at: Date }>(
        `SELECT * FROM (${FROZEN}) AS frozen ORDER BY frozen_at, tenant_id, store_id LIMIT $3`,
        [tenantId, storeIds, limit],
      ),
    PATIENCE_MS,
  );
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    storeId: row.store_id,
    reason: row.reason,
    frozenAt: row.frozen_at,
  }));
}

/** @throws when Postgres cannot be asked */
export async function readMirrorCounts(hyperdrive: Hyperdrive, { tenantId, storeIds }: Scope): Promise<MirrorCounts> {
  const { rows } = await withPostgres(
    hyperdrive,
    (connection) =>
      connection.query<{ frozen: number; mirrored: number }>(
        // Every stream's first batch begins at 1.
        `SELECT (SELECT count(*)::integer FROM (${FROZEN}) AS frozen) AS frozen,
                (SELECT count(*)::integer FROM ves_commitments WHERE sequence_start = 1 AND ${IN_SCOPE}) AS mirrored`,
        [tenantId, storeIds],
      ),
    PATIENCE_MS,
  );
  const [row] = rows;
  return { frozenStreams: row?.frozen ?? 0, mirroredStreams: row?.mirrored ?? 0 };
}

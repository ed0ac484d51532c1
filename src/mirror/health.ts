import { withPostgres } from "./postgres.ts";

/** A stream that takes no writes because it and its mirror disagree. */
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

/**
 * Streams that are frozen, the one that is so for the longest time first.
 *
 * @param tenantId whose streams alone; null: all
 * @throws when Postgres cannot be asked
 */
export async function readFrozenStreams(
  hyperdrive: Hyperdrive,
  tenantId: string | null,
  limit: number,
): Promise<readonly FrozenStream[]> {
  const { rows } = await withPostgres(hyperdrive, (connection) =>
    connection.query<{ tenant_id: string; store_id: string; reason: string; frozen_at: Date }>(
      `SELECT tenant_id, store_id, reason, frozen_at FROM ves_frozen_streams
        WHERE $1::uuid IS NULL OR tenant_id = $1 ORDER BY frozen_at, tenant_id, store_id LIMIT $2`,
      [tenantId, limit],
    ),
  );
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    storeId: row.store_id,
    reason: row.reason,
    frozenAt: row.frozen_at,
  }));
}

/** @param tenantId whose streams alone; null: all. @throws when Postgres cannot be asked */
export async function readMirrorCounts(hyperdrive: Hyperdrive, tenantId: string | null): Promise<MirrorCounts> {
  const { rows } = await withPostgres(hyperdrive, (connection) =>
    connection.query<{ frozen: number; mirrored: number }>(
      // Every stream's first batch begins at 1.
      `SELECT (SELECT count(*)::integer FROM ves_frozen_streams WHERE $1::uuid IS NULL OR tenant_id = $1) AS frozen,
              (SELECT count(*)::integer FROM ves_commitments
                WHERE sequence_start = 1 AND ($1::uuid IS NULL OR tenant_id = $1)) AS mirrored`,
      [tenantId],
    ),
  );
  const [row] = rows;
  return { frozenStreams: row?.frozen ?? 0, mirroredStreams: row?.mirrored ?? 0 };
}

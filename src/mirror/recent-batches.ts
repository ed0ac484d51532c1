import { IN_SCOPE, type Scope } from "./health.ts";
import { PATIENCE_MS, withPostgres } from "./postgres.ts";
import type { StreamRef } from "../stream-ref.ts";

/** A mirrored batch and what became of it on chain. */
export interface RecentBatch {
  readonly stream: StreamRef;
  readonly batchId: string;
  readonly sequenceStart: number;
  readonly sequenceEnd: number;
  readonly merkleRoot: Uint8Array;
  readonly committedAt: Date;
  readonly status: "pending" | "submitted" | "anchored";
}

/** `bigint` columns come as text. */
interface BatchRow {
  readonly tenant_id: string;
  readonly store_id: string;
  readonly batch_id: string;
  readonly sequence_start: string;
  readonly sequence_end: string;
  readonly merkle_root: Buffer;
  readonly committed_at: Date;
  readonly status: RecentBatch["status"] | null;
}

/** Of each stream only the last ones are looked at: there is no index over all batches by their time. */
const BATCHES = `
  SELECT batch.tenant_id, batch.store_id, batch.batch_id, batch.sequence_start, batch.sequence_end, batch.merkle_root,
         batch.committed_at, anchor.status
    FROM (SELECT tenant_id, store_id FROM stores WHERE ${IN_SCOPE}) AS store
   CROSS JOIN LATERAL (
      SELECT * FROM ves_commitments AS own WHERE own.tenant_id = store.tenant_id AND own.store_id = store.store_id
       ORDER BY sequence_start DESC LIMIT $3
    ) AS batch
    LEFT JOIN ves_anchors AS anchor
           ON anchor.tenant_id = batch.tenant_id AND anchor.store_id = batch.store_id
          AND anchor.sequence_start = batch.sequence_start
   ORDER BY batch.committed_at DESC, batch.tenant_id, batch.store_id, batch.sequence_start DESC LIMIT $3`;

/** Batches of all streams of the scope, the one that was sealed last first. @throws when Postgres cannot be asked */
export async function readRecentBatches(
  hyperdrive: Hyperdrive,
  { tenantId, storeIds }: Scope,
  limit: number,
): Promise<readonly RecentBatch[]> {
  const { rows } = await withPostgres(
    hyperdrive,
    (connection) => connection.query<BatchRow>(BATCHES, [tenantId, storeIds, limit]),
    PATIENCE_MS,
  );
  return rows.map((row) => ({
    stream: { tenantId: row.tenant_id, storeId: row.store_id },
    batchId: row.batch_id,
    sequenceStart: Number(row.sequence_start),
    sequenceEnd: Number(row.sequence_end),
    merkleRoot: new Uint8Array(row.merkle_root),
    committedAt: row.committed_at,
    status: row.status ?? "pending",
  }));
}

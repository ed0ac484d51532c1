import type { Batch } from "../stream/messages.ts";
import type { StreamRef } from "../stream-ref.ts";
import { withPostgres } from "./postgres.ts";

/** A mirrored batch that is not anchored yet. */
export interface PendingCommitment {
  readonly stream: StreamRef;
  readonly batch: Batch;
  /** The transaction that carries it now, if one does. */
  readonly txHash: Uint8Array | null;
}

/** `bigint` columns come as text. */
interface PendingRow {
  readonly tenant_id: string;
  readonly store_id: string;
  readonly batch_id: string;
  readonly sequence_start: string;
  readonly sequence_end: string;
  readonly merkle_root: Buffer;
  readonly prev_state_root: Buffer;
  readonly new_state_root: Buffer;
  readonly committed_at: Date;
  readonly tx_hash: Buffer | null;
}

/**
 * A clock may go back, and a stream's batches are wanted in their order all the same: each counts as committed when the
 * latest up to it was.
 */
const PENDING = `
  WITH pending AS MATERIALIZED (
    SELECT tenant_id, store_id, sequence_start, attempt_id,
           max(committed_at) OVER (PARTITION BY tenant_id, store_id ORDER BY sequence_start) AS due
      FROM ves_anchors JOIN ves_commitments USING (tenant_id, store_id, sequence_start)
     WHERE status <> 'anchored' ORDER BY due, tenant_id, store_id, sequence_start LIMIT $1
  )
  SELECT tenant_id, store_id, batch_id, sequence_start, sequence_end, merkle_root, prev_state_root, new_state_root,
         committed_at,
         coalesce(attempts.tx_hash,
                  (SELECT tx_hash FROM ves_anchor_transactions AS sent WHERE sent.attempt_id = pending.attempt_id
                    ORDER BY sent.created_at DESC LIMIT 1)) AS tx_hash
    FROM pending JOIN ves_commitments USING (tenant_id, store_id, sequence_start)
    LEFT JOIN ves_anchor_attempts AS attempts ON attempts.id = pending.attempt_id
   ORDER BY due, tenant_id, store_id, sequence_start`;

/** Batches of all streams that are not anchored, the oldest first. @throws when Postgres cannot be asked */
export async function readPendingCommitments(
  hyperdrive: Hyperdrive,
  limit: number,
): Promise<readonly PendingCommitment[]> {
  const { rows } = await withPostgres(hyperdrive, (connection) => connection.query<PendingRow>(PENDING, [limit]));
  return rows.map((row) => ({
    stream: { tenantId: row.tenant_id, storeId: row.store_id },
    batch: {
      batchId: row.batch_id,
      sequenceStart: Number(row.sequence_start),
      sequenceEnd: Number(row.sequence_end),
      merkleRoot: new Uint8Array(row.merkle_root),
      prevStateRoot: new Uint8Array(row.prev_state_root),
      newStateRoot: new Uint8Array(row.new_state_root),
      committedAt: row.committed_at.getTime(),
    },
    txHash: row.tx_hash === null ? null : new Uint8Array(row.tx_hash),
  }));
}

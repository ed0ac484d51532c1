import type { AnchorNote } from "../stream/messages.ts";
import type { StreamRef } from "../stream-ref.ts";
import { milliseconds } from "./mirrored-batches.ts";
import type { Connection } from "./postgres.ts";

/** `bigint` columns come as text. */
interface AnchorRow {
  readonly batch_id: string;
  readonly sequence_start: string;
  readonly revision: number;
  readonly chain_id: string | null;
  readonly tx_hash: Buffer | null;
  readonly block_number: string | null;
  readonly anchored_at: string | null;
}

/**
 * What a stream would have been told of its batches that begin after a number: in their order, as many as `limit`. Batches of
 * which there is nothing to tell are left out.
 */
export async function readAnchorNotes(
  connection: Connection,
  { tenantId, storeId }: StreamRef,
  afterSequenceStart: number,
  limit: number,
): Promise<AnchorNote[]> {
  const { rows } = await connection.query<AnchorRow>(
    `SELECT batch_id, sequence_start, revision, chain_id, tx_hash, block_number, ${milliseconds("anchored_at")}
       FROM ves_anchors
      WHERE tenant_id = $1 AND store_id = $2 AND sequence_start > $3 AND (status = 'anchored' OR revision > 0)
      ORDER BY sequence_start LIMIT $4`,
    [tenantId, storeId, afterSequenceStart, limit],
  );
  return rows.map((row) => ({
    batchId: row.batch_id,
    sequenceStart: Number(row.sequence_start),
    revision: row.revision,
    anchor:
      row.anchored_at === null
        ? null
        : {
            chainId: Number(row.chain_id),
            txHash: row.tx_hash === null ? null : new Uint8Array(row.tx_hash),
            blockNumber: row.block_number === null ? null : Number(row.block_number),
            anchoredAt: Number(row.anchored_at),
          },
  }));
}

import { blob, blobOrNull, integer, integerOrNull, type SqlRow, type SqlStore } from "../storage/sql-store.ts";
import { uuidBytes, uuidFromBytes } from "../ves/index.ts";
import type { Anchor, Batch, StoredBatch } from "./messages.ts";

/** What of a batch is read but its tree, which is long. */
export const BATCH_COLUMNS =
  "sequence_start, sequence_end, batch_id, merkle_root, prev_state_root, new_state_root, committed_at";

/** Batches with what became of them on chain. */
export const STORED_BATCHES = `
  SELECT ${BATCH_COLUMNS}, chain_id, tx_hash, block_number, anchored_at
    FROM batches LEFT JOIN anchors USING (sequence_start)`;

export function batchFromRow(row: SqlRow): Batch {
  return {
    batchId: uuidFromBytes(blob(row["batch_id"])),
    sequenceStart: integer(row["sequence_start"]),
    sequenceEnd: integer(row["sequence_end"]),
    merkleRoot: blob(row["merkle_root"]),
    prevStateRoot: blob(row["prev_state_root"]),
    newStateRoot: blob(row["new_state_root"]),
    committedAt: integer(row["committed_at"]),
  };
}

/** A row of {@link STORED_BATCHES}. */
export function storedBatchFromRow(row: SqlRow): StoredBatch {
  return { ...batchFromRow(row), anchor: anchorFromRow(row) };
}

function anchorFromRow(row: SqlRow): Anchor | null {
  const anchoredAt = integerOrNull(row["anchored_at"]);
  if (anchoredAt === null) return null;
  return {
    chainId: integer(row["chain_id"]),
    txHash: blobOrNull(row["tx_hash"]),
    blockNumber: integerOrNull(row["block_number"]),
    anchoredAt,
  };
}

export function insertBatch(store: SqlStore, batch: Batch, tree: Uint8Array): void {
  store.exec(
    `INSERT INTO batches (${BATCH_COLUMNS}, tree) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    batch.sequenceStart,
    batch.sequenceEnd,
    uuidBytes(batch.batchId),
    batch.merkleRoot,
    batch.prevStateRoot,
    batch.newStateRoot,
    batch.committedAt,
    tree,
  );
}

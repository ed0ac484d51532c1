import { blob, integer, type SqlRow, type SqlStore } from "../storage/sql-store.ts";
import { uuidBytes, uuidFromBytes } from "../ves/index.ts";
import type { Batch } from "./messages.ts";

/** What of a batch is read but its tree, which is long. */
export const BATCH_COLUMNS =
  "sequence_start, sequence_end, batch_id, merkle_root, prev_state_root, new_state_root, committed_at";

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

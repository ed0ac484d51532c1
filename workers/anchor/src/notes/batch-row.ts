import type { AnchorBatch } from "../batch.ts";

/** What of a batch is read, where `WITH_COMMITMENT` is asked. */
export const BATCH_COLUMNS = `c.tenant_id, c.store_id, c.batch_id, c.sequence_start, c.sequence_end, c.merkle_root,
  c.prev_state_root, c.new_state_root`;
export const WITH_COMMITMENT = `ves_anchors a JOIN ves_commitments c
  ON c.tenant_id = a.tenant_id AND c.store_id = a.store_id AND c.sequence_start = a.sequence_start`;

/** `bigint` columns come as text. */
export interface BatchRow {
  readonly tenant_id: string;
  readonly store_id: string;
  readonly batch_id: string;
  readonly sequence_start: string;
  readonly sequence_end: string;
  readonly merkle_root: Buffer;
  readonly prev_state_root: Buffer;
  readonly new_state_root: Buffer;
}

export function batchOf(row: BatchRow): AnchorBatch {
  return {
    stream: { tenantId: row.tenant_id, storeId: row.store_id },
    batchId: row.batch_id,
    sequenceStart: Number(row.sequence_start),
    sequenceEnd: Number(row.sequence_end),
    merkleRoot: new Uint8Array(row.merkle_root),
    prevStateRoot: new Uint8Array(row.prev_state_root),
    stateRoot: new Uint8Array(row.new_state_root),
  };
}

import { toHex, toRfc3339Offset, toWireEnvelope, treeDepth } from "../ves/index.ts";
import type { Batch, SequencedEvent, StoredBatch } from "./messages.ts";
import type { StreamRef } from "../stream-ref.ts";

/*
 * Events and batches as JSON: the one form in which reads answer them and subscribers are sent them.
 */

/** A sealed batch and the stream that it is of. */
export interface StreamBatch {
  readonly stream: StreamRef;
  readonly batch: StoredBatch;
}

/** The version of the tree's and the chain's form (VES 2.6), not that of the events in it. */
const TREE_VERSION = 1;

/** A sequenced event as its signed envelope plus its place. */
export function sequencedEnvelope(event: SequencedEvent) {
  return {
    ...toWireEnvelope(event.envelope),
    sequence_number: event.sequenceNumber,
    sequenced_at: toRfc3339Offset(event.sequencedAt),
  };
}

export function commitmentOf({ stream, batch }: StreamBatch) {
  const leafCount = leafCountOf(batch);
  const depth = treeDepth(leafCount);
  return {
    batch_id: batch.batchId,
    tenant_id: stream.tenantId,
    store_id: stream.storeId,
    ves_version: TREE_VERSION,
    tree_depth: depth,
    leaf_count: leafCount,
    padded_leaf_count: 2 ** depth,
    merkle_root: toHex(batch.merkleRoot),
    prev_state_root: toHex(batch.prevStateRoot),
    new_state_root: toHex(batch.newStateRoot),
    sequence_start: batch.sequenceStart,
    sequence_end: batch.sequenceEnd,
    committed_at: toRfc3339Offset(batch.committedAt),
    is_anchored: batch.anchor !== null,
  };
}

export function leafCountOf({ sequenceStart, sequenceEnd }: Batch): number {
  return sequenceEnd - sequenceStart + 1;
}

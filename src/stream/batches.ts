import type { SealLimits } from "./seal-limits.ts";
import { isEmptyStore } from "../storage/migrate.ts";
import { blob, integer, type SqlRow, type SqlStore } from "../storage/sql-store.ts";
import { uuidBytes } from "../ves/index.ts";
import { BATCH_COLUMNS, batchFromRow, STORED_BATCHES, storedBatchFromRow } from "./batch-row.ts";
import { readFrozen } from "./frozen.ts";
import { headOf } from "./head.ts";
import type { Batch, BatchList, BatchListRequest, InclusionProof, ProofResult, StoredBatch } from "./messages.ts";
import { readMirrorState } from "./mirror-state.ts";
import { nextSealAt, readProgress } from "./progress.ts";
import { pathInTree } from "./tree-blob.ts";

/** The newest sealed batch, or null when there is none. The store must have its tables. */
export function latestBatch(store: SqlStore): StoredBatch | null {
  return first(store.exec(`${STORED_BATCHES} ORDER BY sequence_start DESC LIMIT 1`));
}

/** The batch that holds this number, or null when it is not sealed yet. */
export function coveringBatch(store: SqlStore, sequenceNumber: number): Batch | null {
  const [row] = store.exec(
    `SELECT ${BATCH_COLUMNS} FROM batches WHERE sequence_start <= ? ORDER BY sequence_start DESC LIMIT 1`,
    sequenceNumber,
  );
  if (row === undefined) return null;
  const batch = batchFromRow(row);
  return batch.sequenceEnd < sequenceNumber ? null : batch;
}

export function readBatch(store: SqlStore, batchId: string): StoredBatch | null {
  if (isEmptyStore(store)) return null;
  return first(store.exec(`${STORED_BATCHES} WHERE batch_id = ?`, uuidBytes(batchId)));
}

/** The batch that begins at this number, or null when none does. The store must have its tables. */
export function batchFrom(store: SqlStore, sequenceStart: number): StoredBatch | null {
  return first(store.exec(`${STORED_BATCHES} WHERE sequence_start = ?`, sequenceStart));
}

/**
 * Anchored batches are a prefix of the stream, but for some beyond a gap while notes arrive out of order. So neither list
 * goes through batches of the other kind, of which there may be any number: each begins or ends where theirs are.
 */
const ANCHORED = `sequence_start < MIN(?, (SELECT COALESCE(MAX(sequence_start), 0) FROM anchors) + 1)
  AND anchored_at IS NOT NULL`;
const NOT_ANCHORED = `sequence_start < ? AND sequence_start > (SELECT anchored_sequence FROM anchor_state)
  AND anchored_at IS NULL`;

/** Batches that begin before a number, newest first. */
export function listBatches(store: SqlStore, { before, limit, anchored }: BatchListRequest): BatchList {
  if (isEmptyStore(store)) return { batches: [], hasMore: false };
  const wanted = anchored === undefined ? "sequence_start < ?" : anchored ? ANCHORED : NOT_ANCHORED;
  const rows = store.exec(`${STORED_BATCHES} WHERE ${wanted} ORDER BY sequence_start DESC LIMIT ?`, before, limit + 1);
  return { batches: rows.slice(0, limit).map(storedBatchFromRow), hasMore: rows.length > limit };
}

/** The proof that a number lies in its sealed batch. Reads the batch's row alone, however long the stream is. */
export function readProof(store: SqlStore, sequenceNumber: number, limits: SealLimits, now: number): ProofResult {
  if (isEmptyStore(store) || sequenceNumber < 1 || sequenceNumber > headOf(store)) return { kind: "unknown_event" };
  const batch = coveringBatch(store, sequenceNumber);
  if (batch === null) {
    const sealAt = readFrozen(store) === null ? nextSealAt(readProgress(store), limits, now) : null;
    return { kind: "not_yet_sealed", sealAt };
  }
  const isMirrored = batch.sequenceEnd <= readMirrorState(store).mirroredSequence;
  return { kind: "proof", proof: proofsIn(store, batch)(sequenceNumber), isMirrored };
}

/** As {@link readProof}, for the event with this id. */
export function readProofOfEvent(store: SqlStore, eventId: string, limits: SealLimits, now: number): ProofResult {
  if (isEmptyStore(store)) return { kind: "unknown_event" };
  const [row] = store.exec("SELECT sequence_number FROM events WHERE event_id = ?", uuidBytes(eventId));
  return row === undefined ? { kind: "unknown_event" } : readProof(store, integer(row["sequence_number"]), limits, now);
}

/**
 * Proofs for numbers of any batches; null for a number that is not sealed yet. The tree that was read last is kept, as
 * numbers that are asked for together mostly lie together.
 */
export function proofReader(store: SqlStore): (sequenceNumber: number) => InclusionProof | null {
  let last: { readonly batch: Batch; readonly proofOf: (sequenceNumber: number) => InclusionProof } | null = null;
  return (sequenceNumber) => {
    const batch = coveringBatch(store, sequenceNumber);
    if (batch === null) return null;
    if (last?.batch.batchId !== batch.batchId) last = { batch, proofOf: proofsIn(store, batch) };
    return last.proofOf(sequenceNumber);
  };
}

function proofsIn(store: SqlStore, batch: Batch): (sequenceNumber: number) => InclusionProof {
  const leafCount = batch.sequenceEnd - batch.sequenceStart + 1;
  const [row] = store.exec("SELECT tree FROM batches WHERE sequence_start = ?", batch.sequenceStart);
  const tree = blob(row?.["tree"]);
  return (sequenceNumber) => {
    const leafIndex = sequenceNumber - batch.sequenceStart;
    return { batch, sequenceNumber, leafIndex, ...pathInTree(tree, leafCount, leafIndex) };
  };
}

function first([row]: readonly SqlRow[]): StoredBatch | null {
  return row === undefined ? null : storedBatchFromRow(row);
}

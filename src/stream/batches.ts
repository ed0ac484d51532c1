import type { SealLimits } from "../settings.ts";
import { isEmptyStore } from "../storage/migrate.ts";
import { blob, integer, type SqlRow, type SqlStore } from "../storage/sql-store.ts";
import { uuidBytes } from "../ves/index.ts";
import { BATCH_COLUMNS, batchFromRow } from "./batch-row.ts";
import { headOf } from "./head.ts";
import type { Batch, BatchList, InclusionProof, ProofResult } from "./messages.ts";
import { readMirrorState } from "./mirror-state.ts";
import { nextSealAt, readProgress } from "./progress.ts";
import { pathInTree } from "./tree-blob.ts";

/** The newest sealed batch, or null when there is none. The store must have its tables. */
export function latestBatch(store: SqlStore): Batch | null {
  return first(store.exec(`SELECT ${BATCH_COLUMNS} FROM batches ORDER BY sequence_start DESC LIMIT 1`));
}

/** The batch that holds this number, or null when it is not sealed yet. */
export function coveringBatch(store: SqlStore, sequenceNumber: number): Batch | null {
  const batch = first(
    store.exec(
      `SELECT ${BATCH_COLUMNS} FROM batches WHERE sequence_start <= ? ORDER BY sequence_start DESC LIMIT 1`,
      sequenceNumber,
    ),
  );
  return batch === null || batch.sequenceEnd < sequenceNumber ? null : batch;
}

export function readBatch(store: SqlStore, batchId: string): Batch | null {
  if (isEmptyStore(store)) return null;
  return first(store.exec(`SELECT ${BATCH_COLUMNS} FROM batches WHERE batch_id = ?`, uuidBytes(batchId)));
}

/** Batches that begin before a number, newest first. */
export function listBatches(store: SqlStore, request: { readonly before: number; readonly limit: number }): BatchList {
  if (isEmptyStore(store)) return { batches: [], hasMore: false };
  const rows = store.exec(
    `SELECT ${BATCH_COLUMNS} FROM batches WHERE sequence_start < ? ORDER BY sequence_start DESC LIMIT ?`,
    request.before,
    request.limit + 1,
  );
  return { batches: rows.slice(0, request.limit).map(batchFromRow), hasMore: rows.length > request.limit };
}

/** The proof that a number lies in its sealed batch. Reads the batch's row alone, however long the stream is. */
export function readProof(store: SqlStore, sequenceNumber: number, limits: SealLimits, now: number): ProofResult {
  if (isEmptyStore(store) || sequenceNumber < 1 || sequenceNumber > headOf(store)) return { kind: "unknown_event" };
  const batch = coveringBatch(store, sequenceNumber);
  const { mirroredSequence, frozenReason } = readMirrorState(store);
  if (batch === null) {
    const sealAt = frozenReason === null ? nextSealAt(readProgress(store), limits, now) : null;
    return { kind: "not_yet_sealed", sealAt };
  }
  const isMirrored = batch.sequenceEnd <= mirroredSequence;
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

function first([row]: readonly SqlRow[]): Batch | null {
  return row === undefined ? null : batchFromRow(row);
}

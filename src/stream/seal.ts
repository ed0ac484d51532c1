import { recorder } from "../observe/recorder.ts";
import { MAX_BATCH_EVENTS, type SealLimits } from "./seal-limits.ts";
import { blob, integer, integerOrNull, type SqlStore } from "../storage/sql-store.ts";
import { leafHasher, type LeafParts, type MerkleTree, merkleTree, stateRoot, ZERO_32 } from "../ves/index.ts";
import { insertBatch } from "./batch-row.ts";
import { batchFrom, latestBatch } from "./batches.ts";
import type { Batch, CommitResult, StoredBatch } from "./messages.ts";
import { nextSealAt, readProgress } from "./progress.ts";
import { EVENT_BYTES } from "./read.ts";
import type { StreamRef } from "../stream-ref.ts";
import { packTree } from "./tree-blob.ts";

/**
 * What of a batch's events can be long, together, so that whoever mirrors or restores it can hold it in memory, as text and
 * as bytes. A single event is shorter than this.
 */
export const MAX_BATCH_BYTES = 4 * 1024 * 1024;

/** Seals the next batch if it is due. Null when it is not. */
export function sealDue(
  store: SqlStore,
  stream: StreamRef,
  limits: SealLimits,
  now: number,
  batchId: string,
): Batch | null {
  const progress = readProgress(store);
  const dueAt = nextSealAt(progress, limits, now);
  if (dueAt === null || dueAt > now) return null;
  const start = progress.sealedSequence + 1;
  const end = endWithinBytes(store, start, Math.min(progress.head, start + limits.maxEvents - 1));
  return seal(store, stream, end, now, batchId);
}

/**
 * Seals exactly the range that is asked for. The same range again is answered with the batch it became; any other range
 * must continue where the last batch ends, since batches neither skip nor repeat a number.
 */
export function commitRange(
  store: SqlStore,
  stream: StreamRef,
  { start, end }: { readonly start: number; readonly end: number },
  now: number,
  batchId: string,
): CommitResult {
  if (end < start) throw new RangeError(`the range ends at ${end}, before its start ${start}`);
  const { head, sealedSequence } = readProgress(store);
  if (head === 0 || end > head) return { kind: "beyond_head", head };
  const present = batchFrom(store, start);
  if (present !== null) {
    return present.sequenceEnd === end ? { kind: "sealed", batch: present } : { kind: "other_end", batch: present };
  }
  const next = sealedSequence + 1;
  if (start !== next) return { kind: "not_next", next };
  const largestEnd = endWithinBytes(store, start, Math.min(end, start + MAX_BATCH_EVENTS - 1));
  if (largestEnd < end) return { kind: "too_large", largestEnd };
  return { kind: "sealed", batch: { ...seal(store, stream, end, now, batchId), anchor: null } };
}

/** The batch over exactly this range, or null when there is none. The store must have its tables. */
export function readSealedRange(
  store: SqlStore,
  { start, end }: { readonly start: number; readonly end: number },
): StoredBatch | null {
  const batch = batchFrom(store, start);
  return batch?.sequenceEnd === end ? batch : null;
}

/** The batch over these events, which follow on `previous`: their tree, its root, and the state root chained to the one before. */
export function buildBatch(
  stream: StreamRef,
  previous: Batch | null,
  events: readonly (LeafParts & { readonly sequenceNumber: number })[],
  committedAt: number,
  batchId: string,
): { readonly batch: Batch; readonly tree: MerkleTree } {
  const sequenceStart = (previous?.sequenceEnd ?? 0) + 1;
  if (events.some(({ sequenceNumber }, index) => sequenceNumber !== sequenceStart + index)) {
    throw new Error(`events are missing from ${sequenceStart} on`);
  }
  const tree = merkleTree(events.map(leafHasher(stream)));
  const chained = {
    prevStateRoot: previous?.newStateRoot ?? ZERO_32,
    merkleRoot: tree.root,
    sequenceStart,
    sequenceEnd: sequenceStart + events.length - 1,
  };
  const newStateRoot = stateRoot({ ...stream, ...chained, leafCount: events.length });
  return { batch: { batchId, ...chained, newStateRoot, committedAt }, tree };
}

function seal(store: SqlStore, stream: StreamRef, end: number, now: number, batchId: string): Batch {
  return store.transaction(() => {
    const previous = latestBatch(store);
    const events = store
      .exec(
        `SELECT sequence_number, event_signing_hash, agent_signature FROM events
          WHERE sequence_number BETWEEN ? AND ? ORDER BY sequence_number`,
        (previous?.sequenceEnd ?? 0) + 1,
        end,
      )
      .map((row) => ({
        sequenceNumber: integer(row["sequence_number"]),
        eventSigningHash: blob(row["event_signing_hash"]),
        agentSignature: blob(row["agent_signature"]),
      }));
    const { batch, tree } = buildBatch(stream, previous, events, now, batchId);
    if (batch.sequenceEnd !== end) throw new Error(`events are missing up to ${end}`);
    insertBatch(store, batch, packTree(tree));
    recorder.count("sequencer_batches_sealed", {});
    recorder.count("sequencer_events_sealed", {}, events.length);
    return batch;
  });
}

/** The last number of a batch from `start` on that ends at `end`, or as much earlier as its payloads demand. */
function endWithinBytes(store: SqlStore, start: number, end: number): number {
  const inRange = "FROM events WHERE sequence_number BETWEEN ? AND ?";
  const [total] = store.exec(`SELECT SUM(${EVENT_BYTES}) AS bytes ${inRange}`, start, end);
  if (integer(total?.["bytes"]) <= MAX_BATCH_BYTES) return end;
  const [row] = store.exec(
    `SELECT MAX(sequence_number) AS fitting FROM (
       SELECT sequence_number, SUM(${EVENT_BYTES}) OVER (ORDER BY sequence_number) AS bytes ${inRange})
      WHERE bytes <= ?`,
    start,
    end,
    MAX_BATCH_BYTES,
  );
  return Math.max(start, integerOrNull(row?.["fitting"]) ?? start);
}

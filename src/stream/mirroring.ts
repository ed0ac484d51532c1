import type { Connection } from "../mirror/postgres.ts";
import { type MirrorTip, noteFrozen, noteThawed, readTip, writeBatches } from "../mirror/stream-tables.ts";
import { integer, type SqlStore } from "../storage/sql-store.ts";
import { equalBytes, toHex, ZERO_32 } from "../ves/index.ts";
import { coveringBatch } from "./batches.ts";
import { mirrorRows } from "./mirror-rows.ts";
import { type MirrorState, readMirrorState, updateMirrorState } from "./mirror-state.ts";
import { type Progress, readProgress } from "./progress.ts";
import { EVENT_BYTES } from "./read.ts";
import { MAX_BATCH_BYTES } from "./seal.ts";
import type { StreamRef } from "../stream-ref.ts";

/** Batches of one statement, and their events, beside what is long in them: reading 4,096 takes 20 ms, and appends wait. */
const MAX_BATCHES_AT_ONCE = 16;
const MAX_EVENTS_AT_ONCE = 4_096;

/** Whether there is something to write to Postgres, or to ask it again. */
export function hasMirrorWork({ sealedSequence }: Progress, state: MirrorState): boolean {
  const { mirroredSequence, frozenReason, isRestoring } = state;
  return !isRestoring && (frozenReason !== null || mirroredSequence < sealedSequence);
}

/**
 * Writes every sealed batch that Postgres does not have yet, in order, each with its events and some at once.
 *
 * They are written only onto the tip that they follow on. If Postgres answers that its tip is another one, what to do
 * follows from that answer: so a batch whose commit was not heard of is not written twice, and what a restored database
 * has lost is written again. Where Postgres holds anything that is not of this history, the stream freezes; once both
 * agree again, it thaws.
 *
 * @throws when Postgres fails: nothing of the batches that were under way counts as mirrored then
 */
export async function mirrorSealedBatches(store: SqlStore, stream: StreamRef, connection: Connection): Promise<void> {
  while (await mirrorNextBatches(store, stream, connection));
}

/** Whether there is more to do. */
async function mirrorNextBatches(store: SqlStore, stream: StreamRef, connection: Connection): Promise<boolean> {
  const { mirroredSequence: start, frozenReason } = readMirrorState(store);
  const end = endOfPiece(store, start);
  const { tip, isWritten, foreignRow } =
    end === start
      ? { tip: await readTip(connection, stream), isWritten: false, foreignRow: null }
      : await writeBatches(connection, stream, ownTip(store, start), mirrorRows(store, start + 1, end));
  const reason = isWritten ? null : (mismatchWith(store, tip) ?? foreignRowAt(start, tip, foreignRow));
  if (reason !== null) {
    updateMirrorState(store, { frozenReason: reason });
    await noteFrozen(connection, stream, reason);
    return false;
  }
  // First there, then here: as long as it is frozen here, this is tried again.
  if (frozenReason !== null) await noteThawed(connection, stream);
  const mirroredSequence = isWritten ? end : tip.sequenceEnd;
  // Whatever failed before, this worked: the next failure is a first one, however long the backlog still is.
  updateMirrorState(store, { mirroredSequence, failures: 0, ...(frozenReason === null ? {} : { frozenReason: null }) });
  return mirroredSequence < readProgress(store).sealedSequence;
}

/** Why rows that are in the way freeze the stream; null when the tip has moved, and they are of batches written meanwhile. */
function foreignRowAt(start: number, tip: MirrorTip, foreignRow: string | null): string | null {
  if (foreignRow === null || tip.sequenceEnd !== start) return null;
  return `Postgres holds rows after its last batch of this stream that are not its own: ${foreignRow}`;
}

/** Where the batches end that are written together after this number: itself when none is left. */
function endOfPiece(store: SqlStore, start: number): number {
  let end = start;
  let bytes = 0;
  const rows = store.exec(
    `SELECT sequence_end, (SELECT SUM(${EVENT_BYTES}) FROM events
        WHERE sequence_number BETWEEN batches.sequence_start AND batches.sequence_end) AS bytes
       FROM batches WHERE sequence_start > ? ORDER BY sequence_start LIMIT ${MAX_BATCHES_AT_ONCE}`,
    start,
  );
  for (const row of rows) {
    bytes += integer(row["bytes"]);
    const next = integer(row["sequence_end"]);
    // One batch is always small enough.
    if (end > start && (bytes > MAX_BATCH_BYTES || next - start > MAX_EVENTS_AT_ONCE)) break;
    end = next;
  }
  return end;
}

/** The tip that Postgres has when it holds everything up to this number, which ends a batch or is 0. */
function ownTip(
  store: SqlStore,
  sequenceEnd: number,
): { readonly sequenceEnd: number; readonly stateRoot: Uint8Array } {
  const batch = sequenceEnd === 0 ? null : coveringBatch(store, sequenceEnd);
  return { sequenceEnd, stateRoot: batch?.newStateRoot ?? ZERO_32 };
}

/** Why what Postgres holds is not this stream's own history (invariant "one history"), or null when it is. */
function mismatchWith(store: SqlStore, tip: MirrorTip): string | null {
  if (tip.alteredAt !== null) {
    return `rows of this stream in Postgres were changed by hand, the first at number ${tip.alteredAt}: see the table ves_alterations`;
  }
  if (tip.stateRoot === null) return null;
  const own = coveringBatch(store, tip.sequenceEnd);
  if (own === null || own.sequenceEnd !== tip.sequenceEnd) {
    return `Postgres holds a batch that ends at ${tip.sequenceEnd}, and this stream does not: it was begun anew, or two deployments share the database`;
  }
  if (equalBytes(own.newStateRoot, tip.stateRoot)) return null;
  return `at number ${tip.sequenceEnd} Postgres holds the state root ${toHex(tip.stateRoot)}, and this stream ${toHex(own.newStateRoot)}`;
}

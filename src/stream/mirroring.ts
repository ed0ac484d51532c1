import { type Connection, inTransaction } from "../mirror/postgres.ts";
import {
  insertCommitment,
  insertEvents,
  type MirrorTip,
  noteFrozen,
  noteThawed,
  readTip,
} from "../mirror/stream-tables.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import { equalBytes, toHex, ZERO_32 } from "../ves/index.ts";
import { BATCH_COLUMNS, batchFromRow } from "./batch-row.ts";
import { coveringBatch, sealedSequence } from "./batches.ts";
import type { Batch } from "./messages.ts";
import { mirrorRows } from "./mirror-rows.ts";
import { type MirrorState, readMirrorState, updateMirrorState } from "./mirror-state.ts";
import type { StreamRef } from "./stream-ref.ts";

/** What to do next, by what Postgres holds. */
export type NextStep =
  | { readonly kind: "write"; readonly batch: Batch }
  | { readonly kind: "complete"; readonly sequenceEnd: number }
  | { readonly kind: "mismatch"; readonly reason: string };

/** Where the mirror stands: whether there is something to write to Postgres, or to ask it again. */
export function hasMirrorWork(store: SqlStore, state: MirrorState): boolean {
  const { mirroredSequence, frozenReason, isRestoring } = state;
  return !isRestoring && (frozenReason !== null || mirroredSequence < sealedSequence(store));
}

/**
 * Writes every sealed batch that Postgres does not have yet, in order, each with its events in one transaction.
 *
 * Before each batch Postgres is asked how far it is, and the next batch follows from its answer and not from what is
 * noted here: so a batch whose commit was not heard of is not written twice, and what a restored database has lost is
 * written again. Where Postgres holds anything that is not of this history, the stream freezes; once both agree again,
 * it thaws.
 *
 * @throws when Postgres fails: nothing of the batch that was under way counts as mirrored then
 */
export async function mirrorSealedBatches(store: SqlStore, stream: StreamRef, connection: Connection): Promise<void> {
  while (await mirrorNextBatch(store, stream, connection));
}

async function mirrorNextBatch(store: SqlStore, stream: StreamRef, connection: Connection): Promise<boolean> {
  const step = await inTransaction(connection, async () => {
    const tip = await readTip(connection, stream);
    const next = nextStep(store, tip);
    if (next.kind === "write") {
      for (const rows of mirrorRows(store, next.batch)) await insertEvents(connection, stream, rows);
      await insertCommitment(connection, stream, next.batch);
    }
    return next;
  });
  if (step.kind === "mismatch") {
    updateMirrorState(store, { frozenReason: step.reason });
    await noteFrozen(connection, stream, step.reason);
    return false;
  }
  const wasFrozen = readMirrorState(store).frozenReason !== null;
  const mirroredSequence = step.kind === "write" ? step.batch.sequenceEnd : step.sequenceEnd;
  updateMirrorState(store, { mirroredSequence, frozenReason: null });
  if (wasFrozen) await noteThawed(connection, stream);
  return mirroredSequence < sealedSequence(store);
}

/** Compares what Postgres holds with the stream's own history (invariant "one history"). */
export function nextStep(store: SqlStore, tip: MirrorTip): NextStep {
  if (tip.alteredAt !== null) {
    return mismatch(
      `rows of this stream in Postgres were changed by hand, the first at number ${tip.alteredAt}: see the table ves_alterations`,
    );
  }
  if (tip.stateRoot !== null) {
    const own = coveringBatch(store, tip.sequenceEnd);
    if (own === null || own.sequenceEnd !== tip.sequenceEnd) {
      return mismatch(
        `Postgres holds a batch that ends at ${tip.sequenceEnd}, and this stream does not: if its object was lost, restore it`,
      );
    }
    if (!equalBytes(own.newStateRoot, tip.stateRoot)) {
      return mismatch(
        `at number ${tip.sequenceEnd} Postgres holds the state root ${toHex(tip.stateRoot)}, and this stream ${toHex(own.newStateRoot)}`,
      );
    }
  }
  const [row] = store.exec(`SELECT ${BATCH_COLUMNS} FROM batches WHERE sequence_start = ?`, tip.sequenceEnd + 1);
  if (row === undefined) return { kind: "complete", sequenceEnd: tip.sequenceEnd };
  const batch = batchFromRow(row);
  if (!equalBytes(batch.prevStateRoot, tip.stateRoot ?? ZERO_32))
    throw new Error("a batch is chained to the one before");
  return { kind: "write", batch };
}

function mismatch(reason: string): NextStep {
  return { kind: "mismatch", reason };
}

import type { PayloadKeyring } from "../at-rest/payload-keyrings.ts";
import { readAnchorNotes } from "../mirror/anchor-rows.ts";
import { type MirroredEvent, readMirroredBatch, readMirroredEvents } from "../mirror/mirrored-batches.ts";
import type { Connection } from "../mirror/postgres.ts";
import { countBatches, type MirrorTip, noteFrozen, noteThawed, readTip } from "../mirror/stream-tables.ts";
import { isEmptyStore } from "../storage/migrate.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import { equalBytes } from "../ves/index.ts";
import { readAnchorState, updateAnchorState } from "./anchor-state.ts";
import { noteAnchors } from "./anchors.ts";
import { appendStamped } from "./append.ts";
import { insertBatch } from "./batch-row.ts";
import { latestBatch } from "./batches.ts";
import type { Batch, RestorationOutlook, RestoreRefusal, RestoreResult } from "./messages.ts";
import { readMirrorState, updateMirrorState } from "./mirror-state.ts";
import { readHead } from "./read.ts";
import { buildBatch } from "./seal.ts";
import type { StreamRef } from "../stream-ref.ts";
import { packTree } from "./tree-blob.ts";

/** One call restores for about this long, so that whoever asks sees progress and nothing runs into a time limit. */
const STEP_MS = 2_000;
/** Anchors that are read and taken over at once: about 10 ms of object time. */
const ANCHORS_AT_ONCE = 1_000;

/**
 * Rebuilds an empty stream from what Postgres holds, batch by batch. Repeated until it answers "restored"; a call that is
 * cut off is continued by the next. Until then the stream is frozen: it takes no writes.
 *
 * Nothing of a batch is taken over unless all of it verifies: every event is what its hashes say, its leaf is computed from
 * its members, and the leaves lead to the batch's root and that to its state root. The numbers, entities and commands are
 * then written by the code that wrote them first. Payloads that are encrypted stay as they are. The batches' anchors are taken over last, when no note of one can be missed.
 */
export async function restoreStep(
  store: SqlStore,
  stream: StreamRef,
  connection: Connection,
  keyring: PayloadKeyring,
): Promise<RestoreResult> {
  const tip = await readTip(connection, stream);
  const refusal = refusalOf(tip);
  if (refusal !== null) return refused(refusal);
  const until = Date.now() + STEP_MS;
  do {
    const head = readHead(store);
    if (!isRestorable(store, head)) return refused({ kind: "not_empty", head });
    if (head === tip.sequenceEnd) {
      if (await restoreAnchors(store, stream, connection)) return finish(store, stream, connection, head);
      continue;
    }
    const batch = await readMirroredBatch(connection, stream, head + 1);
    if (batch === null) return unverified(`Postgres holds no batch that begins at ${head + 1}`);
    const events = await readMirroredEvents(connection, stream, batch, keyring);
    for (const { missingKeyId: keyId, place } of events) {
      if (keyId !== null) return refused({ kind: "unreadable", sequenceNumber: place.sequenceNumber, keyId });
    }
    // Another call may have restored it while Postgres was read.
    if (readHead(store) !== head) continue;
    const problem = restoreBatch(store, stream, batch, events, tip.sequenceEnd);
    if (problem !== null) return unverified(problem);
  } while (Date.now() < until);
  await noteFrozen(connection, stream, readMirrorState(store).frozenReason ?? "it is being restored");
  return { kind: "restoring", restoredSequence: readHead(store), totalSequence: tip.sequenceEnd };
}

/** What {@link restoreStep} would begin with. Changes nothing, and verifies nothing of what Postgres holds. */
export async function restorationOutlook(
  store: SqlStore,
  stream: StreamRef,
  connection: Connection,
): Promise<RestorationOutlook> {
  const tip = await readTip(connection, stream);
  const batches = await countBatches(connection, stream);
  const head = readHead(store);
  const found = { head, totalSequence: tip.sequenceEnd, batches };
  if (!isRestorable(store, head)) return { kind: "not_empty", ...found };
  const refusal = refusalOf(tip);
  return refusal === null ? { kind: "restorable", ...found } : refused(refusal);
}

function isRestorable(store: SqlStore, head: number): boolean {
  return head === 0 || readMirrorState(store).isRestoring;
}

/** Why nothing is taken from there; null when it is. */
function refusalOf({ sequenceEnd, alteredAt }: MirrorTip): RestoreRefusal | null {
  if (sequenceEnd === 0) return { kind: "not_mirrored" };
  if (alteredAt === null) return null;
  return { kind: "unverified", reason: `rows were changed in Postgres by hand, the first at number ${alteredAt}` };
}

function refused(refusal: RestoreRefusal): { readonly kind: "refused"; readonly refusal: RestoreRefusal } {
  return { kind: "refused", refusal };
}

function unverified(reason: string): RestoreResult {
  return refused({ kind: "unverified", reason });
}

/**
 * Takes over the next anchors that Postgres knows of; whether all of them are back. The stream has all its batches by now,
 * so what the anchoring Worker tells it of them meanwhile is not lost, whichever of the two comes first.
 */
async function restoreAnchors(store: SqlStore, stream: StreamRef, connection: Connection): Promise<boolean> {
  const notes = await readAnchorNotes(connection, stream, readAnchorState(store).restoredStart, ANCHORS_AT_ONCE);
  const last = notes.at(-1);
  if (last === undefined) return true;
  store.transaction(() => {
    noteAnchors(store, notes);
    updateAnchorState(store, { restoredStart: last.sequenceStart });
  });
  return notes.length < ANCHORS_AT_ONCE;
}

async function finish(
  store: SqlStore,
  stream: StreamRef,
  connection: Connection,
  head: number,
): Promise<RestoreResult> {
  await noteThawed(connection, stream);
  // Another call may have finished it while Postgres was written, and the stream gone on since.
  if (readMirrorState(store).isRestoring) {
    updateMirrorState(store, { mirroredSequence: head, frozenReason: null, isRestoring: false });
  }
  return { kind: "restored", restoredSequence: head, totalSequence: head };
}

/** Why the batch cannot be taken over, or null when it was. */
function restoreBatch(
  store: SqlStore,
  stream: StreamRef,
  batch: Batch,
  events: readonly MirroredEvent[],
  totalSequence: number,
): string | null {
  const name = `batch ${batch.sequenceStart} to ${batch.sequenceEnd}`;
  if (events.some(({ place }, index) => place.sequenceNumber !== batch.sequenceStart + index)) {
    return `${name}: its events are not numbered one after the other`;
  }
  const altered = events.find(({ event }) => !event.payloadIntact);
  if (altered !== undefined) return `event ${altered.place.sequenceNumber}: its content is not what its hash says`;

  const leaves = events.map(({ event, place }) => ({
    sequenceNumber: place.sequenceNumber,
    eventSigningHash: event.signingHash,
    agentSignature: event.envelope.agent_signature,
  }));
  const previous = isEmptyStore(store) ? null : latestBatch(store);
  const { batch: derived, tree } = buildBatch(stream, previous, leaves, batch.committedAt, batch.batchId);
  if (derived.sequenceEnd !== batch.sequenceEnd) return `${name}: events are missing`;
  if (!equalBytes(derived.merkleRoot, batch.merkleRoot)) return `${name}: its events do not lead to its Merkle root`;
  if (!equalBytes(derived.prevStateRoot, batch.prevStateRoot)) return `${name}: it is not chained to the one before it`;
  if (!equalBytes(derived.newStateRoot, batch.newStateRoot))
    return `${name}: its state root is not the one that follows`;

  return store.transaction(() => {
    const rejection = appendStamped(
      store,
      events.map(({ event }) => event),
      events.map(({ place }) => place),
    );
    if (rejection !== null) return `${name}: ${rejection.message}`;
    insertBatch(store, derived, packTree(tree));
    updateMirrorState(store, {
      mirroredSequence: batch.sequenceEnd,
      isRestoring: true,
      frozenReason: `it is being restored from Postgres, ${batch.sequenceEnd} of ${totalSequence} events so far`,
    });
    return null;
  });
}

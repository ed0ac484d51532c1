import type { StreamRef } from "../../../src/stream-ref.ts";
import { equalBytes } from "../../../src/ves/index.ts";
import { type AnchorBatch, byStream, nameOf, type PendingBatch } from "./batch.ts";
import type { StreamOnChain } from "./chain.ts";
import { markAnchored, noteRefused, readPending } from "./notes/batches.ts";
import { noteConflict, readConflicts } from "./notes/conflicts.ts";
import { retractAfter } from "./notes/reorganized.ts";
import { change, type Parts } from "./parts.ts";

/** A stream's pending batches beside what the contract holds of it. */
interface Compared {
  readonly stream: StreamRef;
  readonly tip: StreamOnChain;
  /** Those that end where the contract is, or before. */
  readonly there: readonly PendingBatch[];
  readonly rest: readonly PendingBatch[];
}

/**
 * Of each stream, the batches that the contract should take next. What it holds already is noted as final when it is; where it
 * holds something that is not of the stream, the stream is told, and nothing of it is sent.
 *
 * @param first the stream that goes before all others
 */
export async function sendableBatches(parts: Parts, first: StreamRef | null): Promise<PendingBatch[][]> {
  const { chain, connection, head } = parts;
  const compared = await compare(parts, byStream(await readPending(connection, first)));
  const found = await chain.batchesAt(
    compared.flatMap(({ there }) => there),
    head,
  );
  const held = new Set(found.filter(({ isSame }) => isSame).map(({ batch }) => batch.batchId));
  const conflicts = new Set((await readConflicts(connection)).map(nameOf));
  const sound: Compared[] = [];
  for (const candidate of compared) {
    if (await isSound(parts, candidate, held, conflicts)) sound.push(candidate);
  }
  await markThere(
    parts,
    sound.flatMap(({ there }) => there),
  );
  const sendable: PendingBatch[][] = [];
  for (const { tip, rest } of sound) {
    const firstWaiting = rest.findIndex(({ isWaiting }) => isWaiting);
    const ready = firstWaiting === -1 ? rest : rest.slice(0, firstWaiting);
    if (ready[0] === undefined) continue;
    if (tip.mayAnchor) sendable.push([...ready]);
    else
      await refuse(
        parts,
        ready[0],
        `${chain.sender} is not an authorised sequencer, or the stream is pinned to others`,
      );
  }
  return sendable;
}

async function compare(parts: Parts, streams: readonly (readonly PendingBatch[])[]): Promise<Compared[]> {
  const refs = streams.flatMap(([batch]) => batch?.stream ?? []);
  const tips = await parts.chain.streamsAt(refs, parts.head);
  return streams.flatMap((batches, index) => {
    const [stream, tip] = [refs[index], tips[index]];
    if (stream === undefined || tip === undefined) return [];
    const there = batches.filter(({ sequenceEnd }) => sequenceEnd <= tip.latestSequence);
    return [{ stream, tip, there, rest: batches.slice(there.length) }];
  });
}

/** Whether the stream's batches follow on what the contract holds. What is to be done where they do not is done here. */
async function isSound(
  parts: Parts,
  { stream, tip, there, rest }: Compared,
  held: ReadonlySet<string>,
  conflicts: ReadonlySet<string>,
): Promise<boolean> {
  const [next] = [...there, ...rest];
  if (next === undefined) return false;
  if (tip.latestSequence < next.sequenceStart - 1) {
    await retractOrRefuse(parts, next, tip);
    return false;
  }
  const [following] = rest;
  const follows =
    following === undefined ||
    (following.sequenceStart > tip.latestSequence && equalBytes(following.prevStateRoot, tip.stateRoot));
  if (!follows || !there.every(({ batchId }) => held.has(batchId))) {
    await noteDifference(parts, next, tip);
    return false;
  }
  if (!conflicts.has(nameOf(stream))) return true;
  const frozen = await parts.streams.compareWithChain(stream, tip);
  if (frozen === null) await change(parts, (locked) => noteConflict(locked, stream, null));
  else await refuse(parts, next, frozen.reason);
  return frozen === null;
}

/** The contract holds less than was noted, which is put right; or batches are missing in Postgres. */
async function retractOrRefuse(parts: Parts, next: PendingBatch, { latestSequence }: StreamOnChain): Promise<void> {
  const isRetracted = await change(parts, (connection) => retractAfter(connection, next.stream, latestSequence));
  if (isRetracted) return;
  const reason = `the contract holds the stream up to ${latestSequence}, and Postgres lacks the batch after that`;
  await refuse(parts, next, reason);
}

/**
 * The stream itself knows its history best: it freezes when the contract's is another one, and that is final. What stands in
 * newer blocks only may go away again, and is waited for.
 */
async function noteDifference(parts: Parts, next: PendingBatch, tip: StreamOnChain): Promise<void> {
  const { chain, finalBlock } = parts;
  const [final] = finalBlock < 0 ? [] : await chain.streamsAt([next.stream], finalBlock);
  if (final === undefined || !equalBytes(final.stateRoot, tip.stateRoot)) return;
  const frozen = await parts.streams.compareWithChain(next.stream, final);
  if (frozen === null) {
    const reason = `the contract holds the stream up to ${tip.latestSequence}, as the stream itself does, and Postgres does not: its mirror is behind, or was altered`;
    await refuse(parts, next, reason);
    return;
  }
  parts.problems.push(`stream ${nameOf(next.stream)} and the contract differ: ${frozen.reason}`);
  await change(parts, (connection) => noteConflict(connection, next.stream, frozen.reason));
  await refuse(parts, next, frozen.reason);
}

/** Notes what somebody else has anchored, or a run whose notes are lost, once it is final. */
async function markThere(parts: Parts, batches: readonly AnchorBatch[]): Promise<void> {
  const { chain, target, finalBlock } = parts;
  if (batches.length === 0 || finalBlock < 0) return;
  // First where, then whether: what is reorganised away in between is not final.
  const logs = await chain.logsOf(batches, null, finalBlock);
  const final = (await chain.batchesAt(batches, finalBlock)).filter(({ isSame }) => isSame);
  const rows = final.map(({ batch: { batchId }, anchoredAt }) => ({
    batchId,
    anchoredAt,
    log: logs.get(batchId) ?? null,
  }));
  if (rows.length > 0) await change(parts, (connection) => markAnchored(connection, target, rows));
}

/** Notes that a batch cannot be sent, with the time to try again. */
export async function refuse(parts: Parts, { batchId }: PendingBatch, reason: string): Promise<void> {
  parts.problems.push(`batch ${batchId} is not anchored: ${reason}`);
  await change(parts, (connection) => noteRefused(connection, batchId, reason));
}

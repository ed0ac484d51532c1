import { hexToBytes } from "viem";
import { equalBytes } from "../../../src/ves/index.ts";
import type { StreamRef } from "../../../src/stream/stream-ref.ts";
import { type AnchorBatch, byStream, type PendingBatch } from "./batch.ts";
import type { Fees, SignedTransaction, StreamOnChain } from "./chain.ts";
import { insertAttempt, noteSent, readNonces } from "./notes/attempts.ts";
import { markAnchored, noteRefused, readPending } from "./notes/batches.ts";
import { noteConflict, readConflicts } from "./notes/conflicts.ts";
import { retractAfter } from "./notes/reorganized.ts";
import { change, type Parts } from "./parts.ts";

/** Transactions that wait for a block at once: what a public mempool keeps of one account. */
const MAX_WAITING = 8;
/** Batches that are left out of one transaction because the contract refuses them, before the rest waits for the next round. */
const MAX_REFUSALS = 20;

/**
 * Sends what is pending, in as few transactions as it fits in. Batches of one stream stand in one transaction, in its order,
 * and a stream has no more than one transaction under way: so none can be mined out of order, and none reverts because
 * another one did.
 *
 * @param first the stream that goes before all others
 * @returns how many transactions were sent
 */
export async function sendPending(parts: Parts, first: StreamRef | null): Promise<number> {
  const { chain, connection, target, head } = parts;
  const used = await chain.nonceAt(chain.sender, head);
  const nonces = freeNonces(used, await readNonces(connection, target, hexToBytes(chain.sender), used));

  const streams = byStream(await readPending(connection, first));
  const sendable = await sendableBatches(parts, streams);
  let sent = 0;
  let fees: Fees | null = null;
  const queue = pack(sendable, parts.settings.maxBatchesPerTransaction);
  while (queue.length > 0 && nonces.waiting() < MAX_WAITING) {
    const group = queue.shift() ?? [];
    const fitting = await acceptable(parts, group);
    if (fitting.kind === "too_large") {
      queue.unshift(...halves(group));
      continue;
    }
    if (fitting.batches.length === 0) continue;
    fees ??= await chain.fees();
    const nonce = nonces.next();
    const transaction = await chain.signAnchoring(fitting.batches, { ...fees, nonce, gas: fitting.gas });
    await send(parts, { nonce, transaction, batches: fitting.batches });
    sent++;
  }
  return sent + (await fillGaps(parts, nonces));
}

/**
 * Of each stream, the batches that the contract should take next. What it holds already is noted as final when it is; where it
 * holds something that is not of the stream, the stream is told, and nothing of it is sent.
 */
async function sendableBatches(parts: Parts, streams: readonly (readonly PendingBatch[])[]): Promise<PendingBatch[][]> {
  const { chain, connection, head } = parts;
  if (streams.length === 0) return [];
  const refs = streams.flatMap(([batch]) => batch?.stream ?? []);
  const onChain = await chain.streamsAt(refs, head);
  const conflicts = new Set((await readConflicts(connection)).map(nameOf));
  const sendable: PendingBatch[][] = [];
  for (const [index, batches] of streams.entries()) {
    const [stream, tip, next] = [refs[index], onChain[index], batches[0]];
    if (stream === undefined || tip === undefined || next === undefined) continue;
    const there = batches.filter(({ sequenceEnd }) => sequenceEnd <= tip.latestSequence);
    const rest = batches.slice(there.length);
    if (tip.latestSequence < next.sequenceStart - 1) {
      await retractOrRefuse(parts, next, tip);
      continue;
    }
    const isKnown = conflicts.has(nameOf(stream));
    if (!(await extendsChain(parts, there, rest[0], tip))) {
      await noteDifference(parts, next, tip, isKnown);
      continue;
    }
    if (isKnown) {
      const frozen = await parts.streams.compareWithChain(stream, tip);
      if (frozen !== null) continue;
      await change(parts, (locked) => noteConflict(locked, stream, null));
    }
    await markThere(parts, there);
    const firstWaiting = rest.findIndex(({ isWaiting }) => isWaiting);
    const ready = firstWaiting === -1 ? rest : rest.slice(0, firstWaiting);
    if (ready[0] === undefined) continue;
    if (tip.mayAnchor) sendable.push(ready);
    else
      await refuse(
        parts,
        ready[0],
        `${chain.sender} is not an authorised sequencer, or the stream is pinned to others`,
      );
  }
  return sendable;
}

/** The contract holds less than was noted, which is put right; or batches are missing in Postgres. */
async function retractOrRefuse(parts: Parts, next: PendingBatch, tip: StreamOnChain): Promise<void> {
  const { latestSequence } = tip;
  const isRetracted = await change(parts, (connection) => retractAfter(connection, next.stream, latestSequence));
  if (isRetracted) return;
  await refuse(
    parts,
    next,
    `the contract holds the stream up to ${latestSequence}, and Postgres lacks the batch after that`,
  );
}

/** Whether these batches of a stream, and the one after them, fit what the contract holds. */
async function extendsChain(
  parts: Parts,
  there: readonly AnchorBatch[],
  next: AnchorBatch | undefined,
  tip: StreamOnChain,
): Promise<boolean> {
  if (next !== undefined && next.sequenceStart <= tip.latestSequence) return false;
  if (next !== undefined && !equalBytes(next.prevStateRoot, tip.stateRoot)) return false;
  const found = await parts.chain.batchesAt(there, parts.head);
  return found.every(({ isSame }) => isSame);
}

/**
 * The stream itself knows its history best: it freezes when the contract's is another one.
 *
 * @param isKnown whether a conflict of the stream is noted
 */
async function noteDifference(parts: Parts, next: PendingBatch, tip: StreamOnChain, isKnown: boolean): Promise<void> {
  const { latestSequence, stateRoot } = tip;
  const frozen = await parts.streams.compareWithChain(next.stream, { latestSequence, stateRoot });
  if (frozen !== null) {
    if (!isKnown || !next.isWaiting) {
      parts.problems.push(`stream ${nameOf(next.stream)} and the contract differ: ${frozen.reason}`);
      await change(parts, (connection) => noteConflict(connection, next.stream, frozen.reason));
    }
    await refuse(parts, next, frozen.reason);
  } else {
    const reason = `the contract holds the stream up to ${latestSequence}, as the stream itself does, and Postgres does not: its mirror is behind, or was altered`;
    await refuse(parts, next, reason);
  }
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

/** Streams' batches in groups of at most so many; those of one stream stand in one group. */
function pack(streams: readonly (readonly PendingBatch[])[], size: number): PendingBatch[][] {
  const groups: PendingBatch[][] = [];
  let room = 0;
  for (const batches of streams) {
    if (room === 0) {
      groups.push([]);
      room = size;
    }
    const taken = batches.slice(0, room);
    groups.at(-1)?.push(...taken);
    room -= taken.length;
  }
  return groups;
}

/** A group that is too large for one transaction, as smaller ones; of a stream that is alone in it, the later half waits. */
function halves(group: readonly PendingBatch[]): PendingBatch[][] {
  const streams = byStream(group);
  if (streams.length === 1) return [group.slice(0, Math.ceil(group.length / 2))];
  const middle = Math.ceil(streams.length / 2);
  return [streams.slice(0, middle).flat(), streams.slice(middle).flat()];
}

type Acceptable =
  | { readonly kind: "batches"; readonly batches: readonly AnchorBatch[]; readonly gas: bigint }
  | { readonly kind: "too_large" };

/** Those of the batches that the contract takes now. A batch that it refuses keeps back only those of its stream after it. */
async function acceptable(parts: Parts, group: readonly PendingBatch[]): Promise<Acceptable> {
  let batches = group;
  for (let refusals = 0; batches.length > 0 && refusals < MAX_REFUSALS; refusals++) {
    const estimate = await parts.chain.estimate(batches);
    if (estimate.kind === "gas") return { kind: "batches", batches, gas: estimate.gas };
    if (estimate.kind === "too_large") {
      if (batches.length > 1) return estimate;
      parts.problems.push("a single batch takes more gas than ANCHOR_MAX_GAS allows");
      return { kind: "batches", batches: [], gas: 0n };
    }
    const refused = batches.find(({ batchId }) => batchId === estimate.batchId);
    if (refused === undefined) {
      parts.problems.push(`the contract refuses to anchor: ${estimate.reason}`);
      for (const batch of batches)
        await change(parts, (connection) => noteRefused(connection, batch.batchId, estimate.reason));
      break;
    }
    await refuse(parts, refused, estimate.reason);
    batches = batches.filter(
      ({ stream, sequenceStart }) => nameOf(stream) !== nameOf(refused.stream) || sequenceStart < refused.sequenceStart,
    );
  }
  return { kind: "batches", batches: [], gas: 0n };
}

/** Notes that a batch cannot be sent, with the time to try again; until that has come, it is known. */
async function refuse(parts: Parts, { batchId, isWaiting }: PendingBatch, reason: string): Promise<void> {
  if (isWaiting) return;
  parts.problems.push(`batch ${batchId} is not anchored: ${reason}`);
  await change(parts, (connection) => noteRefused(connection, batchId, reason));
}

/** Writes the transaction down, then sends it: what becomes of it is found out even if this ends in between. */
async function send(
  parts: Parts,
  attempt: {
    readonly nonce: number;
    readonly transaction: SignedTransaction;
    readonly batches: readonly AnchorBatch[];
  },
): Promise<void> {
  const { chain, connection, target, head } = parts;
  const sender = hexToBytes(chain.sender);
  await change(parts, (locked) => insertAttempt(locked, target, { ...attempt, sender, headBlock: head }));
  const refusal = await chain.send(attempt.transaction.raw);
  if (refusal === null) await noteSent(connection, attempt.transaction.hash);
  else parts.problems.push(`the node does not take a transaction: ${refusal}`);
}

/** Nonces that no transaction of ours has, from the next one on that the chain expects. */
interface Nonces {
  readonly next: () => number;
  /** Those before the highest one that is taken. */
  readonly gaps: () => number[];
  /** How many are taken. */
  readonly waiting: () => number;
}

function freeNonces(used: number, ofAttempts: readonly number[]): Nonces {
  const taken = new Set(ofAttempts);
  const isFree = (nonce: number): boolean => !taken.has(nonce);
  return {
    next: () => {
      let nonce = used;
      while (!isFree(nonce)) nonce++;
      taken.add(nonce);
      return nonce;
    },
    gaps: () => {
      const highest = Math.max(used, ...taken);
      return Array.from({ length: highest - used }, (_, index) => used + index).filter(isFree);
    },
    waiting: () => taken.size,
  };
}

/** A transaction is mined only after all with lower nonces: where one of those is missing, one that does nothing takes it. */
async function fillGaps(parts: Parts, nonces: Nonces): Promise<number> {
  const gaps = nonces.gaps().slice(0, MAX_WAITING);
  if (gaps.length === 0) return 0;
  const fees = await parts.chain.fees();
  for (const nonce of gaps) {
    await send(parts, { nonce, transaction: await parts.chain.signFiller({ ...fees, nonce }), batches: [] });
  }
  return gaps.length;
}

function nameOf({ tenantId, storeId }: StreamRef): string {
  return `${tenantId}/${storeId}`;
}

import { hexToBytes } from "viem";
import type { StreamRef } from "../../../src/stream-ref.ts";
import { type AnchorBatch, byStream, nameOf, type PendingBatch } from "./batch.ts";
import { refuse, sendableBatches } from "./candidates.ts";
import type { Fees, SignedTransaction } from "./chain.ts";
import { freeNonces, type Nonces } from "./nonces.ts";
import { insertAttempt, noteSent, readNonces } from "./notes/attempts.ts";
import { change, type Parts } from "./parts.ts";
import { ChainError } from "./rpc-errors.ts";

/** Transactions that wait for a block at once: what a public mempool keeps of one account. */
const MAX_WAITING = 8;
/** Estimates of one round: where many are refused, the rest waits for the next one. */
const MAX_ESTIMATES = 60;
/** What the contract says of the account itself: no batch is to blame. */
const OF_ACCOUNT = /^SequencerNotAuthorized/;

/**
 * Sends what is pending, in as few transactions as it fits in. Batches of one stream stand in one transaction, in its order,
 * and the next ones of a stream are sent only when those before them are in a block: so none can be mined out of order, and none
 * reverts because another one did.
 *
 * @param first the stream that goes before all others
 * @returns how many transactions were sent
 */
export async function sendPending(parts: Parts, first: StreamRef | null): Promise<number> {
  const { chain, connection, target, head } = parts;
  const used = await chain.nonceAt(chain.sender, head);
  const nonces = freeNonces(used, await readNonces(connection, target, hexToBytes(chain.sender), used));

  const queue = pack(await sendableBatches(parts, first), parts.settings.maxBatchesPerTransaction);
  let sent = 0;
  let fees: Fees | null = null;
  for (let estimates = 0; estimates < MAX_ESTIMATES && nonces.waiting() < MAX_WAITING && !isLate(parts); estimates++) {
    const group = queue.shift();
    if (group === undefined) break;
    const estimate = await chain.estimate(group);
    if (estimate.kind === "gas") {
      fees ??= await chain.fees();
      const nonce = nonces.next();
      const transaction = await chain.signAnchoring(group, { ...fees, nonce, gas: estimate.gas });
      await send(parts, { nonce, transaction, batches: group });
      sent++;
    } else {
      queue.unshift(...(await smaller(parts, group, estimate.kind === "refused" ? estimate : null)));
    }
  }
  return sent + (await fillGaps(parts, nonces));
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

/**
 * What is tried in place of a group that cannot be one transaction. A batch that the contract names is left out, with those
 * of its stream after it. Where it names none, or the group is too large, halves are tried, until the one to blame is alone.
 *
 * @param refusal null: it is too large
 * @throws ChainError when the account may not anchor at all
 */
async function smaller(
  parts: Parts,
  group: readonly PendingBatch[],
  refusal: { readonly reason: string; readonly batchId: string | null } | null,
): Promise<PendingBatch[][]> {
  if (refusal !== null && OF_ACCOUNT.test(refusal.reason)) throw new ChainError(`the contract: ${refusal.reason}`);
  const named = group.find(({ batchId }) => batchId === refusal?.batchId);
  if (named !== undefined && refusal !== null) {
    await refuse(parts, named, refusal.reason);
    const others = group.filter(
      ({ stream, sequenceStart }) => nameOf(stream) !== nameOf(named.stream) || sequenceStart < named.sequenceStart,
    );
    return others.length === 0 ? [] : [others];
  }
  const [only] = group;
  if (group.length > 1 || only === undefined) return halves(group);
  await refuse(parts, only, refusal?.reason ?? "alone it takes more gas than ANCHOR_MAX_GAS allows");
  return [];
}

/** Two smaller groups; of a stream that is alone in it, the later half waits. */
function halves(group: readonly PendingBatch[]): PendingBatch[][] {
  const streams = byStream(group);
  if (streams.length === 1) return [group.slice(0, Math.ceil(group.length / 2))];
  const middle = Math.ceil(streams.length / 2);
  return [streams.slice(0, middle).flat(), streams.slice(middle).flat()];
}

function isLate({ until }: Parts): boolean {
  return Date.now() > until;
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

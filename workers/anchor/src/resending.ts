import type { Fees, SignedTransaction } from "./chain.ts";
import { type Attempt, insertTransaction, noteSent } from "./notes/attempts.ts";
import { noteRefused, releaseBatches } from "./notes/batches.ts";
import { change, type Parts } from "./parts.ts";

/** What nodes say to a transaction that pays too little for now. */
const IS_OUTBID = /underpriced|base fee/i;
/** What nodes say to a transaction that they may take later. Anything else is about the transaction itself. */
const MAY_BE_TAKEN_LATER =
  /nonce|underpriced|base fee|funds|balance|already|known transaction|pool|full|queue|internal|too many|request|timeout|timed out|temporar|unavailable|busy|sync/i;

/** A transaction of an attempt that can be sent. */
type Sendable = Fees & Pick<SignedTransaction, "hash" | "raw">;

/**
 * Hands the newest transaction of an own attempt to the node again, or another one under its nonce: one that pays more when
 * it has waited for too long, and one that does nothing when no node ever takes it, so that those after it are not kept back.
 *
 * @param isNext whether the attempt's nonce is the next one that the chain expects
 */
export async function sendAgain(parts: Parts, attempt: Attempt, isNext: boolean): Promise<void> {
  const [latest] = attempt.transactions;
  if (latest === undefined || latest.raw === null) return;
  const newest = { ...latest, raw: latest.raw };
  const isDue = isNext && newest.ageMs >= parts.settings.replaceAfterMs;
  if (isDue && newest.isTaken && hadABlockEach(parts, attempt)) {
    const refusal = await handOver(parts, (await replace(parts, attempt, newest)) ?? newest);
    return noteRefusal(parts, refusal);
  }
  const refusal = await handOver(parts, newest);
  if (refusal === null) return;
  if (isDue && IS_OUTBID.test(refusal)) {
    const replacement = await replace(parts, attempt, newest);
    if (replacement !== null) return noteRefusal(parts, await handOver(parts, replacement));
  }
  noteRefusal(parts, refusal);
  if (isHopeless(parts, attempt, refusal)) await giveWay(parts, attempt, newest, refusal);
}

/** Hands over the newest transaction of an account whose key is not here any more: nothing else can be done about it. */
export async function sendForeignAgain(parts: Parts, { transactions: [newest] }: Attempt): Promise<void> {
  if (newest === undefined || newest.raw === null) return;
  noteRefusal(parts, await handOver(parts, { ...newest, raw: newest.raw }));
}

/**
 * Whether the chain could have taken each transaction of the attempt, and has not. While it makes no blocks, paying more
 * helps nobody.
 */
function hadABlockEach({ head }: Parts, { headBlock, transactions }: Attempt): boolean {
  return head - headBlock >= transactions.length;
}

/** Notes a transaction that pays more; null when it would have to pay more than it may. */
async function replace(parts: Parts, attempt: Attempt, newest: Sendable): Promise<SignedTransaction | null> {
  const fees = await parts.chain.higherFees(newest);
  if (fees === null) {
    parts.problems.push("a transaction waits: paying more than it offers is above ANCHOR_MAX_FEE_GWEI");
    return null;
  }
  const replacement = await parts.chain.signAgain(newest.raw, fees);
  await change(parts, (locked) => insertTransaction(locked, attempt.id, replacement));
  return replacement;
}

/** Whether it is not to be expected any more that a node takes what the attempt carries. */
function isHopeless({ settings }: Parts, { batches, transactions }: Attempt, refusal: string): boolean {
  const isOld = transactions.some(({ ageMs }) => ageMs >= settings.replaceAfterMs);
  const wasTaken = transactions.some(({ isTaken }) => isTaken);
  return batches.length > 0 && isOld && !wasTaken && !MAY_BE_TAKEN_LATER.test(refusal);
}

/**
 * Leaves the attempt's nonce to a transaction that does nothing, and its batches to other attempts. The first of them waits,
 * so that not the very same is sent again.
 */
async function giveWay(parts: Parts, attempt: Attempt, newest: Sendable, refusal: string): Promise<void> {
  const { maxFeePerGas, maxPriorityFeePerGas } = newest;
  const filler = await parts.chain.signFiller({ maxFeePerGas, maxPriorityFeePerGas, nonce: attempt.nonce });
  const reason = `the node does not take its transaction: ${refusal}`;
  await change(parts, async (locked) => {
    await insertTransaction(locked, attempt.id, filler);
    await releaseBatches(locked, attempt.id, [], reason);
    const [first] = attempt.batches;
    if (first !== undefined) await noteRefused(locked, first.batchId, reason);
  });
  noteRefusal(parts, await handOver(parts, filler));
}

/** @returns why the node does not take it; null when it does, which is noted */
async function handOver({ chain, connection }: Parts, { hash, raw }: Sendable): Promise<string | null> {
  const refusal = await chain.send(raw);
  if (refusal === null) await noteSent(connection, hash);
  return refusal;
}

function noteRefusal({ problems }: Parts, refusal: string | null): void {
  if (refusal !== null) problems.push(`the node does not take a transaction: ${refusal}`);
}

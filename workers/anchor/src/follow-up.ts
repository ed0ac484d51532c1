import { type Address, bytesToHex, getAddress } from "viem";
import { equalBytes } from "../../../src/ves/index.ts";
import type { Connection } from "../../../src/mirror/postgres.ts";
import type { AnchorBatch } from "./batch.ts";
import type { AnchorPlaces, Mined } from "./chain.ts";
import { type Attempt, closeAttempt, noteMined, readOpenAttempts } from "./notes/attempts.ts";
import { markAnchored, noteRefused, releaseBatches } from "./notes/batches.ts";
import { change, type Parts } from "./parts.ts";
import { sendAgain, sendForeignAgain } from "./resending.ts";

/** Which of an attempt's transactions is in a block. */
type MinedTransaction = Omit<Mined, "places"> & { readonly txHash: Uint8Array };

/** Why the contract does not hold what was sent. */
interface Problem {
  readonly reason: string;
  /** The batch that the contract names, or null. */
  readonly batchId: string | null;
  /** That it was mined, and has cost gas. */
  readonly isMined: boolean;
}

/** How much lower than its head was a reorganised chain may have what was sent before. */
const EARLIER_BLOCKS = 5_000;
/** How long batches wait for a transaction of an account that this program does not send from any more. */
const FOREIGN_WAIT_MS = 10 * 60_000;

/**
 * Follows up what was sent before. Once an attempt's nonce is used up deep enough, what the contract holds at that depth
 * decides, and not what a receipt says: batches that it holds are final, all others are to be sent again.
 *
 * @returns the attempts that are waited for
 */
export async function followUp(parts: Parts): Promise<Attempt[]> {
  const { chain, connection, target, head, finalBlock } = parts;
  const attempts = await readOpenAttempts(connection, target);
  const isOpen: Attempt[] = [];
  const senders = Map.groupBy(attempts, ({ sender }) => getAddress(bytesToHex(sender)));
  for (const [sender, ofSender] of senders) {
    const used = await chain.nonceAt(sender, head);
    const usedForGood = finalBlock < 0 ? 0 : await chain.nonceAt(sender, finalBlock);
    for (const attempt of ofSender) {
      if (attempt.nonce < usedForGood) {
        await settle(parts, attempt);
        continue;
      }
      if (attempt.nonce < used) {
        isOpen.push(attempt);
        await noteWhereMined(parts, attempt);
      } else if (await noteUnmined(parts, attempt, { sender, isNext: attempt.nonce === used })) {
        isOpen.push(attempt);
      }
    }
  }
  return isOpen;
}

/** What is in no block is sent again, unless it is given up. @returns whether it is waited for */
async function noteUnmined(
  parts: Parts,
  attempt: Attempt,
  { sender, isNext }: { readonly sender: Address; readonly isNext: boolean },
): Promise<boolean> {
  if (attempt.blockNumber !== null) await change(parts, (locked) => noteMined(locked, attempt.id, null));
  if (sender === parts.chain.sender) {
    await sendAgain(parts, attempt, isNext);
    return true;
  }
  if (attempt.batches.length === 0) return false;
  if (!(await isGivenUp(parts, attempt, sender))) {
    await sendForeignAgain(parts, attempt);
    return true;
  }
  // It may be mined yet: the contract takes no batch twice, and the attempt stays open.
  const reason = `transactions of ${sender}, which is not the account of SEQUENCER_PRIVATE_KEY, are in no block`;
  await change(parts, (locked) => releaseBatches(locked, attempt.id, [], reason));
  parts.problems.push(`batches are sent again: ${reason}`);
  return false;
}

/** Of an account that this program does not send from any more: nobody pays more for what waits there, or fills its purse. */
async function isGivenUp({ chain, finalBlock }: Parts, { ageMs }: Attempt, sender: Address): Promise<boolean> {
  if (ageMs > FOREIGN_WAIT_MS) return true;
  return finalBlock >= 0 && (await chain.wasSequencer(sender, finalBlock)) === false;
}

async function settle(parts: Parts, attempt: Attempt): Promise<void> {
  const { chain, target, finalBlock } = parts;
  // First where, then whether: what is reorganised away in between is not held.
  const receipt = await minedOf(parts, attempt);
  const logs = await chain.logsOf(attempt.batches, attempt.headBlock - EARLIER_BLOCKS, finalBlock, receipt);
  const found = await chain.batchesAt(attempt.batches, finalBlock);
  const held = found.filter(({ isSame }) => isSame);
  const released = found.flatMap(({ batch, isSame }) => (isSame ? [] : batch));
  const isComplete = held.length === found.length;
  const place = isComplete ? placeOf(attempt, logs) : null;
  const mined = place ?? receipt;
  const hasSucceeded = isComplete && mined?.hasSucceeded === true;
  const problem = hasSucceeded ? null : await problemOf(parts, attempt, mined);
  await change(parts, async (connection) => {
    const final = held.map(({ batch, anchoredAt }) => ({
      batchId: batch.batchId,
      anchoredAt,
      log: logs.get(batch.batchId) ?? null,
    }));
    await markAnchored(connection, target, final);
    await releaseBatches(connection, attempt.id, [], problem?.reason ?? null);
    if (problem !== null) await holdBack(connection, released, problem);
    await noteMined(connection, attempt.id, mined);
    const status = hasSucceeded ? "settled" : mined === null ? "lost" : "failed";
    await closeAttempt(connection, attempt.id, status, problem?.reason ?? null);
  });
}

/** Notes in which block it is. What has reverted is to be sent again: that this revert is not final harms nobody. */
async function noteWhereMined(parts: Parts, attempt: Attempt): Promise<void> {
  const mined = await minedOf(parts, attempt);
  if (mined === null) return;
  const isNoted =
    attempt.blockNumber === mined.blockNumber && equalBytes(attempt.txHash ?? new Uint8Array(), mined.txHash);
  const reverted = mined.hasSucceeded ? [] : attempt.batches;
  if (isNoted && reverted.length === 0) return;
  const found = reverted.length === 0 ? [] : await parts.chain.batchesAt(reverted, parts.head);
  const held = found.flatMap(({ batch, isSame }) => (isSame ? batch : []));
  const released = found.flatMap(({ batch, isSame }) => (isSame ? [] : batch));
  const problem = held.length === found.length ? null : await problemOf(parts, attempt, mined);
  await change(parts, async (connection) => {
    await noteMined(connection, attempt.id, mined);
    if (problem === null) return;
    await releaseBatches(connection, attempt.id, held, problem.reason);
    await holdBack(connection, released, problem);
  });
  if (problem !== null) parts.problems.push(`a transaction reverted: ${problem.reason}`);
}

/**
 * Has the batch that the contract names wait, or all of them when it names none: each try costs gas, and nothing says that
 * the next one would end otherwise.
 */
async function holdBack(connection: Connection, released: readonly AnchorBatch[], problem: Problem): Promise<void> {
  if (!problem.isMined) return;
  const isToWait = ({ batchId }: AnchorBatch): boolean => problem.batchId === null || problem.batchId === batchId;
  for (const { batchId } of released.filter(isToWait)) await noteRefused(connection, batchId, problem.reason);
}

/** Where the contract's logs say that an attempt was mined: null unless all of them are of one transaction, of its own. */
function placeOf({ transactions }: Attempt, logs: AnchorPlaces): MinedTransaction | null {
  const [first, ...others] = logs.values();
  if (first === undefined || others.some(({ txHash }) => !equalBytes(txHash, first.txHash))) return null;
  const isOwn = transactions.some(({ hash }) => equalBytes(hash, first.txHash));
  return isOwn ? { ...first, hasSucceeded: true } : null;
}

async function minedOf({ chain }: Parts, { transactions }: Attempt): Promise<(MinedTransaction & Mined) | null> {
  for (const { hash } of transactions) {
    const mined = await chain.mined(hash);
    if (mined !== null) return { ...mined, txHash: hash };
  }
  return null;
}

/** Why the contract does not hold what was sent. */
async function problemOf({ chain }: Parts, attempt: Attempt, mined: MinedTransaction | null): Promise<Problem> {
  if (mined === null) {
    return { reason: "another transaction of the account has taken its nonce", batchId: null, isMined: false };
  }
  const raw = attempt.transactions.find(({ hash }) => equalBytes(hash, mined.txHash))?.raw ?? null;
  const sender = getAddress(bytesToHex(attempt.sender));
  const refusal = raw === null ? null : await chain.reasonOfRevert(raw, sender, mined.blockNumber);
  const { reason, batchId } = refusal ?? { reason: "it reverted, and the node does not say why", batchId: null };
  return { reason, batchId, isMined: true };
}

import { bytesToHex, getAddress } from "viem";
import { equalBytes } from "../../../src/ves/index.ts";
import type { AnchorLog, Mined } from "./chain.ts";
import {
  type Attempt,
  closeAttempt,
  insertTransaction,
  noteMined,
  noteSent,
  readOpenAttempts,
} from "./notes/attempts.ts";
import { markAnchored, noteRefused, releaseBatches } from "./notes/batches.ts";
import { change, type Parts } from "./parts.ts";

type MinedTransaction = Mined & { readonly txHash: Uint8Array };

/** How much lower than its head was a reorganised chain may have what was sent before. */
const EARLIER_BLOCKS = 5_000;

/**
 * Follows up what was sent before. Once an attempt's nonce is used up deep enough, what the contract holds at that depth
 * decides, and not what a receipt says: batches that it holds are final, all others are to be sent again.
 *
 * @returns the attempts that are still open
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
      isOpen.push(attempt);
      await (attempt.nonce < used
        ? noteWhereMined(parts, attempt)
        : sendAgain(parts, attempt, { isNext: attempt.nonce === used, isOwn: sender === chain.sender }));
    }
  }
  return isOpen;
}

async function settle(parts: Parts, attempt: Attempt): Promise<void> {
  const { chain, target, finalBlock } = parts;
  // First where, then whether: what is reorganised away in between is not held.
  const logs = await chain.logsOf(attempt.batches, attempt.headBlock - EARLIER_BLOCKS, finalBlock);
  const found = await chain.batchesAt(attempt.batches, finalBlock);
  const held = found.filter(({ isSame }) => isSame);
  const isComplete = held.length === found.length;
  const place = isComplete ? placeOf(attempt, logs) : null;
  const mined = place ?? (await minedOf(parts, attempt));
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
    if (problem?.batchId != null) await noteRefused(connection, problem.batchId, problem.reason);
    await noteMined(connection, attempt.id, mined);
    const status = hasSucceeded ? "settled" : mined === null ? "lost" : "failed";
    await closeAttempt(connection, attempt.id, status, problem?.reason ?? null);
  });
}

/** Notes in which block it is. What has reverted is sent again at once: that this revert is not final harms nobody. */
async function noteWhereMined(parts: Parts, attempt: Attempt): Promise<void> {
  const mined = await minedOf(parts, attempt);
  if (mined === null) return;
  const isNoted =
    attempt.blockNumber === mined.blockNumber && equalBytes(attempt.txHash ?? new Uint8Array(), mined.txHash);
  const reverted = mined.hasSucceeded ? [] : attempt.batches;
  if (isNoted && reverted.length === 0) return;
  const found = reverted.length === 0 ? [] : await parts.chain.batchesAt(reverted, parts.head);
  const held = found.filter(({ isSame }) => isSame).map(({ batch }) => batch);
  const problem = held.length === found.length ? null : await problemOf(parts, attempt, mined);
  await change(parts, async (connection) => {
    await noteMined(connection, attempt.id, mined);
    if (problem !== null) await releaseBatches(connection, attempt.id, held, problem.reason);
    if (problem?.batchId != null) await noteRefused(connection, problem.batchId, problem.reason);
  });
  if (problem !== null) parts.problems.push(`a transaction reverted: ${problem.reason}`);
}

/** Hands the newest transaction to the node again, or one that pays more when it has waited for too long. */
async function sendAgain(
  parts: Parts,
  attempt: Attempt,
  { isNext, isOwn }: { readonly isNext: boolean; readonly isOwn: boolean },
): Promise<void> {
  const { chain, connection, settings } = parts;
  const [newest] = attempt.transactions;
  if (newest === undefined || newest.raw === null) return;
  if (attempt.blockNumber !== null) await change(parts, (locked) => noteMined(locked, attempt.id, null));
  let toSend = { hash: newest.hash, raw: newest.raw };
  if (isNext && isOwn && newest.ageMs >= settings.replaceAfterMs) {
    const fees = await chain.higherFees(newest);
    if (fees === null) {
      parts.problems.push("a transaction waits: paying more than it offers is above ANCHOR_MAX_FEE_GWEI");
    } else {
      const replacement = await chain.signAgain(newest.raw, fees);
      await change(parts, (locked) => insertTransaction(locked, attempt.id, replacement));
      toSend = replacement;
    }
  }
  const refusal = await chain.send(toSend.raw);
  if (refusal === null) await noteSent(connection, toSend.hash);
  else parts.problems.push(`the node does not take a transaction: ${refusal}`);
}

/** Where the contract's logs say that an attempt was mined: null unless all of them are of one transaction, of its own. */
function placeOf({ transactions }: Attempt, logs: ReadonlyMap<string, AnchorLog>): MinedTransaction | null {
  const [first, ...others] = logs.values();
  if (first === undefined || others.some(({ txHash }) => !equalBytes(txHash, first.txHash))) return null;
  const isOwn = transactions.some(({ hash }) => equalBytes(hash, first.txHash));
  return isOwn ? { ...first, hasSucceeded: true } : null;
}

async function minedOf({ chain }: Parts, { transactions }: Attempt): Promise<MinedTransaction | null> {
  for (const { hash } of transactions) {
    const mined = await chain.mined(hash);
    if (mined !== null) return { ...mined, txHash: hash };
  }
  return null;
}

/** Why the contract does not hold what was sent. */
async function problemOf(
  { chain }: Parts,
  attempt: Attempt,
  mined: MinedTransaction | null,
): Promise<{ readonly reason: string; readonly batchId: string | null }> {
  const unknown = { reason: "it reverted, and the node does not say why", batchId: null };
  if (mined === null) return { reason: "another transaction of the account has taken its nonce", batchId: null };
  const raw = attempt.transactions.find(({ hash }) => equalBytes(hash, mined.txHash))?.raw ?? null;
  if (raw === null) return unknown;
  const sender = getAddress(bytesToHex(attempt.sender));
  return (await chain.reasonOfRevert(raw, sender, mined.blockNumber)) ?? unknown;
}

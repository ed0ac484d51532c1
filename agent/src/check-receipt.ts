import type { Receipt } from "../../src/ves/index.ts";
import type { Context } from "./context.ts";
import { AgentError } from "./errors.ts";
import { receiptProblem } from "./receipt-problem.ts";
import type { OutboxRow } from "./store/store.ts";

/**
 * Checks that the sequencer promised this very event the number in the receipt. It has to name the event, and nothing it says is
 * taken over but that number, which its signature covers (VES 3.4).
 *
 * @throws AgentError INVALID_RECEIPT, or what reading the sequencer's keys throws
 */
export async function checkReceipt(
  { identity, trust }: Context,
  { eventId, signingHash }: Pick<OutboxRow, "eventId" | "signingHash">,
  receipt: Receipt,
  signal: AbortSignal | undefined,
): Promise<void> {
  const subject = { ...identity, eventId, eventSigningHash: signingHash };
  const key = await trust.sequencerKey(receipt.sequencerKeyVersion, signal);
  const problem = await receiptProblem(subject, receipt, key);
  if (problem !== undefined) throw new AgentError("INVALID_RECEIPT", `The receipt of event ${eventId} ${problem}`);
}

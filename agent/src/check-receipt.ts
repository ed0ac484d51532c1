import { equalBytes, fromHex, type Receipt, receiptHash, verifyEd25519, VesError } from "../../src/ves/index.ts";
import type { Context } from "./context.ts";
import { AgentError } from "./errors.ts";
import type { OutboxRow } from "./store/store.ts";

/**
 * Checks that the sequencer promised this very event the number in the receipt. Nothing it says is taken over but that number,
 * which its signature covers (VES 3.4).
 *
 * @throws AgentError INVALID_RECEIPT, or what reading the sequencer's keys throws
 */
export async function checkReceipt(
  { identity, trust }: Context,
  { eventId, signingHash }: Pick<OutboxRow, "eventId" | "signingHash">,
  receipt: Receipt,
  signal: AbortSignal | undefined,
): Promise<void> {
  const fail = (why: string): never => {
    throw new AgentError("INVALID_RECEIPT", `The receipt of event ${eventId} ${why}`);
  };
  const { sequencerKeyVersion: version, sequenceNumber } = receipt;
  const key = await trust.sequencerKey(version, signal);
  if (key === undefined) return fail(`names version ${version} of the sequencer's key, which is not believed`);
  try {
    const hash = receiptHash({ ...identity, eventId, sequenceNumber, eventSigningHash: signingHash });
    if (!equalBytes(fromHex(receipt.receiptHash, 32), hash)) fail("is not for this event at this number");
    if (!(await verifyEd25519(key, hash, fromHex(receipt.sequencerSignature, 64))))
      fail("is not signed by the sequencer");
  } catch (error) {
    if (error instanceof VesError) fail(`is malformed: ${error.message}`);
    throw error;
  }
}

import { envelopeSchema, eventSigningHash, type Receipt } from "../../../src/ves/index.ts";
import { eventAnswer, receiptForm } from "../answers.ts";
import { checkReceipt } from "../check-receipt.ts";
import { type Context, streamQuery } from "../context.ts";
import { AgentError } from "../errors.ts";
import { checkedRow } from "./events.ts";

/**
 * The receipt of an own event that is in the log already, whoever sent it; `undefined` when it is not there. The event is
 * verified, and the receipt is for it, at its number.
 *
 * @throws AgentError LOG_CONTRADICTION when what stands there is not signed by this agent; INVALID_RECEIPT; else as asking does
 */
export async function receiptInLog(
  context: Context,
  eventId: string,
  signal: AbortSignal,
): Promise<Receipt | undefined> {
  const found = await findEvent(context, eventId, signal);
  if (found === undefined) return undefined;
  const row = await checkedRow(context, found, signal);
  if (row.quarantine !== null || row.eventId !== eventId || row.agentId !== context.identity.agentId) {
    throw new AgentError("LOG_CONTRADICTION", `What the sequencer gives as event ${eventId} is not this agent's`);
  }
  const receipt = await context.api.get(`/api/v1/ves/receipts/${eventId}?${streamQuery(context)}`, receiptForm, {
    signal,
  });
  const signingHash = eventSigningHash(envelopeSchema.parse(found));
  await checkReceipt(context, { eventId, signingHash }, receipt, signal);
  const { sequenceNumber } = receipt;
  if (sequenceNumber !== row.sequenceNumber) {
    const where = `is for ${sequenceNumber}, and the log gives it at ${row.sequenceNumber}`;
    throw new AgentError("INVALID_RECEIPT", `The receipt of event ${eventId} ${where}`);
  }
  return receipt;
}

async function findEvent(context: Context, eventId: string, signal: AbortSignal): Promise<object | undefined> {
  try {
    const path = `/api/v1/ves/events/${eventId}?${streamQuery(context)}`;
    return (await context.api.get(path, eventAnswer, { signal })).envelope;
  } catch (error) {
    if (error instanceof AgentError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

import { envelopeSchema, toWireEnvelope, type WireEnvelope } from "../../src/ves/index.ts";
import { eventAnswer, inclusionForm, receiptForm } from "./answers.ts";
import { type Context, streamQuery, transaction } from "./context.ts";
import { AgentError } from "./errors.ts";
import { type Evidence, type EvidenceSettings, type EvidenceVerdict, verifyEvidence } from "./evidence.ts";
import { pause } from "./retry.ts";
import { keyAt, type KeyDirectory } from "./trust.ts";

/** How often a sequencer that has not sealed the event yet is asked again. */
const SEALED_POLL_MS = 500;

/**
 * Gathers all that shows that an event is in the log, and verifies it.
 *
 * @param timeoutMs how long to wait for the event's batch to be sealed
 * @throws AgentError NOT_FOUND, NOT_YET_SEALED, or LOG_CONTRADICTION when what came does not verify
 */
export async function gatherEvidence(
  context: Context,
  eventId: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Evidence> {
  const inclusion = await readInclusion(context, eventId, Date.now() + timeoutMs, signal);
  const [event, receipt] = await Promise.all([
    readEvent(context, eventId, signal),
    context.api.get(`/api/v1/ves/receipts/${eventId}?${streamQuery(context)}`, receiptForm, { signal }),
  ]);
  const directory = await readDirectory(context, event, receipt.sequencedAt, signal);
  // The version of the key that signed may be newer than those that are pinned.
  await context.trust.sequencerKey(receipt.sequencerKeyVersion, signal);
  const evidence: Evidence = { version: 1, event: { ...event }, receipt, inclusion, directory };
  const { problems } = await verifyHeld(context, evidence, undefined);
  if (problems.length === 0) return evidence;
  const what = problems.map(({ check, message }) => `${check}: ${message}`).join("; ");
  throw new AgentError("LOG_CONTRADICTION", `The proof of event ${eventId} does not verify: ${what}`);
}

/** Verifies evidence against the keys that are pinned, and against the log as far as it was pulled. */
export async function verifyHeld(
  context: Context,
  evidence: Evidence,
  anchor: EvidenceSettings["anchor"],
): Promise<EvidenceVerdict> {
  const sequencerKeys = await context.trust.sequencerKeys();
  const number = evidence.inclusion?.sequence_number;
  const isOurs =
    evidence.event?.["tenant_id"] === context.identity.tenantId &&
    evidence.event?.["store_id"] === context.identity.storeId;
  const knownBatch =
    isOurs && Number.isSafeInteger(number) ? transaction(context, (tables) => tables.batchOf(number)) : undefined;
  return verifyEvidence(evidence, { sequencerKeys, knownBatch, anchor });
}

async function readInclusion(context: Context, eventId: string, deadline: number, signal: AbortSignal | undefined) {
  const path = `/api/v1/ves/inclusion-proofs/${eventId}?${streamQuery(context)}`;
  for (;;) {
    try {
      return await context.api.get(path, inclusionForm, { signal });
    } catch (error) {
      const isEarly = error instanceof AgentError && error.code === "NOT_YET_SEALED";
      const remaining = deadline - Date.now();
      if (!isEarly || remaining <= 0) throw error;
      await pause(Math.min(remaining, SEALED_POLL_MS), signal);
    }
  }
}

/** Of the agent that signed the event. */
async function readDirectory(
  { trust }: Context,
  { source_agent_id: agentId, agent_key_id: keyId }: WireEnvelope,
  sequencedAt: string,
  signal: AbortSignal | undefined,
): Promise<KeyDirectory> {
  const known = await trust.directory(agentId, false, signal);
  if (keyAt(known, keyId, sequencedAt).problem === undefined) return known;
  // The key may have been registered since the directory was read.
  return trust.directory(agentId, true, signal);
}

/** From the agent's copy of the log where it has it; with the members that VES knows, and no others. */
async function readEvent(context: Context, eventId: string, signal: AbortSignal | undefined): Promise<WireEnvelope> {
  const [row] = transaction(context, (tables) => tables.pulled({ eventId, limit: 1 }));
  if (row !== undefined) return toWireEnvelope(envelopeSchema.parse(JSON.parse(row.envelope)));
  const path = `/api/v1/ves/events/${eventId}?${streamQuery(context)}`;
  const { envelope } = await context.api.get(path, eventAnswer, { signal });
  const parsed = envelopeSchema.safeParse(envelope);
  if (!parsed.success) throw new AgentError("MALFORMED_ANSWER", `Event ${eventId} of the log is not understood`);
  return toWireEnvelope(parsed.data);
}

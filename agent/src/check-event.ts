import {
  type Envelope,
  envelopeFromMembers,
  envelopeProblem,
  eventSigningHash,
  type LeafParts,
  signatureProblem,
  VesError,
} from "../../src/ves/index.ts";
import { loggedEvent } from "./answers.ts";
import type { Context } from "./context.ts";
import { AgentError } from "./errors.ts";
import type { PulledRow } from "./store/store.ts";
import { keyAt, type KeyDirectory } from "./trust.ts";

/** Directories that were read again for a page, by agent: once for all of the page's events. */
export type Refreshed = Map<string, Promise<KeyDirectory>>;

/**
 * Checks one event of the log as if nobody had before: its stream, its form and content, its key and its signature. What does not
 * hold is written beside it, and the event is kept, because the log's trees are built over it all the same.
 *
 * @param raw the envelope, as the sequencer gave it
 * @param sequenceNumber that it must have
 * @throws AgentError LOG_GAP, MALFORMED_ANSWER, or as reading an agent's keys does
 */
export async function checkEvent(
  context: Context,
  raw: object,
  sequenceNumber: number,
  leafOf: (event: LeafParts) => Uint8Array,
  refreshed: Refreshed,
  signal: AbortSignal | undefined,
): Promise<PulledRow> {
  const parsed = loggedEvent.safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = `${issue?.path.join(".")}: ${issue?.message}`;
    throw new AgentError("MALFORMED_ANSWER", `Event ${sequenceNumber} of the log is not understood: ${where}`);
  }
  const { sequence_number: number, sequenced_at: sequencedAt } = parsed.data;
  if (number !== sequenceNumber) {
    throw new AgentError("LOG_GAP", `The log has event ${number} where ${sequenceNumber} should stand`);
  }
  const envelope = envelopeFromMembers(parsed.data);
  const signingHash = signingHashOf(envelope, number);
  const key = { agentId: envelope.source_agent_id, keyId: envelope.agent_key_id, sequencedAt };
  const quarantine =
    streamProblem(context, envelope) ??
    envelopeProblem(envelope)?.message ??
    (await keyProblem(context, envelope, key, signingHash, refreshed, signal)) ??
    null;
  return {
    sequenceNumber: number,
    eventId: envelope.event_id,
    entityType: envelope.entity_type,
    entityId: envelope.entity_id,
    eventType: envelope.event_type,
    agentId: envelope.source_agent_id,
    sequencedAt,
    pulledAt: Date.now(),
    envelope: JSON.stringify(raw),
    leafHash: leafOf({
      sequenceNumber: number,
      eventSigningHash: signingHash,
      agentSignature: envelope.agent_signature,
    }),
    quarantine,
  };
}

function signingHashOf(envelope: Envelope, number: number): Uint8Array {
  try {
    return eventSigningHash(envelope);
  } catch (error) {
    if (!(error instanceof VesError)) throw error;
    throw new AgentError("MALFORMED_ANSWER", `Event ${number} of the log cannot be hashed: ${error.message}`);
  }
}

function streamProblem(
  { identity }: Context,
  { tenant_id: tenantId, store_id: storeId }: Envelope,
): string | undefined {
  return tenantId === identity.tenantId && storeId === identity.storeId ? undefined : "is an event of another stream";
}

interface KeyName {
  readonly agentId: string;
  readonly keyId: number;
  readonly sequencedAt: string;
}

async function keyProblem(
  { trust }: Context,
  envelope: Envelope,
  { agentId, keyId, sequencedAt }: KeyName,
  signingHash: Uint8Array,
  refreshed: Refreshed,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  let found = keyAt(await trust.directory(agentId, false, signal), keyId, sequencedAt);
  if (found.problem !== undefined) {
    // It may have been registered since the directory was read.
    const again = refreshed.get(agentId) ?? trust.directory(agentId, true, signal);
    refreshed.set(agentId, again);
    found = keyAt(await again, keyId, sequencedAt);
  }
  if (found.problem !== undefined || found.key === undefined) return found.problem ?? "Agent key not found";
  return (await signatureProblem(envelope, found.key.publicKey, signingHash))?.message;
}

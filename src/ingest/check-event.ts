import type { CheckedEvent } from "../stream/messages.ts";
import type { AgentSnapshot, RegisteredKey } from "../tenant/messages.ts";
import { brokenRule } from "../tenant/policy.ts";
import {
  agentKeyProblem,
  type AgentKeyProblem,
  contentProblem,
  type Envelope,
  envelopeProblem,
  eventSigningHash,
  type Problem,
  signatureProblem,
  utf8,
  VesError,
  ZERO_32,
} from "../ves/index.ts";
import type { SchemaGate } from "./schema-gate.ts";
import type { SubmittedEvent } from "./submitted-event.ts";

/** An event that names no key is tried with at most this many: 16 verifications are about 0.7 ms. */
const MAX_KEYS_TRIED = 16;

/** What deciding about an event depends on beside the event. */
export interface CheckContext {
  readonly agent: AgentSnapshot;
  readonly schemas: SchemaGate;
  readonly requireVersion2: boolean;
  /** Milliseconds since the epoch: keys must be valid at this time. */
  readonly now: number;
}

/**
 * Verifies one event in the protocol's order (VES 6.4): the envelope, its content, its key, its signature, its agent's
 * policy, its type's schema. The first thing wrong becomes its rejection.
 */
export async function checkEvent(
  event: SubmittedEvent & { readonly payloadText: string },
  context: CheckContext,
): Promise<CheckedEvent> {
  const { payloadText } = event;
  const canonicalPayload = event.envelope.payload_kind === 0 ? payloadText : undefined;
  const found = envelopeProblem(event.envelope, { requireVersion2: context.requireVersion2, canonicalPayload });
  const payloadIntact = found === undefined || isIntact(event.envelope, canonicalPayload);

  // Without a known version there is nothing that a signature could cover.
  const isSignable = event.envelope.ves_version === 1 || event.envelope.ves_version === 2;
  if (!isSignable) {
    return {
      envelope: stored(event.envelope),
      payloadText,
      payloadIntact,
      signingHash: ZERO_32,
      rejection: found ?? null,
    };
  }

  const envelope = event.keyIsUnnamed ? await withKeyFound(event.envelope, context) : event.envelope;
  const signingHash = eventSigningHash(envelope);
  const problem =
    found ??
    (await keyOrSignatureProblem(envelope, signingHash, context)) ??
    policyProblem(envelope, payloadText, context) ??
    context.schemas.problem(envelope, payloadText);
  return { envelope: stored(envelope), payloadText, payloadIntact, signingHash, rejection: problem ?? null };
}

/** What the stream stores: the content travels as text beside it, tenant and store are the stream's own. */
function stored(envelope: Envelope): CheckedEvent["envelope"] {
  const { payload, payload_encrypted, tenant_id, store_id, ...members } = envelope;
  return members;
}

function isIntact(envelope: Envelope, canonicalPayload: string | undefined): boolean {
  try {
    return contentProblem(envelope, canonicalPayload) === undefined;
  } catch (error) {
    if (error instanceof VesError) return false;
    throw error;
  }
}

async function keyOrSignatureProblem(
  envelope: Envelope,
  signingHash: Uint8Array,
  { agent, now }: CheckContext,
): Promise<Problem | undefined> {
  const key = agent.keys.find(({ keyId }) => keyId === envelope.agent_key_id);
  const problem = keyProblem(key, now);
  if (key === undefined || problem !== undefined) {
    const why = problem ?? "Agent key not found";
    return { reason: `agent_key_invalid: ${why}`, message: `${why}: key ${envelope.agent_key_id} of the agent` };
  }
  return signatureProblem(envelope, key.publicKey, signingHash);
}

function keyProblem(key: RegisteredKey | undefined, now: number): AgentKeyProblem | undefined {
  // A revoked key is revoked whatever time it is here: the registry that revoked it went by its own clock.
  return agentKeyProblem(key && { ...key, revokedAt: key.revokedAt === null ? null : -Infinity }, now);
}

/**
 * Names the key that signed an event which names none: valid ones are tried first and newest first, then the others, so
 * that a repetition is recognised even after its key was revoked.
 */
async function withKeyFound(envelope: Envelope, { agent, now }: CheckContext): Promise<Envelope> {
  const newestFirst = agent.keys.toSorted((a, b) => b.createdAt - a.createdAt || b.keyId - a.keyId);
  const candidates = [
    ...newestFirst.filter((key) => keyProblem(key, now) === undefined),
    ...newestFirst.filter((key) => keyProblem(key, now) !== undefined),
  ].slice(0, MAX_KEYS_TRIED);
  for (const { keyId, publicKey } of candidates) {
    const candidate = { ...envelope, agent_key_id: keyId };
    if ((await signatureProblem(candidate, publicKey)) === undefined) return candidate;
  }
  return { ...envelope, agent_key_id: candidates[0]?.keyId ?? 0 };
}

function policyProblem(envelope: Envelope, payloadText: string, { agent }: CheckContext): Problem | undefined {
  if (agent.policy === null) return undefined;
  const broken = brokenRule(agent.policy, envelope, utf8(payloadText).length);
  return broken && { reason: `policy_violation: ${broken.rule}`, message: broken.message };
}

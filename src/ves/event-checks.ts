import { ZERO_32, equalBytes, utf8 } from "./bytes.ts";
import { verifyEd25519 } from "./ed25519.ts";
import { cipherHashMatches, encryptedPayloadProblem } from "./encrypted-payload.ts";
import type { Envelope } from "./envelope.ts";
import { VesError } from "./errors.ts";
import { canonicalJson } from "./jcs.ts";
import { payloadPlainHash } from "./payload-hash.ts";
import { memberProblem } from "./rejection.ts";
import type { Problem } from "./rejection.ts";
import { eventSigningHash } from "./signing-hash.ts";
import { isRfc3339 } from "./timestamp.ts";

/** Longest names, in bytes of UTF-8 (VES 6.1). The shortest is 1. */
export const MAX_ENTITY_TYPE_BYTES = 128;
export const MAX_ENTITY_ID_BYTES = 512;
export const MAX_EVENT_TYPE_BYTES = 256;

/**
 * Longest `created_at`. The syntax allows any number of fraction digits; nine digits and an offset take 35 characters,
 * and without a bound a request could store megabytes in this member.
 */
export const MAX_CREATED_AT_CHARS = 64;

/** Largest payload, plaintext or encrypted, as JSON text in bytes (VES 6.1). */
export const MAX_PAYLOAD_BYTES = 1024 * 1024;

/** Settings of {@link envelopeProblem}. */
export interface EnvelopeCheckOptions {
  /** Refuse version 1, whose signature does not cover `command_id` and `base_version`. */
  readonly requireVersion2?: boolean;
  /** `canonicalJson(envelope.payload)` when the caller has it already; it is the costly part of the check. */
  readonly canonicalPayload?: string | undefined;
}

/**
 * The first rule that an event breaks by itself, without its key or its stream, or `undefined` (VES 6.4, steps 3 and 4).
 * The order decides which reason an event gets that is wrong in two ways, so it is part of the protocol.
 */
export function envelopeProblem(envelope: Envelope, options: EnvelopeCheckOptions = {}): Problem | undefined {
  return (
    versionProblem(envelope.ves_version, options.requireVersion2 ?? false) ??
    namesProblem(envelope) ??
    kindProblem(envelope) ??
    (envelope.payload_encrypted && encryptedPayloadProblem(envelope.payload_encrypted)) ??
    createdAtProblem(envelope.created_at) ??
    contentProblem(envelope, options.canonicalPayload)
  );
}

/** The first of the three names of an event that is out of bounds, or `undefined` (VES 6.1). */
export function namesProblem(event: Pick<Envelope, "entity_type" | "entity_id" | "event_type">): Problem | undefined {
  return (
    nameProblem("entity_type", event.entity_type, MAX_ENTITY_TYPE_BYTES) ??
    nameProblem("entity_id", event.entity_id, MAX_ENTITY_ID_BYTES) ??
    nameProblem("event_type", event.event_type, MAX_EVENT_TYPE_BYTES)
  );
}

/**
 * Whether the content of an event is what its hashes say (VES 2.1, 2.4). The plaintext hash of an encrypted event is not
 * looked at: it is salted, and only a recipient can recompute it.
 */
export function contentProblem(envelope: Envelope, canonicalPayload?: string): Problem | undefined {
  const { payload, payload_encrypted } = envelope;
  if (payload_encrypted !== undefined) {
    return cipherHashMatches({ ...envelope, payload_encrypted })
      ? undefined
      : { reason: "invalid_cipher_hash", message: "payload_cipher_hash is not the hash of payload_encrypted" };
  }
  if (payload === undefined) return memberProblem("payload", "missing");
  try {
    const hash = payloadPlainHash(canonicalPayload ?? canonicalJson(payload));
    if (equalBytes(hash, envelope.payload_plain_hash)) return undefined;
  } catch (error) {
    if (error instanceof VesError) return memberProblem("payload", error.message);
    throw error;
  }
  return { reason: "invalid_payload_hash", message: "payload_plain_hash is not the hash of payload" };
}

/**
 * Whether the envelope names a signature scheme that is not served (VES 3.3). Unknown numbers count as 0; with 2 and 3
 * they would change meaning once the scheme is served, so those are refused by name.
 */
export function signatureSchemeProblem(envelope: Envelope): Problem | undefined {
  const scheme = envelope.agent_signature_scheme;
  if (scheme !== 2 && scheme !== 3) return undefined;
  const name = scheme === 2 ? "ML-DSA-65" : "Ed25519 with ML-DSA-65";
  return {
    reason: "invalid_signature",
    message: `Signature scheme ${scheme} (${name}) is not served, only Ed25519 (schemes 0 and 1)`,
  };
}

/**
 * Whether the agent's signature does not hold under `publicKey` (VES 3.1, 3.3).
 *
 * @param signingHash `eventSigningHash(envelope)` when the caller has it already
 */
export async function signatureProblem(
  envelope: Envelope,
  publicKey: Uint8Array,
  signingHash: Uint8Array = eventSigningHash(envelope),
): Promise<Problem | undefined> {
  const problem = signatureSchemeProblem(envelope);
  if (problem !== undefined) return problem;
  if (await verifyEd25519(publicKey, signingHash, envelope.agent_signature)) return undefined;
  return {
    reason: "invalid_signature",
    message: `agent_signature does not verify under key ${envelope.agent_key_id} of the agent`,
  };
}

function versionProblem(version: number, requireVersion2: boolean): Problem | undefined {
  if (version !== 1 && version !== 2) {
    return { reason: "unsupported_version", message: `Expected VES event version 1 or 2, got ${version}` };
  }
  if (version === 1 && requireVersion2) {
    return {
      reason: "unsupported_version",
      message: "VES event version 2 is required for signed execution controls",
    };
  }
  return undefined;
}

function nameProblem(member: string, text: string, maxBytes: number): Problem | undefined {
  if (!text.isWellFormed()) return memberProblem(member, "contains a lone surrogate");
  // PostgreSQL cannot hold it in a text, and an event must be mirrored exactly as it is.
  if (text.includes("\0")) return memberProblem(member, "contains U+0000");
  // A UTF-16 unit takes 1 to 3 bytes, so most names are judged without being encoded.
  const fits = text.length * 3 <= maxBytes || (text.length <= maxBytes && utf8(text).length <= maxBytes);
  return text.length > 0 && fits ? undefined : memberProblem(member, `expected 1 to ${maxBytes} bytes of UTF-8`);
}

function kindProblem(envelope: Envelope): Problem | undefined {
  const { payload, payload_encrypted: encrypted } = envelope;
  if (envelope.payload_kind === 1) {
    if (payload !== undefined) return memberProblem("payload", "must be absent when payload_kind is 1");
    if (encrypted === undefined) return memberProblem("payload_encrypted", "is needed when payload_kind is 1");
    return undefined;
  }
  if (payload === undefined) return memberProblem("payload", "is needed when payload_kind is 0, and must not be null");
  if (encrypted !== undefined) return memberProblem("payload_encrypted", "must be absent when payload_kind is 0");
  if (!equalBytes(envelope.payload_cipher_hash, ZERO_32)) {
    return memberProblem("payload_cipher_hash", "must be 32 zero bytes when payload_kind is 0");
  }
  return undefined;
}

function createdAtProblem(text: string): Problem | undefined {
  if (text.length <= MAX_CREATED_AT_CHARS && isRfc3339(text)) return undefined;
  return memberProblem(
    "created_at",
    `expected an RFC 3339 time with an offset, at most ${MAX_CREATED_AT_CHARS} characters`,
  );
}

import { z } from "zod";
import { fromHex, to0xHex } from "./encoding.ts";
import { encryptedPayloadSchema } from "./encrypted-payload.ts";
import type { EncryptedPayload } from "./encrypted-payload.ts";
import type { JsonValue } from "./json.ts";
import { u32Field } from "./u32-field.ts";
import { parseUuid } from "./uuid.ts";

/** Signatures of schemes 2 and 3 as they stand on the wire: arrays of byte values (VES 3.2, 3.3). */
export interface SignatureBundle {
  readonly ed25519_signature?: readonly number[];
  readonly ml_dsa_65_signature?: readonly number[];
}

/**
 * A signed event as its agent sent it (VES 6.1). UUIDs are canonical text, hashes and signatures bytes; everything that
 * is hashed as text, `created_at` above all, is kept to the letter.
 */
export interface Envelope {
  readonly ves_version: number;
  readonly event_id: string;
  readonly tenant_id: string;
  readonly store_id: string;
  readonly source_agent_id: string;
  readonly agent_key_id: number;
  readonly entity_type: string;
  readonly entity_id: string;
  readonly event_type: string;
  readonly created_at: string;
  /** 0 plaintext, 1 encrypted. */
  readonly payload_kind: 0 | 1;
  readonly payload?: JsonValue;
  readonly payload_encrypted?: EncryptedPayload;
  readonly payload_plain_hash: Uint8Array;
  readonly payload_cipher_hash: Uint8Array;
  readonly agent_signature: Uint8Array;
  readonly agent_signature_scheme?: number;
  readonly agent_signature_bundle?: SignatureBundle;
  readonly command_id?: string;
  readonly base_version?: number;
}

/** An envelope as JSON: hashes and signature as `0x` hex, optional members only when present. */
export interface WireEnvelope extends Omit<Envelope, "payload_plain_hash" | "payload_cipher_hash" | "agent_signature"> {
  readonly payload_plain_hash: string;
  readonly payload_cipher_hash: string;
  readonly agent_signature: string;
  /** The same as `source_agent_id`, under the name that older readers look for. */
  readonly source_agent: string;
}

/** Longest post-quantum signature (ML-DSA-65). Bounds a bundle, which counts against no other limit. */
const MAX_BUNDLE_BYTES = 3309;

/** A UUID in any accepted spelling; read as lowercase hyphenated text. */
export const uuidField = z
  .string()
  .transform((text, context) => {
    const canonical = parseUuid(text);
    if (canonical !== undefined) return canonical;
    context.addIssue({ code: "custom", message: "expected a UUID" });
    return z.NEVER;
  })
  .meta({ description: "UUID: hyphenated, 32 bare digits, in braces or as urn:uuid:, in any case" });

/** A 32-byte hash in hex; read as bytes. */
export const hex32Field = hexField(32);

/** A 64-byte signature in hex; read as bytes. */
export const hex64Field = hexField(64);

/** A whole number from 0 to 2^53 - 1. */
export const safeIntegerField = z.int().min(0).meta({ description: "Integer from 0 to 9007199254740991" });

const byteArrayField = z.array(z.int().min(0).max(255)).max(MAX_BUNDLE_BYTES);

/** The bundle of a post-quantum or hybrid signature. */
export const signatureBundleField = z
  .object({ ed25519_signature: byteArrayField.nullish(), ml_dsa_65_signature: byteArrayField.nullish() })
  .transform((bundle): SignatureBundle => ({
    ...(bundle.ed25519_signature && { ed25519_signature: bundle.ed25519_signature }),
    ...(bundle.ml_dsa_65_signature && { ml_dsa_65_signature: bundle.ml_dsa_65_signature }),
  }))
  .meta({ description: "Signatures of schemes 2 and 3, as arrays of byte values" });

/**
 * The members of an event on the wire (VES 6.1), for building laxer or wider request forms. An optional member that is
 * null counts as absent; unknown members are ignored. Lengths and values are judged per event, not here, because one
 * bad event must not refuse its whole request.
 */
export const envelopeObject = z.object({
  ves_version: u32Field.describe("Version of the signed form: 1 or 2"),
  event_id: uuidField,
  tenant_id: uuidField,
  store_id: uuidField,
  source_agent_id: uuidField,
  agent_key_id: u32Field.describe("Which of the agent's keys signed"),
  entity_type: z.string().describe("1 to 128 bytes of UTF-8"),
  entity_id: z.string().describe("1 to 512 bytes of UTF-8"),
  event_type: z.string().describe("1 to 256 bytes of UTF-8"),
  created_at: z.string().describe("RFC 3339 time; its exact text is signed"),
  payload_kind: z.union([z.literal(0), z.literal(1)]).describe("0 plaintext, 1 encrypted"),
  payload: z.unknown().optional().describe("Any JSON value but null, for kind 0"),
  payload_encrypted: encryptedPayloadSchema.nullish(),
  payload_plain_hash: hex32Field,
  payload_cipher_hash: hex32Field.describe("32 bytes in hex, all zero for kind 0"),
  agent_signature: hex64Field,
  agent_signature_scheme: z.int32().nullish().describe("0 or 1 Ed25519, 2 ML-DSA-65, 3 both; absent is 0"),
  agent_signature_bundle: signatureBundleField.nullish(),
  command_id: uuidField.nullish(),
  base_version: safeIntegerField.nullish().describe("Expected version of the entity; a missing entity has 0"),
});

/** Members of {@link envelopeObject} after reading. */
export type EnvelopeMembers = z.output<typeof envelopeObject>;

/** Wire JSON of one event → {@link Envelope} (VES 6.1). */
export const envelopeSchema = envelopeObject.transform(envelopeFromMembers);

/** Drops the optional members that are absent or null, and whatever else `members` holds. */
export function envelopeFromMembers(members: EnvelopeMembers): Envelope {
  const envelope: { -readonly [Member in keyof Envelope]: Envelope[Member] } = {
    ves_version: members.ves_version,
    event_id: members.event_id,
    tenant_id: members.tenant_id,
    store_id: members.store_id,
    source_agent_id: members.source_agent_id,
    agent_key_id: members.agent_key_id,
    entity_type: members.entity_type,
    entity_id: members.entity_id,
    event_type: members.event_type,
    created_at: members.created_at,
    payload_kind: members.payload_kind,
    payload_plain_hash: members.payload_plain_hash,
    payload_cipher_hash: members.payload_cipher_hash,
    agent_signature: members.agent_signature,
  };
  if (members.payload != null) envelope.payload = members.payload as JsonValue;
  if (members.payload_encrypted != null) envelope.payload_encrypted = members.payload_encrypted;
  if (members.agent_signature_scheme != null) envelope.agent_signature_scheme = members.agent_signature_scheme;
  if (members.agent_signature_bundle != null) envelope.agent_signature_bundle = members.agent_signature_bundle;
  if (members.command_id != null) envelope.command_id = members.command_id;
  if (members.base_version != null) envelope.base_version = members.base_version;
  return envelope;
}

/** {@link Envelope} → wire JSON (VES 6.1, hex as VES 3.2 emits it). Reading the result gives an equal envelope. */
export function toWireEnvelope(envelope: Envelope): WireEnvelope {
  return {
    ...envelope,
    payload_plain_hash: to0xHex(envelope.payload_plain_hash),
    payload_cipher_hash: to0xHex(envelope.payload_cipher_hash),
    agent_signature: to0xHex(envelope.agent_signature),
    source_agent: envelope.source_agent_id,
  };
}

function hexField(byteLength: number) {
  return z
    .string()
    .transform((text, context) => {
      try {
        return fromHex(text, byteLength);
      } catch (error) {
        context.addIssue({ code: "custom", message: (error as Error).message });
        return z.NEVER;
      }
    })
    .meta({ description: `${byteLength} bytes in hex, any case, with or without 0x` });
}

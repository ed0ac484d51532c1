import { z } from "zod";
import { bytesField } from "../fields.ts";
import {
  canonicalJson,
  type Envelope,
  envelopeFromMembers,
  envelopeObject,
  hex32Field,
  hex64Field,
  type JsonValue,
  encryptedPayloadHash,
  payloadPlainHash,
  safeIntegerField,
  u32Field,
  uuidField,
  VesError,
  ZERO_32,
} from "../ves/index.ts";

/** An event as submitted, with what it left out filled in. */
export interface SubmittedEvent {
  readonly envelope: Envelope;
  /** The event does not say which of its agent's keys signed it: `agent_key_id` is 0 until one is found that did. */
  readonly keyIsUnnamed: boolean;
}

/**
 * The form in which events are submitted: an envelope of which some members may have another name, or be left out where
 * the signature decides anyway whether the value filled in is the one that was signed.
 */
export const submittedEventSchema = envelopeObject
  .extend({
    ves_version: u32Field.nullish().describe("Version of the signed form, 1 or 2; 1 when absent"),
    source_agent_id: uuidField.nullish(),
    source_agent: uuidField.nullish().describe("Another name for source_agent_id"),
    agent_key_id: u32Field
      .nullish()
      .describe("Which of the agent's keys signed; when absent they are tried, newest first"),
    payload_kind: z
      .union([z.literal(0), z.literal(1)], { error: "expected 0 or 1" })
      .nullish()
      .describe("0 plaintext, 1 encrypted; told from the payload when absent"),
    payload_plain_hash: hex32Field.nullish(),
    payload_cipher_hash: hex32Field.nullish(),
    agent_signature: hex64Field.nullish(),
    signature: bytesField(64).nullish().describe("Another name for agent_signature; 64 bytes in hex or base64"),
    base_version: safeIntegerField.nullish(),
  })
  .transform((members, context): SubmittedEvent => {
    const sourceAgentId = members.source_agent_id ?? members.source_agent;
    const signature = members.agent_signature ?? members.signature;
    const payloadKind = members.payload_kind ?? (members.payload_encrypted == null ? 0 : 1);
    if (sourceAgentId == null) context.addIssue({ code: "custom", path: ["source_agent_id"], message: "Required" });
    if (signature == null) context.addIssue({ code: "custom", path: ["agent_signature"], message: "Required" });
    if (payloadKind === 1 && members.payload_plain_hash == null) {
      // It covers a salt that only the recipients can read.
      context.addIssue({
        code: "custom",
        path: ["payload_plain_hash"],
        message: "Required when the payload is encrypted",
      });
    }
    if (sourceAgentId == null || signature == null || context.issues.length > 0) return z.NEVER;

    const envelope = envelopeFromMembers({
      ...members,
      ves_version: members.ves_version ?? 1,
      source_agent_id: sourceAgentId,
      agent_key_id: members.agent_key_id ?? 0,
      payload_kind: payloadKind,
      payload_plain_hash: members.payload_plain_hash ?? plainHashOf(members.payload),
      payload_cipher_hash: members.payload_cipher_hash ?? ZERO_32,
      agent_signature: signature,
    });
    return {
      envelope: members.payload_cipher_hash == null ? withCipherHash(envelope) : envelope,
      keyIsUnnamed: members.agent_key_id == null,
    };
  })
  .meta({ id: "SubmittedEvent" });

function plainHashOf(payload: unknown): Uint8Array {
  return payload == null ? ZERO_32 : payloadPlainHash(canonicalJson(payload as JsonValue));
}

function withCipherHash(envelope: Envelope): Envelope {
  const { payload_encrypted } = envelope;
  if (payload_encrypted === undefined) return envelope;
  try {
    const hash = encryptedPayloadHash({ ...envelope, payload_encrypted }, "binary");
    return hash === undefined ? envelope : { ...envelope, payload_cipher_hash: hash };
  } catch (error) {
    // Its structure is refused by name when the event is checked.
    if (error instanceof VesError) return envelope;
    throw error;
  }
}

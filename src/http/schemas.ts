import { z } from "zod";
import {
  toRfc3339Offset,
  MAX_ENTITY_ID_BYTES,
  MAX_ENTITY_TYPE_BYTES,
  MAX_EVENT_TYPE_BYTES,
  utf8,
  uuidField,
} from "../ves/index.ts";

/*
 * Parts that the schemas of several resources share.
 */

/** The stream that a read is about. */
export const streamQuery = z.object({ tenant_id: uuidField, store_id: uuidField });

/** The tenant of what a path names: left out, it is the credential's own. */
export const ownTenantQuery = z.object({
  tenant_id: uuidField.optional().describe("Needed from the bootstrap administrator, who belongs to no tenant"),
});

/** The agent that a path is about. */
export const agentParams = z.object({ agent_id: uuidField });

/** A whole number in a query or path; text of any other form is refused. */
export function numberParam(min: number, max: number) {
  return (
    z
      .string()
      .refine((text) => /^\d{1,16}$/.test(text), "expected a whole number")
      // As OpenAPI has it: how a number is written in a URL is not a client's business.
      .meta({ type: "integer", minimum: min, maximum: max })
      .transform(Number)
      .pipe(z.number().min(min).max(max))
      .meta({ description: `Whole number from ${min} to ${max}` })
  );
}

/** How many rows a page may have: `cap` at most, however many are asked for. */
export function limitParam(min: number, cap: number) {
  return numberParam(min, Number.MAX_SAFE_INTEGER)
    .transform((limit) => Math.min(limit, cap))
    .meta({ description: `Rows wanted, from ${min}; more than ${cap} are never given` });
}

/** A name of 1 to `maxBytes` bytes in UTF-8. */
function nameParam(maxBytes: number) {
  return z
    .string()
    .refine(
      (name) => name.length > 0 && utf8(name.toWellFormed()).length <= maxBytes,
      `expected 1 to ${maxBytes} bytes`,
    )
    .meta({ description: `1 to ${maxBytes} bytes of UTF-8` });
}

export const entityTypeParam = nameParam(MAX_ENTITY_TYPE_BYTES);
export const entityIdParam = nameParam(MAX_ENTITY_ID_BYTES);
export const eventTypeParam = nameParam(MAX_EVENT_TYPE_BYTES);

export const sequenceNumber = z.int().min(1).meta({ description: "Place in the stream, from 1" });
export const head = z.int().min(0).meta({ description: "Highest number given so far; 0 for an unknown stream" });
export const hexText = z.string().meta({ description: "Lowercase hex without 0x" });
export const hex0xText = z.string().meta({ description: "Lowercase hex with 0x" });
export const byteValues = z.array(z.int().min(0).max(255)).meta({ description: "Bytes, each as a number" });
export const timeText = z.string().meta({ description: "RFC 3339 time" });
export const uuidText = z.string().meta({ description: "UUID, lowercase and hyphenated" });

/** A time that may not be set, given in milliseconds since the epoch. */
export function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : toRfc3339Offset(ms);
}

const envelopeMembers = {
  ves_version: z.int(),
  event_id: uuidText,
  tenant_id: uuidText,
  store_id: uuidText,
  source_agent_id: uuidText,
  source_agent: uuidText,
  agent_key_id: z.int(),
  entity_type: z.string(),
  entity_id: z.string(),
  event_type: z.string(),
  created_at: z.string().describe("The very text that was signed"),
  payload_kind: z.int().describe("0 plaintext, 1 encrypted"),
  payload: z.unknown().optional(),
  payload_encrypted: z.unknown().optional(),
  payload_plain_hash: hex0xText,
  payload_cipher_hash: hex0xText,
  agent_signature: hex0xText,
  agent_signature_scheme: z.int().optional(),
  agent_signature_bundle: z.unknown().optional(),
  command_id: uuidText.optional(),
  base_version: z.int().optional(),
  sequence_number: sequenceNumber,
  sequenced_at: timeText,
};

/** A sequenced event, as answered. */
export const envelopeResponse = z.object(envelopeMembers).meta({ id: "SequencedEnvelope" });

/** A sequenced event with the older family's names added. */
export const legacyEnvelopeResponse = z
  .object({
    ...envelopeMembers,
    envelope_version: z.int(),
    payload_hash: hexText,
    signature: z.array(z.int()).describe("The agent's signature as byte values"),
  })
  .meta({ id: "LegacyEnvelope" });

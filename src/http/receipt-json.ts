import { z } from "zod";
import { issueReceipt } from "../ingest/receipt.ts";
import type { InclusionProof, StoredEvent } from "../stream/messages.ts";
import type { StreamRef } from "../stream-ref.ts";
import { fromHex, type Receipt, toBase64, toHex } from "../ves/index.ts";
import type { AppContext } from "./context.ts";
import { merkleProof, merkleProofJson, plainMerkleProof, plainMerkleProofJson } from "./proof-json.ts";
import { hexText, sequenceNumber, timeText, uuidText } from "./schemas.ts";

/** A sequencer's receipt, as answered. */
export const receiptResponse = z
  .object({
    sequencerId: uuidText,
    eventId: uuidText,
    sequenceNumber,
    sequencedAt: timeText,
    receiptHash: hexText.describe("SHA-256 over tenant, store, event id, number and signing hash (VES 2.7), hex"),
    signatureAlg: z.string().describe("ed25519"),
    sequencerSignature: hexText.describe("Ed25519 over the 32 bytes of receiptHash, hex"),
    sequencerKeyVersion: z.int().describe("Which of GET /api/v1/sequencer/keys signed"),
    merkleProof: merkleProof.optional().describe("Present once the event's batch is sealed"),
  })
  .meta({ id: "Receipt" });

/** A receipt in the shape that requests of the plain form are answered with. */
export const plainReceiptResponse = z
  .object({
    event_id: uuidText,
    sequence_number: sequenceNumber,
    payload_hash: z.string(),
    merkle_proof: plainMerkleProof.nullable().describe("Not null once the event's batch is sealed"),
    sequencer_signature: z.string().describe("base64"),
  })
  .meta({ id: "PlainReceipt" });

/** @param proof null as long as the event's batch is not sealed */
export function receiptJson(receipt: Receipt, proof: InclusionProof | null): z.output<typeof receiptResponse> {
  return { ...receipt, ...(proof === null ? {} : { merkleProof: merkleProofJson(proof) }) };
}

/** @param proof null as long as the event's batch is not sealed */
export function plainReceiptJson(
  receipt: Receipt,
  payloadHash: Uint8Array,
  proof: InclusionProof | null,
): z.output<typeof plainReceiptResponse> {
  return {
    event_id: receipt.eventId,
    sequence_number: receipt.sequenceNumber,
    payload_hash: toHex(payloadHash),
    merkle_proof: proof === null ? null : plainMerkleProofJson(proof),
    sequencer_signature: toBase64(fromHex(receipt.sequencerSignature)),
  };
}

/** The receipt of an event that is in the log. */
export function receiptOf(c: AppContext, stream: StreamRef, event: Omit<StoredEvent, "payload">): Promise<Receipt> {
  const signed = { eventId: event.envelope.event_id, signingHash: event.signingHash };
  return issueReceipt(c.get("config").receiptKeys, stream, signed, event);
}

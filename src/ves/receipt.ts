import { equalBytes } from "./bytes.ts";
import { verifyEd25519 } from "./ed25519.ts";
import { fromHex } from "./encoding.ts";
import type { Envelope } from "./envelope.ts";
import { VesError } from "./errors.ts";
import { contentProblem } from "./event-checks.ts";
import { receiptHash } from "./log-hash.ts";
import { eventSigningHash } from "./signing-hash.ts";
import { parseUuid } from "./uuid.ts";

/** The sequencer's signed promise of a place in the stream (VES 6.3). Hex without `0x`. */
export interface Receipt {
  readonly sequencerId: string;
  readonly eventId: string;
  readonly sequenceNumber: number;
  /** RFC 3339 text. Not covered by the signature, like the sequencer's id and key version. */
  readonly sequencedAt: string;
  readonly receiptHash: string;
  readonly signatureAlg: string;
  readonly sequencerSignature: string;
  readonly sequencerKeyVersion: number;
}

/** Outcome of {@link verifyReceipt}. */
export type ReceiptVerdict = { readonly valid: true } | { readonly valid: false; readonly problem: string };

/**
 * Verifies a receipt from the event that the client itself holds (VES 3.4): nothing the server says is taken over but the
 * sequence number, which the signature covers. The event's content is checked against its own hashes as well, so that a
 * valid verdict speaks about the payload too.
 */
export async function verifyReceipt(
  receipt: Pick<Receipt, "eventId" | "sequenceNumber" | "receiptHash" | "sequencerSignature">,
  envelope: Envelope,
  sequencerPublicKey: Uint8Array,
): Promise<ReceiptVerdict> {
  try {
    if (parseUuid(receipt.eventId) !== envelope.event_id) return invalid("receipt is for another event");
    if (receipt.sequenceNumber < 1) return invalid("sequence numbers start at 1");
    const content = contentProblem(envelope);
    if (content !== undefined) return invalid(content.message);
    const expected = receiptHash({
      tenantId: envelope.tenant_id,
      storeId: envelope.store_id,
      eventId: envelope.event_id,
      sequenceNumber: receipt.sequenceNumber,
      eventSigningHash: eventSigningHash(envelope),
    });
    if (!equalBytes(fromHex(receipt.receiptHash, 32), expected)) {
      return invalid("receiptHash is not the hash of this event at this sequence number");
    }
    const signature = fromHex(receipt.sequencerSignature, 64);
    const signed = await verifyEd25519(sequencerPublicKey, expected, signature);
    return signed ? { valid: true } : invalid("sequencerSignature does not verify under the sequencer's key");
  } catch (error) {
    if (error instanceof VesError) return invalid(error.message);
    throw error;
  }
}

function invalid(problem: string): ReceiptVerdict {
  return { valid: false, problem };
}

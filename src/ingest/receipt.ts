import type { Place } from "../stream/messages.ts";
import type { StreamRef } from "../stream-ref.ts";
import { type Receipt, receiptHash, toHex, toRfc3339Offset } from "../ves/index.ts";
import { receiptKeyOf, type ReceiptKeyring } from "./receipt-keys.ts";

/**
 * The receipt of an event at its place. Nothing of it is stored: Ed25519 is deterministic, so a receipt derived again
 * is the same to the byte.
 */
export async function issueReceipt(
  keyring: ReceiptKeyring,
  stream: StreamRef,
  event: { readonly eventId: string; readonly signingHash: Uint8Array },
  place: Place,
): Promise<Receipt> {
  const hash = receiptHash({
    ...stream,
    eventId: event.eventId,
    sequenceNumber: place.sequenceNumber,
    eventSigningHash: event.signingHash,
  });
  const { version, key } = receiptKeyOf(keyring, place.receiptKeyVersion);
  return {
    sequencerId: keyring.sequencerId,
    eventId: event.eventId,
    sequenceNumber: place.sequenceNumber,
    sequencedAt: toRfc3339Offset(place.sequencedAt),
    receiptHash: toHex(hash),
    signatureAlg: "ed25519",
    sequencerSignature: toHex(await key.sign(hash)),
    sequencerKeyVersion: version,
  };
}

import { equalBytes, fromHex, type Receipt, receiptHash, verifyEd25519, VesError } from "../../src/ves/index.ts";

/** The event that a receipt should be for. */
export interface ReceiptSubject {
  readonly tenantId: string;
  readonly storeId: string;
  readonly eventId: string;
  /** 32 bytes. */
  readonly eventSigningHash: Uint8Array;
}

/**
 * Why a receipt does not promise this event its number (VES 3.4), to stand behind "the receipt", or `undefined`.
 *
 * @param key the sequencer's public key of the version that the receipt names; `undefined` when it is not believed
 */
export async function receiptProblem(
  subject: ReceiptSubject,
  receipt: Pick<Receipt, "eventId" | "sequenceNumber" | "receiptHash" | "sequencerSignature" | "sequencerKeyVersion">,
  key: Uint8Array | undefined,
): Promise<string | undefined> {
  const { eventId, sequenceNumber, sequencerKeyVersion: version } = receipt;
  // The hash is of the subject's id: what the receipt itself says is covered by nothing.
  if (eventId !== subject.eventId) return `names event ${eventId}`;
  if (key === undefined) return `names version ${version} of the sequencer's key, which is not known`;
  try {
    const hash = receiptHash({ ...subject, sequenceNumber });
    if (!equalBytes(fromHex(receipt.receiptHash, 32), hash)) return "is not for this event at this number";
    const isSigned = await verifyEd25519(key, hash, fromHex(receipt.sequencerSignature, 64));
    return isSigned ? undefined : "is not signed by the sequencer";
  } catch (error) {
    if (error instanceof VesError) return `is malformed: ${error.message}`;
    throw error;
  }
}

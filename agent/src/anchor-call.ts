import { toHex, u64, uuidBytes } from "../../src/ves/index.ts";

/** Calls a contract through any node of its chain (`eth_call`), and gives its answer as hex. */
export type EthCall = (call: { readonly to: string; readonly data: string }) => Promise<string>;

/** What the contract is asked about. */
export interface AnchoredEvent {
  readonly batchId: string;
  readonly sequenceNumber: number;
  /** 32 bytes. */
  readonly eventSigningHash: Uint8Array;
  /** 64 bytes. */
  readonly agentSignature: Uint8Array;
  readonly path: readonly Uint8Array[];
}

/** Of `verifyEvent(bytes32,uint64,bytes32,bytes,bytes32[])`. */
const VERIFY_EVENT = "adefc69a";

/** Bytes of the five words that stand before what has no fixed length. */
const HEAD_BYTES = 5 * 32;

/** A length word and two words of signature. */
const SIGNATURE_BYTES = 3 * 32;

/** Whether the contract finds the event in an anchored batch, computing its leaf and its path itself. */
export async function isAnchored(ethCall: EthCall, contract: string, event: AnchoredEvent): Promise<boolean> {
  const answer = await ethCall({ to: contract, data: verifyEventCall(event) });
  return /^0x0{63}1$/.test(answer);
}

/** The call as the contract's ABI wants it, hex with `0x`. */
export function verifyEventCall({
  batchId,
  sequenceNumber,
  eventSigningHash,
  agentSignature,
  path,
}: AnchoredEvent): string {
  const words = [
    // A UUID stands on the left of its word.
    toHex(uuidBytes(batchId)).padEnd(64, "0"),
    word(sequenceNumber),
    toHex(eventSigningHash),
    word(HEAD_BYTES),
    word(HEAD_BYTES + SIGNATURE_BYTES),
    word(agentSignature.length),
    toHex(agentSignature),
    word(path.length),
    ...path.map(toHex),
  ];
  return `0x${VERIFY_EVENT}${words.join("")}`;
}

function word(value: number): string {
  return toHex(u64(value)).padStart(64, "0");
}

import { bytesToHex, encodeFunctionData, type Hex, hexToBytes } from "viem";
import { stateSetAnchorAbi } from "../../../contracts/abi.ts";
import type { ExpectedBatch } from "../../../src/anchor/messages.ts";
import { uuidBytes, uuidFromBytes } from "../../../src/ves/index.ts";

const UUID_BYTES = 16;

/** Calldata that anchors these batches, all or none. Those of one stream stand in its order. */
export function anchorCall(batches: readonly ExpectedBatch[]): Hex {
  return encodeFunctionData({
    abi: stateSetAnchorAbi,
    functionName: "anchorBatch",
    args: [
      batches.map(({ batchId }) => uuidWord(batchId)),
      batches.map(({ stream }) => uuidWord(stream.tenantId)),
      batches.map(({ stream }) => uuidWord(stream.storeId)),
      batches.map(({ merkleRoot }) => bytesToHex(merkleRoot)),
      batches.map(({ stateRoot }) => bytesToHex(stateRoot)),
      batches.map(({ sequenceStart }) => BigInt(sequenceStart)),
      batches.map(({ sequenceEnd }) => BigInt(sequenceEnd)),
      batches.map(({ sequenceStart, sequenceEnd }) => sequenceEnd - sequenceStart + 1),
    ],
  });
}

/** A UUID as the contract wants it: left-aligned in 32 bytes. */
export function uuidWord(uuid: string): Hex {
  return `0x${bytesToHex(uuidBytes(uuid)).slice(2).padEnd(64, "0")}`;
}

export function uuidOfWord(word: Hex): string {
  return uuidFromBytes(hexToBytes(word).slice(0, UUID_BYTES));
}

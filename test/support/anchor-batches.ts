import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { Hex } from "viem";
import { stateRoot, uuidBytes } from "../../src/ves/index.ts";

/** The arguments of the contract's `anchor`, in its order. */
export type AnchorArgs = readonly [
  batchId: Hex,
  tenantId: Hex,
  storeId: Hex,
  eventsRoot: Hex,
  stateRoot: Hex,
  sequenceStart: bigint,
  sequenceEnd: bigint,
  eventCount: number,
];

/** A stream whose batches hold nothing real: each `next()` is the batch after the last one. */
export interface AnchorStream {
  readonly tenantId: Hex;
  readonly storeId: Hex;
  /** @param merkleRoot random when absent */
  readonly next: (leafCount: number, merkleRoot?: Uint8Array) => AnchorArgs;
}

export function anchorStream(tenantId: string = randomUUID(), storeId: string = randomUUID()): AnchorStream {
  let prevStateRoot: Uint8Array = new Uint8Array(32);
  let sequenceEnd = 0;
  const ids = { tenantId: uuidWord(tenantId), storeId: uuidWord(storeId) };
  const next = (leafCount: number, merkleRoot: Uint8Array = randomHash()): AnchorArgs => {
    const sequenceStart = sequenceEnd + 1;
    sequenceEnd += leafCount;
    prevStateRoot = stateRoot({ tenantId, storeId, prevStateRoot, merkleRoot, sequenceStart, sequenceEnd, leafCount });
    const range = [BigInt(sequenceStart), BigInt(sequenceEnd), leafCount] as const;
    return [uuidWord(randomUUID()), ids.tenantId, ids.storeId, toHex(merkleRoot), toHex(prevStateRoot), ...range];
  };
  return { ...ids, next };
}

type Columns<Row extends readonly unknown[]> = { readonly [Index in keyof Row]: readonly Row[Index][] };

/** The arguments of `anchorBatch` for these batches. */
export function anchorLists(batches: readonly AnchorArgs[]): Columns<AnchorArgs> {
  const column = <Index extends keyof AnchorArgs & number>(index: Index): AnchorArgs[Index][] =>
    batches.map((batch) => batch[index]);
  return [column(0), column(1), column(2), column(3), column(4), column(5), column(6), column(7)];
}

/** A UUID as the contract wants it: left-aligned in 32 bytes. */
export function uuidWord(uuid: string): Hex {
  return `0x${Buffer.from(uuidBytes(uuid)).toString("hex").padEnd(64, "0")}`;
}

export function toHex(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes).toString("hex")}`;
}

function randomHash(): Uint8Array {
  return createHash("sha256").update(randomBytes(32)).digest();
}

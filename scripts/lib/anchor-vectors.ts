import { createHash } from "node:crypto";
import {
  inclusionPath,
  leafHash,
  merkleTree,
  nodeHash,
  PAD_LEAF,
  stateRoot,
  streamId,
  uuidBytes,
} from "../../src/ves/index.ts";

/*
 * What src/ves makes of one stream: batches of 1 to 20 events and one of 1,024, for the tests of the contract. An event's
 * hash and signature are made from its number by a formula that those tests know too.
 */

const TENANT_ID = "64527dd3-a654-4410-9327-e58a1492ce77";
const STORE_ID = "91def158-819a-4461-b5c9-7759750ad157";
const SIZES = [...Array.from({ length: 20 }, (_, i) => i + 1), 1024];
/** Of larger trees, only some leaves' paths. */
const ALL_PATHS_UP_TO = 20;
const SOME_INDICES = [0, 1, 511, 512, 700, 1022, 1023];
const LEAF_NUMBERS = [1n, 255n, 2n ** 32n, 2n ** 63n - 1n, 2n ** 64n - 1n];

/** The file's text: hashes and ids as hex with `0x`, ids left-aligned in 32 bytes as the contract wants them. */
export function anchorVectors(): string {
  const stream = { tenantId: TENANT_ID, storeId: STORE_ID };
  let prevStateRoot: Uint8Array = new Uint8Array(32);
  let sequenceStart = 1;
  const batches = SIZES.map((leafCount) => {
    const leaves = Array.from({ length: leafCount }, (_, i) => leafHash(eventAt(BigInt(sequenceStart + i))));
    const tree = merkleTree(leaves);
    const batch = {
      ...stream,
      prevStateRoot,
      merkleRoot: tree.root,
      sequenceStart,
      sequenceEnd: sequenceStart + leafCount - 1,
      leafCount,
    };
    const newStateRoot = stateRoot(batch);
    const indices = leafCount <= ALL_PATHS_UP_TO ? leaves.map((_, i) => i) : SOME_INDICES;
    const vector = {
      sequenceStart,
      sequenceEnd: batch.sequenceEnd,
      leafCount,
      merkleRoot: hex(tree.root),
      prevStateRoot: hex(prevStateRoot),
      newStateRoot: hex(newStateRoot),
      indices,
      paths: indices.map((index) => inclusionPath(tree, index).map(hex)),
    };
    prevStateRoot = newStateRoot;
    sequenceStart += leafCount;
    return vector;
  });
  const vectors = {
    tenantId: leftAligned(TENANT_ID),
    storeId: leftAligned(STORE_ID),
    streamId: hex(streamId(TENANT_ID, STORE_ID)),
    padLeaf: hex(PAD_LEAF),
    node: {
      left: hex(eventHash("left", 0n)),
      right: hex(PAD_LEAF),
      hash: hex(nodeHash(eventHash("left", 0n), PAD_LEAF)),
    },
    leafNumbers: LEAF_NUMBERS.map(String),
    leaves: LEAF_NUMBERS.map((number) => hex(leafHash(eventAt(number)))),
    batches,
  };
  return `${JSON.stringify(vectors, null, 1)}\n`;
}

function eventAt(sequenceNumber: bigint): Parameters<typeof leafHash>[0] {
  return {
    tenantId: TENANT_ID,
    storeId: STORE_ID,
    sequenceNumber,
    eventSigningHash: eventHash("event", sequenceNumber),
    agentSignature: Buffer.concat([eventHash("r", sequenceNumber), eventHash("s", sequenceNumber)]),
  };
}

function eventHash(name: string, sequenceNumber: bigint): Uint8Array {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(sequenceNumber);
  return createHash("sha256").update(name).update(number).digest();
}

function leftAligned(uuid: string): string {
  return hex(uuidBytes(uuid)).padEnd(66, "0");
}

function hex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString("hex")}`;
}

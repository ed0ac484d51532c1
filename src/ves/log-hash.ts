import { putFixed, putU32, putU64, utf8 } from "./bytes.ts";
import { sha256, taggedHash } from "./sha256.ts";
import { putUuid, uuidBytes } from "./uuid.ts";

/** A place in a stream. Sequence numbers start at 1; use a bigint beyond 2^53 - 1. */
export interface SequencedEvent {
  readonly tenantId: string;
  readonly storeId: string;
  readonly sequenceNumber: number | bigint;
  readonly eventSigningHash: Uint8Array;
}

/** One sealed batch. `leafCount` counts events, not padding; a stream's first `prevStateRoot` is 32 zero bytes. */
export interface SealedBatch {
  readonly tenantId: string;
  readonly storeId: string;
  readonly prevStateRoot: Uint8Array;
  readonly merkleRoot: Uint8Array;
  readonly sequenceStart: number | bigint;
  readonly sequenceEnd: number | bigint;
  readonly leafCount: number;
}

const LEAF_DOMAIN = utf8("VES_LEAF_V1");
const RECEIPT_DOMAIN = utf8("VES_RECEIPT_V1");
const STATE_ROOT_DOMAIN = utf8("VES_STATE_ROOT_V1");
const hashNode = taggedHash("VES_NODE_V1");
const hashStream = taggedHash("VES_STREAM_V1");

/** Fills a tree up to a power of two (VES 2.6). Public, hence no proof of anything: see VES 5.3. */
export const PAD_LEAF: Uint8Array = taggedHash("VES_PAD_LEAF_V1")();

/** What a leaf covers beside its stream (VES 2.6). `agentSignature` is the 64-byte envelope member whatever the scheme. */
export type LeafParts = Pick<SequencedEvent, "sequenceNumber" | "eventSigningHash"> & {
  readonly agentSignature: Uint8Array;
};

/** Merkle leaf of a sequenced event (VES 2.6). */
export function leafHash(event: SequencedEvent & LeafParts): Uint8Array {
  return leafHasher(event)(event);
}

/** {@link leafHash} for many events of one stream, whose ids are then read once. */
export function leafHasher(stream: {
  readonly tenantId: string;
  readonly storeId: string;
}): (event: LeafParts) => Uint8Array {
  const out = new Uint8Array(LEAF_DOMAIN.length + 16 + 16 + 8 + 32 + 64);
  let start = putFixed(out, 0, LEAF_DOMAIN, LEAF_DOMAIN.length);
  start = putUuid(out, start, stream.tenantId);
  start = putUuid(out, start, stream.storeId);
  return (event) => {
    let at = putU64(out, start, event.sequenceNumber);
    at = putFixed(out, at, event.eventSigningHash, 32);
    putFixed(out, at, event.agentSignature, 64);
    return sha256(out);
  };
}

/** Inner node of a Merkle tree (VES 2.6). Both children have 32 bytes. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return hashNode(left, right);
}

/** The 32-byte name of a stream, which every state root of it begins with (VES 2.6). */
export function streamId(tenantId: string, storeId: string): Uint8Array {
  return hashStream(uuidBytes(tenantId), uuidBytes(storeId));
}

/** The state root after a batch: the chain over all batches of a stream (VES 2.6). */
export function stateRoot(batch: SealedBatch): Uint8Array {
  const out = new Uint8Array(STATE_ROOT_DOMAIN.length + 3 * 32 + 8 + 8 + 4);
  let at = putFixed(out, 0, STATE_ROOT_DOMAIN, STATE_ROOT_DOMAIN.length);
  at = putFixed(out, at, streamId(batch.tenantId, batch.storeId), 32);
  at = putFixed(out, at, batch.prevStateRoot, 32);
  at = putFixed(out, at, batch.merkleRoot, 32);
  at = putU64(out, at, batch.sequenceStart);
  at = putU64(out, at, batch.sequenceEnd);
  putU32(out, at, batch.leafCount);
  return sha256(out);
}

/** What the sequencer signs to promise an event its place (VES 2.7). */
export function receiptHash(event: SequencedEvent & { readonly eventId: string }): Uint8Array {
  const out = new Uint8Array(RECEIPT_DOMAIN.length + 3 * 16 + 8 + 32);
  let at = putFixed(out, 0, RECEIPT_DOMAIN, RECEIPT_DOMAIN.length);
  at = putUuid(out, at, event.tenantId);
  at = putUuid(out, at, event.storeId);
  at = putUuid(out, at, event.eventId);
  at = putU64(out, at, event.sequenceNumber);
  putFixed(out, at, event.eventSigningHash, 32);
  return sha256(out);
}

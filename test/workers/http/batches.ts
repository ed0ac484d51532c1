import { env } from "cloudflare:workers";
import { expect } from "vitest";
import type { Signer } from "../../../scripts/lib/signer.ts";
import { type StreamStub, streamStub } from "../../../src/stream/stream-client.ts";
import {
  directions,
  envelopeSchema,
  eventSigningHash,
  fromHex,
  leafHash,
  stateRoot,
  toHex,
  verifyEventInclusion,
} from "../../../src/ves/index.ts";
import type { Anchor } from "../../../src/stream/messages.ts";
import { accept, type Call, call, event, newAgent, type Reply, type Wire } from "./harness.ts";

/*
 * What several suites do with batches and proofs.
 */

export type Stream = Pick<Signer, "tenantId" | "storeId">;

export interface Commitment {
  readonly batch_id: string;
  readonly tenant_id: string;
  readonly store_id: string;
  readonly ves_version: number;
  readonly tree_depth: number;
  readonly leaf_count: number;
  readonly padded_leaf_count: number;
  readonly merkle_root: string;
  readonly prev_state_root: string;
  readonly new_state_root: string;
  readonly sequence_start: number;
  readonly sequence_end: number;
  readonly committed_at: string;
  readonly is_anchored: boolean;
}

export interface CommitmentList {
  readonly commitments: readonly Commitment[];
  readonly count: number;
  readonly has_more: boolean;
  readonly next_before: number | null;
}

export interface Proof {
  readonly sequence_number: number;
  readonly batch_id: string;
  readonly merkle_root: string;
  readonly leaf_hash: string;
  readonly leaf_index: number;
  readonly leaf_count: number;
  readonly proof_path: readonly string[];
  readonly directions: readonly boolean[];
  readonly sequence_start: number;
  readonly sequence_end: number;
  readonly prev_state_root: string;
  readonly new_state_root: string;
}

export const COMMITMENTS = "/api/v1/ves/commitments";

/** A fresh stream of so many events. */
export async function newLog(count: number, tenantId?: string): Promise<{ signer: Signer; log: readonly Wire[] }> {
  const signer = await newAgent(tenantId);
  const log = await Promise.all(Array.from({ length: count }, () => event(signer)));
  await accept(signer, ...log);
  return { signer, log };
}

export function commit(
  { tenantId, storeId }: Stream,
  sequenceStart: unknown,
  sequenceEnd: unknown,
  given: Call & { path?: string } = {},
): Promise<Reply<Commitment>> {
  return call("POST", given.path ?? COMMITMENTS, { body: { tenantId, storeId, sequenceStart, sequenceEnd }, ...given });
}

/** Seals a range, which must be the stream's next. */
export async function seal(stream: Stream, start: number, end: number): Promise<Commitment> {
  const reply = await commit(stream, start, end);
  expect(reply.status).toBe(200);
  return reply.body;
}

export function stubOf({ tenantId, storeId }: Stream): StreamStub {
  return streamStub(env, { tenantId, storeId });
}

/** Tells the stream that a batch is final on chain in this place, or is not any more. */
export async function tellAnchor(
  { batch_id: batchId, sequence_start: sequenceStart, ...stream }: Commitment,
  revision: number,
  anchor: Anchor | null,
): Promise<void> {
  const stub = stubOf({ tenantId: stream.tenant_id, storeId: stream.store_id });
  await stub.noteAnchors([{ batchId, sequenceStart, revision, anchor }]);
}

/** What of an event its leaf is made of, from the event as it was sent. */
export function leafMembers({ tenantId, storeId }: Stream, wire: Wire, sequenceNumber: number) {
  const envelope = envelopeSchema.parse(wire);
  const agentSignature = envelope.agent_signature;
  return { tenantId, storeId, sequenceNumber, eventSigningHash: eventSigningHash(envelope), agentSignature };
}

/** Whether the proof holds for the very event, by the strict rule. */
export function proves(proof: Proof, stream: Stream, wire: Wire, sequenceNumber: number): boolean {
  return verifyEventInclusion({
    ...leafMembers(stream, wire, sequenceNumber),
    sequenceStart: proof.sequence_start,
    leafCount: proof.leaf_count,
    path: proof.proof_path.map((hash) => fromHex(hash, 32)),
    root: fromHex(proof.merkle_root, 32),
  });
}

/** Expects a proof that holds for this event at this number, for nothing else, and not when anything of it is changed. */
export function expectProof(proof: Proof, stream: Stream, wire: Wire, sequenceNumber: number, other: Wire): void {
  expect(proves(proof, stream, wire, sequenceNumber)).toBe(true);
  expect(proves(proof, stream, other, sequenceNumber)).toBe(false);
  expect(proves(proof, stream, wire, sequenceNumber + 1)).toBe(false);
  expect(proves(proof, { ...stream, storeId: crypto.randomUUID() }, wire, sequenceNumber)).toBe(false);
  const changed = (hash: string): string => (hash.startsWith("0") ? "1" : "0") + hash.slice(1);
  const forged: Partial<Proof>[] = [
    { merkle_root: changed(proof.merkle_root) },
    { proof_path: [...proof.proof_path, "00".repeat(32)] },
    { leaf_count: proof.leaf_count * 2 + 1 },
    { sequence_start: proof.sequence_start + 1 },
    ...proof.proof_path.map((_, at) => ({
      proof_path: proof.proof_path.map((hash, index) => (index === at ? changed(hash) : hash)),
    })),
  ];
  for (const change of forged) {
    expect(proves({ ...proof, ...change }, stream, wire, sequenceNumber)).toBe(false);
  }

  expect(proof.sequence_number).toBe(sequenceNumber);
  expect(proof.leaf_hash).toBe(toHex(leafHash(leafMembers(stream, wire, sequenceNumber))));
  expect(proof.leaf_index).toBe(sequenceNumber - proof.sequence_start);
  expect(proof.leaf_count).toBe(proof.sequence_end - proof.sequence_start + 1);
  expect(proof.directions).toEqual(directions(proof.leaf_index, proof.proof_path.length));
  expectStateRoot(proof, stream);
}

/** Expects the chain's formula to hold for one batch. */
export function expectStateRoot(
  batch: Pick<
    Commitment,
    "prev_state_root" | "new_state_root" | "merkle_root" | "sequence_start" | "sequence_end" | "leaf_count"
  >,
  { tenantId, storeId }: Stream,
): void {
  const root = stateRoot({
    tenantId,
    storeId,
    prevStateRoot: fromHex(batch.prev_state_root, 32),
    merkleRoot: fromHex(batch.merkle_root, 32),
    sequenceStart: batch.sequence_start,
    sequenceEnd: batch.sequence_end,
    leafCount: batch.leaf_count,
  });
  expect(batch.new_state_root).toBe(toHex(root));
}

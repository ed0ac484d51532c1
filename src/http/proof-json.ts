import { z } from "zod";
import type { InclusionProof } from "../stream/messages.ts";
import { leafCountOf } from "../stream/wire-json.ts";
import { directions, toHex } from "../ves/index.ts";
import { hexText, sequenceNumber, uuidText } from "./schemas.ts";

const merkleRoot = hexText.describe("Root of the batch's tree");
const leafHash = hexText.describe("Of tenant, store, number, signing hash and signature (VES 2.6)");
const leafIndex = z.int().min(0).describe("Place in the batch, from 0");
const leafCount = z.int().min(1).describe("Events in the batch");
const proofPath = z.array(hexText).describe("Siblings from the leaf to the root");
const sides = z.array(z.boolean()).describe("For each sibling, whether it is hashed on the right");

const proofMembers = {
  sequence_number: sequenceNumber,
  batch_id: uuidText,
  merkle_root: merkleRoot,
  leaf_hash: leafHash,
  leaf_index: leafIndex,
  leaf_count: leafCount,
  proof_path: proofPath,
  directions: sides,
  sequence_start: sequenceNumber.describe("First number of the batch"),
  sequence_end: sequenceNumber.describe("Last number of the batch"),
  prev_state_root: hexText.describe("State root before the batch"),
  new_state_root: hexText.describe("State root after the batch"),
};

/** That an event lies in a sealed batch, with all that a strict verifier needs beside the event (VES 5.3). */
export const proofResponse = z.object(proofMembers).meta({ id: "InclusionProof" });

/** The same with the older family's name for the root. */
export const legacyProofResponse = z
  .object({ ...proofMembers, events_root: merkleRoot.describe("The same as merkle_root") })
  .meta({ id: "LegacyInclusionProof" });

/** The proof as receipts carry it. */
export const merkleProof = z
  .object({
    batchId: uuidText,
    merkleRoot,
    leafHash,
    leafIndex,
    leafCount,
    proofPath,
    directions: sides,
    sequenceStart: sequenceNumber,
    sequenceEnd: sequenceNumber,
  })
  .meta({ id: "MerkleProof" });

/** The proof as receipts of the plain form carry it. */
export const plainMerkleProof = z
  .object({
    batch_id: uuidText,
    merkle_root: merkleRoot,
    leaf_hash: leafHash,
    leaf_index: leafIndex,
    leaf_count: leafCount,
    proof_path: proofPath,
    directions: sides,
    sequence_start: sequenceNumber,
    sequence_end: sequenceNumber,
  })
  .meta({ id: "PlainMerkleProof" });

export function proofJson(proof: InclusionProof): z.output<typeof proofResponse> {
  return {
    sequence_number: proof.sequenceNumber,
    ...plainMerkleProofJson(proof),
    prev_state_root: toHex(proof.batch.prevStateRoot),
    new_state_root: toHex(proof.batch.newStateRoot),
  };
}

export function merkleProofJson(proof: InclusionProof): z.output<typeof merkleProof> {
  const { batch } = proof;
  return {
    batchId: batch.batchId,
    merkleRoot: toHex(batch.merkleRoot),
    leafHash: toHex(proof.leafHash),
    leafIndex: proof.leafIndex,
    leafCount: leafCountOf(batch),
    proofPath: proof.path.map(toHex),
    directions: directions(proof.leafIndex, proof.path.length),
    sequenceStart: batch.sequenceStart,
    sequenceEnd: batch.sequenceEnd,
  };
}

export function plainMerkleProofJson(proof: InclusionProof): z.output<typeof plainMerkleProof> {
  const camel = merkleProofJson(proof);
  return {
    batch_id: camel.batchId,
    merkle_root: camel.merkleRoot,
    leaf_hash: camel.leafHash,
    leaf_index: camel.leafIndex,
    leaf_count: camel.leafCount,
    proof_path: camel.proofPath,
    directions: camel.directions,
    sequence_start: camel.sequenceStart,
    sequence_end: camel.sequenceEnd,
  };
}

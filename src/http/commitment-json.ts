import { z } from "zod";
import { commitmentOf, leafCountOf, type StreamBatch } from "../stream/wire-json.ts";
import { toHex } from "../ves/index.ts";
import { byteValues, hexText, sequenceNumber, timeOrNull, timeText, uuidText } from "./schemas.ts";

const eventCount = z.int().min(1);

const commitmentMembers = {
  batch_id: uuidText,
  tenant_id: uuidText,
  store_id: uuidText,
  ves_version: z.int().describe("Version of the form of tree and chain: 1"),
  tree_depth: z.int().describe("Length of every proof's path"),
  leaf_count: eventCount.describe("Events in the batch"),
  padded_leaf_count: eventCount.describe("The next power of two"),
  merkle_root: hexText,
  prev_state_root: hexText.describe("State root of the batch before; zeros in a stream's first"),
  new_state_root: hexText.describe("Chains this batch to the one before (VES 2.6)"),
  sequence_start: sequenceNumber,
  sequence_end: sequenceNumber,
  committed_at: timeText,
  is_anchored: z.boolean().describe("Final on chain"),
};

/** A sealed batch, as answered. */
export const commitmentResponse = z.object(commitmentMembers).meta({ id: "Commitment" });

/** A sealed batch with what became of it on chain. */
export const commitmentDetailResponse = z
  .object({
    ...commitmentMembers,
    start_sequence: sequenceNumber.describe("The same as sequence_start"),
    end_sequence: sequenceNumber.describe("The same as sequence_end"),
    event_count: eventCount.describe("The same as leaf_count"),
    chain_id: z.int().nullable(),
    chain_tx_hash: hexText.nullable(),
    chain_block_number: z.int().nullable(),
    anchored_at: timeText.nullable(),
  })
  .meta({ id: "CommitmentDetail" });

const legacyNames = {
  events_root: hexText.describe("The same as merkle_root"),
  event_count: eventCount.describe("The same as leaf_count"),
};

/** A sealed batch with the older family's names added. */
export const legacyCommitmentResponse = z
  .object({ ...commitmentMembers, ...legacyNames })
  .meta({ id: "LegacyCommitment" });

/** The same as the older family answers about one batch: roots as bytes, and the range as a pair. */
export const legacyCommitmentDetailResponse = z
  .object({
    ...commitmentDetailResponse.shape,
    prev_state_root: byteValues,
    new_state_root: byteValues,
    events_root: byteValues.describe("The bytes of merkle_root"),
    sequence_range: z.array(sequenceNumber).length(2).describe("First and last number"),
    chain_tx_hash: byteValues.nullable(),
  })
  .meta({ id: "LegacyCommitmentDetail" });

export function commitmentJson(found: StreamBatch): z.output<typeof commitmentResponse> {
  return commitmentOf(found);
}

export function commitmentDetailJson(found: StreamBatch): z.output<typeof commitmentDetailResponse> {
  const { batch } = found;
  const txHash = batch.anchor?.txHash ?? null;
  return {
    ...commitmentJson(found),
    start_sequence: batch.sequenceStart,
    end_sequence: batch.sequenceEnd,
    event_count: leafCountOf(batch),
    chain_id: batch.anchor?.chainId ?? null,
    chain_tx_hash: txHash === null ? null : toHex(txHash),
    chain_block_number: batch.anchor?.blockNumber ?? null,
    anchored_at: timeOrNull(batch.anchor?.anchoredAt ?? null),
  };
}

export function legacyCommitmentJson(found: StreamBatch): z.output<typeof legacyCommitmentResponse> {
  const commitment = commitmentJson(found);
  return { ...commitment, events_root: commitment.merkle_root, event_count: commitment.leaf_count };
}

export function legacyCommitmentDetailJson(found: StreamBatch): z.output<typeof legacyCommitmentDetailResponse> {
  const { batch } = found;
  const txHash = batch.anchor?.txHash ?? null;
  return {
    ...commitmentDetailJson(found),
    prev_state_root: Array.from(batch.prevStateRoot),
    new_state_root: Array.from(batch.newStateRoot),
    events_root: Array.from(batch.merkleRoot),
    sequence_range: [batch.sequenceStart, batch.sequenceEnd],
    chain_tx_hash: txHash === null ? null : Array.from(txHash),
  };
}

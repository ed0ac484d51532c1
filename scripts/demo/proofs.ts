import {
  envelopeSchema,
  equalBytes,
  eventSigningHash,
  fromHex,
  leafHash,
  merkleTree,
  stateRoot,
  verifyEventInclusion,
  ZERO_32,
} from "../../src/ves/index.ts";
import { ApiError, call, type Server } from "../lib/client.ts";
import type { Stream } from "./agents.ts";
import type { LoggedEvent } from "./verify.ts";

/** A sealed batch, as the sequencer lists it. */
interface Commitment {
  readonly batch_id: string;
  readonly merkle_root: string;
  readonly prev_state_root: string;
  readonly new_state_root: string;
  readonly sequence_start: number;
  readonly sequence_end: number;
}

interface Head {
  readonly head_sequence: number;
  readonly sealed_sequence: number;
}

/** What was proven about a sealed log. */
export interface Proven {
  readonly batches: number;
  readonly proofs: number;
  /** State root after the last batch, hex: it stands for the whole log. */
  readonly stateRoot: string;
}

/** Proofs that are fetched and checked, spread over the log. */
const MAX_PROOFS = 100;
const ATTEMPTS = 5;

/** Has the log sealed up to its head, without waiting for the streams to do it by themselves. @throws Error */
export async function sealLog(server: Server, { tenantId, storeId }: Stream): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const path = `/api/v1/ves/head?tenant_id=${tenantId}&store_id=${storeId}`;
    const { head_sequence: head, sealed_sequence: sealed } = await call<Head>(server, "GET", path);
    if (sealed === head) return;
    const range = { tenantId, storeId, sequenceStart: sealed + 1, sequenceEnd: head };
    try {
      await call(server, "POST", "/api/v1/ves/commitments", range);
    } catch (error) {
      // The stream may have sealed a part of it in between: its head says from where on.
      if (!(error instanceof ApiError && error.code === "INVARIANT_VIOLATION")) throw error;
    }
  }
  throw new Error("The log could not be sealed.");
}

/**
 * Computes every batch of a verified log again, from its events alone, and checks proofs from all over it.
 *
 * @throws Error for the first root or proof that is not as it should be
 */
export async function verifyProofs(server: Server, stream: Stream, log: readonly LoggedEvent[]): Promise<Proven> {
  const ids = `tenant_id=${stream.tenantId}&store_id=${stream.storeId}`;
  const { commitments } = await call<{ commitments: Commitment[] }>(
    server,
    "GET",
    `/api/v1/ves/commitments?${ids}&limit=1000`,
  );
  const batches = commitments.toReversed();
  let previous = ZERO_32;
  for (const batch of batches) previous = verifyBatch(stream, log, batch, previous);

  const wanted = spread(log, MAX_PROOFS);
  for (const event of wanted) await verifyProof(server, stream, ids, event, batches);
  return { batches: batches.length, proofs: wanted.length, stateRoot: batches.at(-1)?.new_state_root ?? "" };
}

/** The state root after the batch, if it is the one that its events lead to. */
function verifyBatch(stream: Stream, log: readonly LoggedEvent[], batch: Commitment, previous: Uint8Array): Uint8Array {
  const { sequence_start: sequenceStart, sequence_end: sequenceEnd } = batch;
  const leaves = log.slice(sequenceStart - 1, sequenceEnd).map((event) => leafHash({ ...stream, ...leafParts(event) }));
  const chained = {
    prevStateRoot: previous,
    merkleRoot: merkleTree(leaves).root,
    sequenceStart,
    sequenceEnd,
    leafCount: leaves.length,
  };
  const root = stateRoot({ ...stream, ...chained });
  if (
    !equalBytes(chained.merkleRoot, fromHex(batch.merkle_root, 32)) ||
    !equalBytes(root, fromHex(batch.new_state_root, 32))
  ) {
    throw new Error(`The roots of the batch ${sequenceStart} to ${sequenceEnd} are not those of its events.`);
  }
  return root;
}

async function verifyProof(
  server: Server,
  stream: Stream,
  ids: string,
  event: LoggedEvent,
  batches: readonly Commitment[],
): Promise<void> {
  const { sequence_number: number } = event;
  const { proof_path: path } = await call<{ proof_path: string[] }>(
    server,
    "GET",
    `/api/v1/ves/proofs/${number}?${ids}`,
  );
  const batch = batches.find(({ sequence_end: end }) => number <= end);
  const isProven =
    batch !== undefined &&
    verifyEventInclusion({
      ...stream,
      ...leafParts(event),
      sequenceStart: batch.sequence_start,
      leafCount: batch.sequence_end - batch.sequence_start + 1,
      path: path.map((hash) => fromHex(hash, 32)),
      root: fromHex(batch.merkle_root, 32),
    });
  if (!isProven) throw new Error(`The proof that event ${number} is in the log does not verify.`);
}

function leafParts(event: LoggedEvent) {
  return {
    sequenceNumber: event.sequence_number,
    eventSigningHash: eventSigningHash(envelopeSchema.parse(event)),
    agentSignature: fromHex(event.agent_signature, 64),
  };
}

/** At most `count` of the items, evenly spread, the last one among them. */
function spread<Item>(items: readonly Item[], count: number): Item[] {
  const step = Math.max(1, Math.ceil(items.length / count));
  return items.filter((_, index) => (items.length - 1 - index) % step === 0);
}

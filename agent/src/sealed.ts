import { equalBytes, fromHex, merkleTree, stateRoot, toHex, ZERO_32 } from "../../src/ves/index.ts";
import { type Commitment, commitmentsAnswer } from "./answers.ts";
import { type Context, streamQuery, transaction } from "./context.ts";
import { AgentError } from "./errors.ts";
import { CONTRADICTION, PULLED_SEQUENCE, SEALED_SEQUENCE, STATE_ROOT } from "./state-keys.ts";
import type { StreamRef } from "./store/store.ts";

/** The sequencer lists batches newest first; they are turned round in stretches of so many numbers. */
const STRETCH = 65_536;
const PAGE_SIZE = 1_000;

/** How far sealed batches were computed again. */
export interface Sealed {
  readonly sequence: number;
  /** 32 bytes. */
  readonly stateRoot: Uint8Array;
}

/**
 * Computes the batches that were sealed since the last time again, from the leaves of the events that were pulled. It takes one
 * hash for each event, and afterwards every event up to there is proven to be in the log, at its place, by one root.
 *
 * @returns how many batches
 * @throws AgentError LOG_CONTRADICTION when a batch is not what its events lead to; it stays written down in the status;
 *   MALFORMED_ANSWER when a batch ends before it begins
 */
export async function verifySealed(context: Context, signal: AbortSignal | undefined): Promise<number> {
  let count = 0;
  let before = -1;
  for (;;) {
    const { sealed, pulled } = transaction(context, (tables) => ({
      sealed: Number(tables.state(SEALED_SEQUENCE) ?? 0),
      pulled: Number(tables.state(PULLED_SEQUENCE) ?? 0),
    }));
    // What was verified has to have brought it further: the same would be asked for without end otherwise.
    if (sealed === pulled || sealed === before) return count;
    before = sealed;
    const batches = await batchesBetween(context, sealed + 1, Math.min(sealed + STRETCH, pulled), signal);
    const whole = batches.filter(({ sequence_end: end }) => end <= pulled);
    if (whole.length === 0) return count;
    for (const batch of whole) verifyBatch(context, batch);
    count += whole.length;
  }
}

/** Batches that begin in this range, the first one first. */
async function batchesBetween(
  context: Context,
  from: number,
  to: number,
  signal: AbortSignal | undefined,
): Promise<Commitment[]> {
  const newestFirst: Commitment[] = [];
  for (let before: number | null = to + 1; before !== null && before > from;) {
    const path: string = `/api/v1/ves/commitments?${streamQuery(context)}&before=${before}&limit=${PAGE_SIZE}`;
    const answer = await context.api.get(path, commitmentsAnswer, { signal });
    const turned = answer.commitments.find(({ sequence_start: start, sequence_end: end }) => end < start);
    if (turned !== undefined) {
      const message = `A batch from ${turned.sequence_start} to ${turned.sequence_end} ends before it begins`;
      throw new AgentError("MALFORMED_ANSWER", message);
    }
    newestFirst.push(...answer.commitments.filter(({ sequence_start: start }) => start >= from));
    const next: number | null = answer.has_more ? (answer.next_before ?? null) : null;
    before = next === null || next >= before ? null : next;
  }
  return newestFirst.toReversed();
}

/** Another process may have verified it meanwhile; then it is not looked at. */
function verifyBatch(context: Context, batch: Commitment): void {
  const problem = transaction(context, (tables) => {
    const root = tables.state(STATE_ROOT);
    const before: Sealed = {
      sequence: Number(tables.state(SEALED_SEQUENCE) ?? 0),
      stateRoot: root === undefined ? ZERO_32 : fromHex(root, 32),
    };
    if (batch.sequence_end <= before.sequence) return undefined;
    const found = batchProblem(
      context.identity,
      batch,
      before,
      tables.leaves(batch.sequence_start, batch.sequence_end),
    );
    tables.setState(CONTRADICTION, found ?? "");
    if (found !== undefined) return found;
    tables.setState(SEALED_SEQUENCE, String(batch.sequence_end));
    tables.setState(STATE_ROOT, toHex(batch.new_state_root));
    tables.addBatch({
      sequenceStart: batch.sequence_start,
      sequenceEnd: batch.sequence_end,
      batchId: batch.batch_id,
      merkleRoot: batch.merkle_root,
      newStateRoot: batch.new_state_root,
    });
    return undefined;
  });
  if (problem !== undefined) throw new AgentError("LOG_CONTRADICTION", problem);
}

/**
 * Why a batch does not follow from its events and from what was sealed before it, in a sentence, or `undefined`.
 *
 * @param leaves of its events, 32 bytes each, in order
 */
export function batchProblem(
  stream: StreamRef,
  batch: Omit<Commitment, "batch_id">,
  before: Sealed,
  leaves: readonly Uint8Array[],
): string | undefined {
  const { sequence_start: sequenceStart, sequence_end: sequenceEnd } = batch;
  const name = `The batch ${sequenceStart} to ${sequenceEnd}`;
  if (sequenceStart !== before.sequence + 1) return `${name} stands where one from ${before.sequence + 1} should`;
  if (!equalBytes(batch.prev_state_root, before.stateRoot)) return `${name} does not follow on the batch before it`;
  const { root: merkleRoot } = merkleTree(leaves);
  if (!equalBytes(merkleRoot, batch.merkle_root)) return `${name} is sealed over other events than were given`;
  const chained = { prevStateRoot: before.stateRoot, merkleRoot, sequenceStart, sequenceEnd, leafCount: leaves.length };
  const root = stateRoot({ ...stream, ...chained });
  return equalBytes(root, batch.new_state_root) ? undefined : `${name} has another state root than follows from it`;
}

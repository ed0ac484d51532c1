import type { StreamRef } from "../../src/stream-ref.ts";
import {
  equalBytes,
  leafHash,
  merkleTree,
  stateRoot,
  toHex,
  treeDepth,
  uuidBytes,
  VesError,
  ZERO_32,
} from "../../src/ves/index.ts";
import type { CheckedEvent } from "./event-checks.ts";
import { newIdIndex } from "./id-index.ts";
import type { LoggedBatch, LogHead } from "./log-source.ts";
import { differ, type Tallies } from "./tally.ts";

/** Batches are 1 to 16,384 events; what claims to be longer is not rebuilt. */
const MAX_LEAVES = 65_536;

/** The checks of sealed batches, each after the events that it covers. */
export interface BatchChecks {
  readonly addEvent: (event: CheckedEvent) => void;
  readonly check: (batch: LoggedBatch) => void;
  /** Whether the last batch ends where the source says that it does. */
  readonly finish: (head: LogHead) => void;
}

/**
 * Remembers the leaves of two batches, and 32 to 64 bytes for each batch.
 *
 * @param before the batch that the first one follows on; null: it is the stream's first
 */
export function newBatchChecks(stream: StreamRef, tallies: Tallies, before: LoggedBatch | null = null): BatchChecks {
  const ids = newIdIndex();
  const leaves = new Map<number, Uint8Array | null>();
  let previous: LoggedBatch | undefined = before ?? undefined;

  const checkPlace = (batch: LoggedBatch): void => {
    const { batches: tally } = tallies;
    const { sequenceStart: start, sequenceEnd: end } = batch;
    tally.checked++;
    const wrong = (member: string, expected: number | string, found: number | string): void =>
      differ(tally, start, String(expected), String(found), member);
    const next = (previous?.sequenceEnd ?? 0) + 1;
    if (start !== next) wrong("sequence_start", next, start);
    if (end < start) wrong("sequence_end", `at least ${start}`, end);
    if (batch.leafCount !== end - start + 1) wrong("leaf_count", end - start + 1, batch.leafCount);
    if (batch.vesVersion !== 1) wrong("ves_version", 1, batch.vesVersion);
    const depth = treeDepth(batch.leafCount);
    if (batch.treeDepth !== null && batch.treeDepth !== depth) wrong("tree_depth", depth, batch.treeDepth);
    if (batch.paddedLeafCount !== null && batch.paddedLeafCount !== 2 ** depth) {
      wrong("padded_leaf_count", 2 ** depth, batch.paddedLeafCount);
    }
    const id = uuidBytes(batch.batchId);
    const holder = ids.get(id);
    if (holder === undefined) ids.set(id, start);
    else wrong("batch_id", "an id of its own", `the id of the batch from ${holder}`);
  };

  const checkRoot = (batch: LoggedBatch): void => {
    const { merkle_roots: tally } = tallies;
    const { sequenceStart: start, sequenceEnd: end } = batch;
    tally.checked++;
    if (end - start >= MAX_LEAVES) {
      differ(tally, start, `at most ${MAX_LEAVES} events`, `${end - start + 1}`);
      return;
    }
    const own: Uint8Array[] = [];
    for (let number = start; number <= end; number++) {
      const leaf = leaves.get(number);
      if (leaf == null) {
        differ(tally, start, `events ${start} to ${end}`, `none that can be hashed at ${number}`);
        return;
      }
      own.push(leaf);
    }
    const { root } = merkleTree(own);
    if (!equalBytes(root, batch.merkleRoot)) differ(tally, start, toHex(root), toHex(batch.merkleRoot));
  };

  const checkChain = (batch: LoggedBatch): void => {
    const { state_roots: tally } = tallies;
    tally.checked++;
    const last = previous?.newStateRoot ?? ZERO_32;
    if (!equalBytes(last, batch.prevStateRoot)) {
      differ(tally, batch.sequenceStart, toHex(last), toHex(batch.prevStateRoot), "prev_state_root");
    }
    const after = stateRootOf(batch, stream);
    if (after === null || !equalBytes(after, batch.newStateRoot)) {
      const expected = after === null ? "a batch that can be hashed" : toHex(after);
      differ(tally, batch.sequenceStart, expected, toHex(batch.newStateRoot), "new_state_root");
    }
  };

  return {
    addEvent: (event) => {
      // Of a number that occurs twice, the first event is the one that was sealed.
      if (!leaves.has(event.sequenceNumber)) leaves.set(event.sequenceNumber, leafOf(event, stream));
    },
    check: (batch) => {
      for (const number of leaves.keys()) {
        // In order but for a broken log, whose stray leaves go with a later batch.
        if (number >= batch.sequenceStart) break;
        leaves.delete(number);
      }
      checkPlace(batch);
      checkRoot(batch);
      checkChain(batch);
      previous = batch;
    },
    finish: ({ sealedSequence, stateRoot: root }) => {
      const end = previous?.sequenceEnd ?? 0;
      if (end !== sealedSequence) {
        differ(tallies.batches, null, `batches up to ${sealedSequence}`, `batches up to ${end}`, "sealed_sequence");
      }
      const last = previous?.newStateRoot ?? ZERO_32;
      if (root !== null && !equalBytes(root, last)) {
        differ(tallies.state_roots, null, toHex(last), toHex(root), "state_root");
      }
    },
  };
}

function leafOf({ sequenceNumber, envelope, derivedHash }: CheckedEvent, stream: StreamRef): Uint8Array | null {
  if (derivedHash === null) return null;
  const agentSignature = envelope.agent_signature;
  return orNull(() => leafHash({ ...stream, sequenceNumber, eventSigningHash: derivedHash, agentSignature }));
}

/** From the batch's own members, so that a wrong one among them shows here as well. */
function stateRootOf(batch: LoggedBatch, stream: StreamRef): Uint8Array | null {
  const { prevStateRoot, merkleRoot, sequenceStart, sequenceEnd, leafCount } = batch;
  return orNull(() => stateRoot({ ...stream, prevStateRoot, merkleRoot, sequenceStart, sequenceEnd, leafCount }));
}

/** Null for what has members out of their domain. */
function orNull(hash: () => Uint8Array): Uint8Array | null {
  try {
    return hash();
  } catch (error) {
    if (error instanceof VesError) return null;
    throw error;
  }
}

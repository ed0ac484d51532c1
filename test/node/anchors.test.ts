import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readAnchorState } from "../../src/stream/anchor-state.ts";
import { noteAnchors } from "../../src/stream/anchors.ts";
import { appendEvents } from "../../src/stream/append.ts";
import { listBatches, readBatch, readProof } from "../../src/stream/batches.ts";
import { compareWithChain } from "../../src/stream/chain-conflict.ts";
import { readFrozen } from "../../src/stream/frozen.ts";
import type { Anchor, AnchorNote, Frozen, StoredBatch } from "../../src/stream/messages.ts";
import { updateMirrorState } from "../../src/stream/mirror-state.ts";
import { commitRange, readSealedRange } from "../../src/stream/seal.ts";
import { isEmptyStore } from "../../src/storage/migrate.ts";
import { toHex, ZERO_32 } from "../../src/ves/index.ts";
import { checkedEvent, uuid } from "../support/checked-events.ts";
import { type NodeStore, nodeStore } from "../support/node-store.ts";

const STREAM = { tenantId: uuid(0xa, 1), storeId: uuid(0xb, 1) };
const LIMITS = { maxEvents: 8, maxAgeMs: 1_000 };
const NOTHING = { latestSequence: 0, stateRoot: ZERO_32 };
/** Where the batches of the tests end. */
const ENDS = [3, 4, 9, 10, 12];

/** A store with five batches, and an event that is not sealed yet. */
function sealedLog(): { readonly store: NodeStore; readonly batches: readonly StoredBatch[] } {
  const store = nodeStore();
  const events = Array.from({ length: 13 }, (_, n) => checkedEvent({ eventId: uuid(1, n), entityId: `o${n}` }));
  appendEvents(store, events, { sequencedAt: 0, receiptKeyVersion: 1 });
  ENDS.forEach((end, n) => commitRange(store, STREAM, { start: (ENDS[n - 1] ?? 0) + 1, end }, 5_000, uuid(9, n)));
  return { store, batches: allBatches(store) };
}

const allBatches = (store: NodeStore): StoredBatch[] =>
  listBatches(store, { before: Number.MAX_SAFE_INTEGER, limit: 100 }).batches.toReversed();

const anchorOf = (n: number): Anchor => ({
  chainId: 31_337,
  txHash: n % 4 === 0 ? null : new Uint8Array(32).fill(n),
  blockNumber: n % 4 === 0 ? null : 100 + n,
  anchoredAt: 1_700_000_000_000 + n,
});

/** A note of the batch with this index. */
function noteOf(index: number, revision: number, anchor: Anchor | null): AnchorNote {
  return { batchId: uuid(9, index), sequenceStart: (ENDS[index - 1] ?? 0) + 1, revision, anchor };
}

/** Where the unbroken run of anchored batches ends, computed from all of them. */
function naiveAnchoredSequence(batches: readonly StoredBatch[]): number {
  const gap = batches.findIndex(({ anchor }) => anchor === null);
  return batches.slice(0, gap === -1 ? batches.length : gap).at(-1)?.sequenceEnd ?? 0;
}

describe("notes of anchors", () => {
  test("in any order, late, repeated and taken back leave of each batch the latest, and the run that follows from them", () => {
    // What each revision of a batch says is drawn once, so that notes of one revision never differ.
    const anyHistory = fc.array(fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }), { minLength: 5, maxLength: 5 });
    const anyNote = fc.record({ index: fc.integer({ min: 0, max: 4 }), revision: fc.integer({ min: 1, max: 5 }) });
    const anyCalls = fc.array(fc.array(anyNote, { maxLength: 5 }), { maxLength: 12 });
    fc.assert(
      fc.property(anyHistory, anyCalls, (history, calls) => {
        const { store, batches } = sealedLog();
        const highest = new Map<number, number>();
        const said = (index: number, revision: number): Anchor | null =>
          history[index]?.[revision - 1] === true ? anchorOf(index * 5 + revision) : null;
        for (const notes of calls) {
          noteAnchors(
            store,
            notes.map(({ index, revision }) => noteOf(index, revision, said(index, revision))),
          );
          for (const { index, revision } of notes) {
            highest.set(index, Math.max(revision, highest.get(index) ?? 0));
          }
          const expected = batches.map((batch, index) => ({ ...batch, anchor: said(index, highest.get(index) ?? 0) }));
          expect(allBatches(store)).toEqual(expected);
          expect(readAnchorState(store).anchoredSequence).toBe(naiveAnchoredSequence(expected));
          for (const anchored of [true, false]) {
            const wanted = expected.filter(({ anchor }) => (anchor !== null) === anchored).toReversed();
            expect(walk(store, anchored, 2)).toEqual(wanted);
          }
        }
        store.close();
      }),
      { numRuns: 200 },
    );
  });

  /** All batches of one kind, read in pages. */
  function walk(store: NodeStore, anchored: boolean, limit: number): StoredBatch[] {
    const found: StoredBatch[] = [];
    for (let before = Number.MAX_SAFE_INTEGER; ; before = found.at(-1)?.sequenceStart ?? 0) {
      const page = listBatches(store, { before, limit, anchored });
      found.push(...page.batches);
      if (!page.hasMore) return found;
      expect(page.batches).toHaveLength(limit);
    }
  }

  test("of batches that the stream does not have are ignored, whichever of the two names differs", () => {
    const { store, batches } = sealedLog();
    const known = noteOf(0, 1, anchorOf(1));
    noteAnchors(store, [
      { ...known, batchId: uuid(9, 99) },
      { ...known, sequenceStart: 4 },
      { ...known, sequenceStart: 2 },
      { ...known, sequenceStart: 13, batchId: uuid(9, 5) },
    ]);
    expect(allBatches(store)).toEqual(batches);
    expect(store.exec("SELECT 1 FROM anchors")).toEqual([]);
    expect(readAnchorState(store).anchoredSequence).toBe(0);
  });

  test("are told wherever a batch is, but not in proofs, which never change", () => {
    const { store, batches } = sealedLog();
    const before = readProof(store, 2, LIMITS, 0);
    const anchor = anchorOf(1);
    noteAnchors(store, [noteOf(0, 1, anchor)]);
    const [first] = batches;
    expect(readBatch(store, uuid(9, 0))).toEqual({ ...first, anchor });
    expect(readSealedRange(store, { start: 1, end: 3 })).toEqual({ ...first, anchor });
    expect(commitRange(store, STREAM, { start: 1, end: 3 }, 0, uuid(9, 6))).toMatchObject({ batch: { anchor } });
    expect(readProof(store, 2, LIMITS, 0)).toEqual(before);
  });

  test("write nothing into an empty store", () => {
    const store = nodeStore();
    noteAnchors(store, [noteOf(0, 1, anchorOf(1))]);
    expect(isEmptyStore(store)).toBe(true);
    expect(readAnchorState(store).anchoredSequence).toBe(0);
  });
});

describe("what the contract holds", () => {
  const sealAt = (store: NodeStore): unknown => readProof(store, 13, LIMITS, 0);
  const frozen = (reason: string): Frozen => ({ kind: "frozen", reason });
  const begunAnew = (end: number): string =>
    `the contract holds a batch that ends at ${end}, and this stream does not: it was begun anew, or two deployments anchor it`;

  test("agrees at every batch's end, and when it is nothing", () => {
    const { store, batches } = sealedLog();
    expect(compareWithChain(store, NOTHING)).toBeNull();
    for (const { sequenceEnd, newStateRoot } of batches) {
      expect(compareWithChain(store, { latestSequence: sequenceEnd, stateRoot: newStateRoot })).toBeNull();
    }
    expect(readFrozen(store)).toBeNull();
    expect(sealAt(store)).toEqual({ kind: "not_yet_sealed", sealAt: 1_000 });
  });

  test.each([
    ["an end inside a batch", 8, begunAnew(8)],
    ["an end that is not sealed yet", 13, begunAnew(13)],
    ["an end beyond the head", 99, begunAnew(99)],
    ["a root without a batch", 0, begunAnew(0)],
  ])("freezes the stream at %s, until both agree again", (_, latestSequence, reason) => {
    const { store, batches } = sealedLog();
    const stateRoot = batches.at(-1)?.newStateRoot ?? ZERO_32;
    expect(compareWithChain(store, { latestSequence, stateRoot })).toEqual(frozen(reason));
    expect(readFrozen(store)).toEqual(frozen(reason));
    expect(sealAt(store)).toEqual({ kind: "not_yet_sealed", sealAt: null });
    expect(compareWithChain(store, { latestSequence: 12, stateRoot })).toBeNull();
    expect(readFrozen(store)).toBeNull();
  });

  test("freezes the stream at another state root", () => {
    const { store, batches } = sealedLog();
    const own = toHex(batches.at(-1)?.newStateRoot ?? ZERO_32);
    const found = compareWithChain(store, { latestSequence: 12, stateRoot: new Uint8Array(32).fill(7) });
    const reason = `at number 12 the contract holds the state root ${"07".repeat(32)}, and this stream ${own}`;
    expect(found).toEqual(frozen(reason));
    expect(readFrozen(store)).toEqual(found);
  });

  test("and what Postgres holds freeze it independently of each other", () => {
    const { store } = sealedLog();
    const other = { latestSequence: 99, stateRoot: ZERO_32 };
    updateMirrorState(store, { frozenReason: "the mirror's" });
    compareWithChain(store, other);
    expect(readFrozen(store)).toEqual(frozen("the mirror's"));
    updateMirrorState(store, { frozenReason: null });
    expect(readFrozen(store)).toEqual(frozen(begunAnew(99)));
    updateMirrorState(store, { frozenReason: "the mirror's" });
    expect(compareWithChain(store, NOTHING)).toBeNull();
    expect(readFrozen(store)).toEqual(frozen("the mirror's"));
  });

  test("is told to a stream that was lost, or is being restored, without a trace", () => {
    const tip = { latestSequence: 12, stateRoot: new Uint8Array(32).fill(7) };
    const lost = nodeStore();
    expect(compareWithChain(lost, NOTHING)).toBeNull();
    const reason = "this stream is empty and the contract holds its events up to 12: restore it";
    expect(compareWithChain(lost, tip)).toEqual(frozen(reason));
    expect(isEmptyStore(lost)).toBe(true);
    const { store } = sealedLog();
    updateMirrorState(store, { frozenReason: "it is being restored", isRestoring: true });
    expect(compareWithChain(store, tip)).toEqual(frozen("it is being restored"));
    expect(compareWithChain(store, NOTHING)).toBeNull();
    expect(readAnchorState(store).conflictReason).toBeNull();
  });
});

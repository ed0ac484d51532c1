import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { SealLimits } from "../../src/stream/seal-limits.ts";
import { appendEvents } from "../../src/stream/append.ts";
import { listBatches, readBatch, readProof, readProofOfEvent } from "../../src/stream/batches.ts";
import type { Batch, StorableEvent, CommitResult } from "../../src/stream/messages.ts";
import { nextSealAt, readProgress } from "../../src/stream/progress.ts";
import { readHead } from "../../src/stream/read.ts";
import { commitRange, sealDue } from "../../src/stream/seal.ts";
import { toHex, verifyEventInclusion } from "../../src/ves/index.ts";
import { checkedEvent, uuid } from "../support/checked-events.ts";
import { derivedBatches } from "../support/derived-batches.ts";
import { type NodeStore, nodeStore } from "../support/node-store.ts";

const STREAM = { tenantId: uuid(0xa, 1), storeId: uuid(0xb, 1) };
const LIMITS: SealLimits = { maxEvents: 8, maxAgeMs: 1_000 };
const directory = mkdtempSync(join(tmpdir(), "sequencer-seal-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const eventOf = (n: number): StorableEvent => checkedEvent({ eventId: uuid(1, n), entityId: `o${n % 5}` });

function append(store: NodeStore, from: number, count: number, sequencedAt = 0): void {
  const events = Array.from({ length: count }, (_, i) => eventOf(from + i));
  appendEvents(store, events, { sequencedAt, receiptKeyVersion: 1 });
}

/** A store with events 1 to `count`. */
function logOf(count: number): NodeStore {
  const store = nodeStore();
  append(store, 1, count);
  return store;
}

let ids = 0;
const commit = (store: NodeStore, start: number, end: number): CommitResult =>
  commitRange(store, STREAM, { start, end }, 5_000, uuid(9, ++ids));
const seal = (store: NodeStore, limits: SealLimits, now: number): Batch | null =>
  sealDue(store, STREAM, limits, now, uuid(9, ++ids));
const dueAt = (store: NodeStore, now = 0): number | null => nextSealAt(readProgress(store), LIMITS, now);
const allBatches = (store: NodeStore): Batch[] =>
  listBatches(store, { before: Number.MAX_SAFE_INTEGER, limit: 10_000 }).batches.toReversed();

/** Everything that sealing promises, checked against the events alone. */
function expectSound(store: NodeStore, log: readonly StorableEvent[]): void {
  const batches = allBatches(store);
  let next = 1;
  for (const { sequenceStart, sequenceEnd } of batches) {
    expect(sequenceStart).toBe(next);
    expect(sequenceEnd).toBeGreaterThanOrEqual(sequenceStart);
    next = sequenceEnd + 1;
  }
  expect(next - 1).toBeLessThanOrEqual(log.length);
  const roots = batches.map(({ merkleRoot, prevStateRoot, newStateRoot }) => ({
    merkleRoot: toHex(merkleRoot),
    prevStateRoot: toHex(prevStateRoot),
    newStateRoot: toHex(newStateRoot),
  }));
  expect(roots).toEqual(
    derivedBatches(
      STREAM,
      log,
      batches.map((b) => [b.sequenceStart, b.sequenceEnd] as const),
    ),
  );
  log.forEach((event, index) => {
    const result = readProof(store, index + 1, LIMITS, 0);
    if (index + 1 >= next) return expect(result.kind).toBe("not_yet_sealed");
    expect(result.kind === "proof" && isProven(result.proof, event)).toBe(true);
  });
}

function isProven(
  proof: Extract<ReturnType<typeof readProof>, { kind: "proof" }>["proof"],
  event: StorableEvent,
): boolean {
  const { batch, sequenceNumber, path } = proof;
  return verifyEventInclusion({
    ...STREAM,
    sequenceNumber,
    eventSigningHash: event.signingHash,
    agentSignature: event.envelope.agent_signature,
    sequenceStart: batch.sequenceStart,
    leafCount: batch.sequenceEnd - batch.sequenceStart + 1,
    path,
    root: batch.merkleRoot,
  });
}

type Step =
  | { readonly kind: "append"; readonly count: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "seal" }
  | { readonly kind: "commit"; readonly from: number; readonly length: number }
  | { readonly kind: "restart" };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("append" as const), count: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 1_500 }) }) },
  { weight: 4, arbitrary: fc.constant({ kind: "seal" as const }) },
  {
    weight: 3,
    // Mostly near the place where a range may begin, and about as often wrong as right.
    arbitrary: fc.record({
      kind: fc.constant("commit" as const),
      from: fc.integer({ min: -2, max: 2 }),
      length: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
);

describe("sealing", () => {
  test("any interleaving of appends, seals, commitments and restarts leaves contiguous batches with the right roots", () => {
    let files = 0;
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 30 }), (steps) => {
        const path = join(directory, `${++files}.sqlite`);
        let store = nodeStore(path);
        const log: StorableEvent[] = [];
        let now = 0;
        for (const step of steps) {
          const sealed = log.length === 0 ? 0 : (allBatches(store).at(-1)?.sequenceEnd ?? 0);
          if (step.kind === "append") {
            append(store, log.length + 1, step.count, now);
            for (let i = 0; i < step.count; i++) log.push(eventOf(log.length + 1));
          } else if (step.kind === "wait") {
            now += step.ms;
          } else if (step.kind === "seal") {
            const due = dueAt(store, now);
            const batch = seal(store, LIMITS, now);
            expect(batch !== null).toBe(due !== null && due <= now);
          } else if (step.kind === "commit") {
            const start = sealed + 1 + step.from;
            const end = start + step.length - 1;
            const result = commit(store, start, end);
            if (result.kind === "sealed") expect(commit(store, start, end)).toEqual(result);
            else expect(allBatches(store).at(-1)?.sequenceEnd ?? 0).toBe(sealed);
            if (step.from === 0 && end <= log.length) expect(result.kind).toBe("sealed");
          } else {
            store.close();
            store = nodeStore(path);
          }
        }
        expectSound(store, log);
        store.close();
      }),
      { numRuns: 60 },
    );
  });

  test("is due by count at once, and by age from the first unsealed event on", () => {
    const store = nodeStore();
    expect(dueAt(store)).toBeNull();
    append(store, 1, 3, 100);
    append(store, 4, 2, 900);
    expect(dueAt(store, 900)).toBe(1_100);
    // The clock went back, or another one sequenced them: waiting for it to catch up could take for ever.
    expect(dueAt(store, 50)).toBe(0);
    expect(seal(store, LIMITS, 1_099)).toBeNull();
    expect(seal(store, LIMITS, 1_100)).toMatchObject({ sequenceStart: 1, sequenceEnd: 5, committedAt: 1_100 });
    expect(dueAt(store)).toBeNull();
    append(store, 6, 20, 2_000);
    expect(seal(store, LIMITS, 2_000)).toMatchObject({ sequenceStart: 6, sequenceEnd: 13 });
    expect(seal(store, LIMITS, 2_000)).toMatchObject({ sequenceStart: 14, sequenceEnd: 21 });
    expect(seal(store, LIMITS, 2_000)).toBeNull();
    expect(dueAt(store, 2_500)).toBe(3_000);
  });

  test("a batch ends earlier where its payloads would grow too long for whoever holds all of it", () => {
    const store = nodeStore();
    const payload = "x".repeat(1024 * 1024 - 1_000);
    const events = Array.from({ length: 10 }, (_, n) => checkedEvent({ eventId: uuid(1, n), payload }));
    appendEvents(store, events, { sequencedAt: 0, receiptKeyVersion: 1 });
    const limits = { maxEvents: 1_024, maxAgeMs: 1_000 };
    expect(commit(store, 1, 5)).toEqual({ kind: "too_large", largestEnd: 4 });
    const sizes = [1, 2, 3].map(() => seal(store, limits, 1_000)).map((b) => [b?.sequenceStart, b?.sequenceEnd]);
    expect(sizes).toEqual([
      [1, 4],
      [5, 8],
      [9, 10],
    ]);
  });

  test.each([
    ["beyond the head", 1, 11, { kind: "beyond_head", head: 10 }],
    ["wholly beyond the head", 11, 12, { kind: "beyond_head", head: 10 }],
    ["with a gap", 6, 10, { kind: "not_next", next: 5 }],
    ["overlapping", 3, 8, { kind: "not_next", next: 5 }],
    ["with another end", 1, 5, { kind: "other_end" }],
  ])("a range %s is refused and nothing is sealed", (_, start, end, expected) => {
    const store = logOf(10);
    commit(store, 1, 4);
    expect(commit(store, start, end)).toMatchObject(expected);
    expect(allBatches(store)).toHaveLength(1);
  });

  test("a batch is found by its id, listed newest first in pages, and never changed", () => {
    const store = logOf(10);
    for (const n of [1, 2, 3, 4, 5]) commit(store, 2 * n - 1, 2 * n);
    const [first] = allBatches(store);
    expect(readBatch(store, first?.batchId ?? "")).toEqual(first);
    expect(readBatch(store, uuid(9, 999_999))).toBeNull();
    const page = listBatches(store, { before: 9, limit: 2 });
    expect(page.hasMore).toBe(true);
    expect(page.batches.map(({ sequenceStart }) => sequenceStart)).toEqual([7, 5]);
    expect(listBatches(store, { before: 5, limit: 2 }).hasMore).toBe(false);
    expect(() => store.exec("UPDATE batches SET sequence_end = 3")).toThrow("append-only");
    expect(() => store.exec("DELETE FROM batches")).toThrow("append-only");
  });

  test("a proof names the event by number or id, and one of a number that was never given is none", () => {
    const store = logOf(10);
    commit(store, 1, 7);
    expect(readProofOfEvent(store, uuid(1, 5), LIMITS, 0)).toEqual(readProof(store, 5, LIMITS, 0));
    expect(readProof(store, 8, LIMITS, 0)).toEqual({ kind: "not_yet_sealed", sealAt: 1_000 });
    for (const n of [0, 11, -1]) expect(readProof(store, n, LIMITS, 0)).toEqual({ kind: "unknown_event" });
    expect(readProofOfEvent(store, uuid(1, 11), LIMITS, 0)).toEqual({ kind: "unknown_event" });
    expect(readProof(nodeStore(), 1, LIMITS, 0)).toEqual({ kind: "unknown_event" });
    expect(readHead(store)).toBe(10);
  });

  test("a repeated event carries its proof once it is sealed", () => {
    const store = logOf(3);
    const repeat = () =>
      appendEvents(store, [eventOf(1), eventOf(3)], { sequencedAt: 9, receiptKeyVersion: 1 }).outcomes;
    expect(repeat()).toMatchObject([
      { kind: "replayed", proof: null },
      { kind: "replayed", proof: null },
    ]);
    commit(store, 1, 2);
    const [sealed, unsealed] = repeat();
    expect(sealed?.kind === "replayed" && sealed.proof !== null && isProven(sealed.proof, eventOf(1))).toBe(true);
    expect(unsealed).toMatchObject({ kind: "replayed", proof: null });
  });
});

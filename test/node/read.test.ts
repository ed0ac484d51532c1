import { beforeAll, describe, expect, test } from "vitest";
import { appendEvents } from "../../src/stream/append.ts";
import { advanceCursor, readCursor } from "../../src/stream/cursor.ts";
import { ENTITY_STRIDE } from "../../src/stream/entity-stride.ts";
import { MAX_PAGE_BYTES, MAX_SCANNED_EVENTS, readEntityHistory, readEvent, readEvents } from "../../src/stream/read.ts";
import { checkedEvent, uuid } from "../support/checked-events.ts";
import { nodeStore } from "../support/node-store.ts";

const STREAM = { tenantId: uuid(0xa, 1), storeId: uuid(0xb, 1) };
const store = nodeStore();

/** Enough to make the scan of a filtered page end before the log does, and one entity's chain several strides long. */
const EVENTS = MAX_SCANNED_EVENTS + 500;
const BUSY_VERSIONS = Math.floor(EVENTS / 4);

beforeAll(() => {
  for (let start = 1; start <= EVENTS; start += 500) {
    const events = Array.from({ length: 500 }, (_, i) => {
      const n = start + i;
      return checkedEvent({
        eventId: uuid(1, n),
        entityType: n % 4 === 0 ? "inventory" : "order",
        entityId: n % 4 === 0 ? "busy" : `o${n}`,
        eventType: n === EVENTS ? "order.shipped" : "order.created",
        agentId: uuid(3, n % 2),
        payload: { n },
      });
    });
    appendEvents(store, events, { sequencedAt: start, receiptKeyVersion: 1 });
  }
});

const numbers = (page: { events: readonly { sequenceNumber: number }[] }) => page.events.map((e) => e.sequenceNumber);

describe("a page of events", () => {
  test.each([
    { from: 0, limit: 3, expected: [1, 2, 3], next: 4 },
    { from: 1, limit: 3, expected: [1, 2, 3], next: 4 },
    { from: EVENTS - 1, limit: 3, expected: [EVENTS - 1, EVENTS], next: EVENTS + 1 },
    { from: EVENTS + 1, limit: 3, expected: [], next: EVENTS + 1 },
    { from: EVENTS + 9, limit: 3, expected: [], next: EVENTS + 9 },
  ])("from $from", ({ from, limit, expected, next }) => {
    const page = readEvents(store, STREAM, { from, limit });
    expect(numbers(page)).toEqual(expected);
    expect(page.nextSequence).toBe(next);
    expect(page.head).toBe(EVENTS);
  });

  test("following next_sequence finds every match of a filter once, however rare it is", () => {
    const found: number[] = [];
    let from = 1;
    let pages = 0;
    for (;;) {
      const page = readEvents(store, STREAM, { from, limit: 100, eventType: "order.shipped" });
      found.push(...numbers(page));
      pages++;
      if (page.nextSequence > page.head) break;
      expect(page.nextSequence).toBeGreaterThan(from);
      from = page.nextSequence;
    }
    expect(found).toEqual([EVENTS]);
    expect(pages).toBe(2);
  });

  test("filters by entity type and by agent", () => {
    expect(numbers(readEvents(store, STREAM, { from: 1, limit: 2, entityType: "inventory" }))).toEqual([4, 8]);
    const agentId = uuid(3, 1);
    const page = readEvents(store, STREAM, { from: 2, limit: 2, agentId });
    expect(numbers(page)).toEqual([3, 5]);
    expect(page.nextSequence).toBe(6);
  });

  test("is cut where its payloads would not fit, but never empty", () => {
    const big = nodeStore();
    const payload = "x".repeat(MAX_PAGE_BYTES / 4);
    const events = [1, 2, 3, 4, 5, 6].map((n) => checkedEvent({ eventId: uuid(1, n), payload }));
    appendEvents(big, events, { sequencedAt: 0, receiptKeyVersion: 1 });
    const first = readEvents(big, STREAM, { from: 1, limit: 10 });
    expect(numbers(first)).toEqual([1, 2, 3]);
    expect(first.nextSequence).toBe(4);
    expect(numbers(readEntityHistory(big, STREAM, { type: "order", id: "o1", offset: 1, limit: 10 }))).toEqual([
      2, 3, 4,
    ]);

    // A bundle is stored with its event, and counts.
    const bundled = nodeStore();
    const half = { ed25519_signature: Array.from({ length: MAX_PAGE_BYTES / 8 }, () => 100) };
    const withBundle = [1, 2, 3].map((n) => {
      const event = checkedEvent({ eventId: uuid(1, n) });
      return { ...event, envelope: { ...event.envelope, agent_signature_bundle: half } };
    });
    appendEvents(bundled, withBundle, { sequencedAt: 0, receiptKeyVersion: 1 });
    expect(numbers(readEvents(bundled, STREAM, { from: 1, limit: 10 }))).toEqual([1]);

    const huge = nodeStore();
    const text = "x".repeat(MAX_PAGE_BYTES + 1);
    appendEvents(
      huge,
      [1, 2].map((n) => checkedEvent({ eventId: uuid(1, n), payload: text })),
      { sequencedAt: 0, receiptKeyVersion: 1 },
    );
    expect(numbers(readEvents(huge, STREAM, { from: 1, limit: 10 }))).toEqual([1]);
  });

  test("an event by its id", () => {
    expect(readEvent(store, STREAM, uuid(1, 77))?.sequenceNumber).toBe(77);
    expect(readEvent(store, STREAM, uuid(9, 77))).toBeNull();
  });
});

describe("an entity's history", () => {
  const busy = { type: "inventory", id: "busy" };

  test.each([
    [0, 5],
    [1, 1],
    [ENTITY_STRIDE - 2, 5],
    [ENTITY_STRIDE * 3, 100],
    [BUSY_VERSIONS - 3, 100],
    [BUSY_VERSIONS, 5],
    [BUSY_VERSIONS + 7, 5],
  ])("offset %d, limit %d", (offset, limit) => {
    const history = readEntityHistory(store, STREAM, { ...busy, offset, limit });
    const expected = Array.from({ length: BUSY_VERSIONS }, (_, i) => (i + 1) * 4).slice(offset, offset + limit);
    expect(history.total).toBe(BUSY_VERSIONS);
    expect(numbers(history)).toEqual(expected);
    expect(history.events.map(({ entityVersion }) => entityVersion)).toEqual(expected.map((n) => n / 4));
  });

  test("is found in long steps: the oldest row of a long history costs few reads", () => {
    const walked = store.exec(
      `WITH RECURSIVE walk (version, skip_sequence) AS (
         SELECT entity_version, skip_sequence FROM events WHERE sequence_number = ?
         UNION ALL
         SELECT e.entity_version, e.skip_sequence FROM walk JOIN events e ON e.sequence_number = walk.skip_sequence)
       SELECT version FROM walk`,
      BUSY_VERSIONS * 4,
    );
    const strides = Array.from(
      { length: Math.floor(BUSY_VERSIONS / ENTITY_STRIDE) },
      (_, i) => (i + 1) * ENTITY_STRIDE,
    );
    expect(walked.map((row) => row["version"])).toEqual([BUSY_VERSIONS, ...strides.toReversed()]);
  });

  test("of an unknown entity is empty", () => {
    expect(readEntityHistory(store, STREAM, { type: "inventory", id: "none", offset: 0, limit: 5 })).toEqual({
      events: [],
      total: 0,
    });
  });
});

describe("a cursor", () => {
  const agent = uuid(3, 9);

  test("starts at nothing, moves up only, and never beyond the head", () => {
    expect(readCursor(store, agent)).toEqual({ acknowledgedSequence: 0, head: EVENTS, updatedAt: null });
    const moved = { kind: "cursor", cursor: { acknowledgedSequence: 10, head: EVENTS, updatedAt: 5 } };
    expect(advanceCursor(store, agent, 10, 5)).toEqual(moved);
    expect(advanceCursor(store, agent, 10, 6)).toEqual(moved);
    expect(advanceCursor(store, agent, 3, 7)).toEqual(moved);
    expect(advanceCursor(store, agent, EVENTS + 1, 8)).toEqual({ kind: "beyond_head", head: EVENTS });
    expect(readCursor(store, agent)).toEqual(moved.cursor);
    expect(readCursor(store, uuid(3, 8)).acknowledgedSequence).toBe(0);
  });

  test("of an unknown stream writes nothing", () => {
    const unknown = nodeStore();
    expect(advanceCursor(unknown, agent, 0, 1).kind).toBe("cursor");
    expect(advanceCursor(unknown, agent, 1, 1)).toEqual({ kind: "beyond_head", head: 0 });
    expect(unknown.exec("SELECT * FROM sqlite_schema")).toEqual([]);
  });
});

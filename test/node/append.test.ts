import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isEmptyStore } from "../../src/storage/migrate.ts";
import type { SqlRow } from "../../src/storage/sql-store.ts";
import { appendEvents } from "../../src/stream/append.ts";
import type { StorableEvent, EventOutcome } from "../../src/stream/messages.ts";
import { readEntityHistory, readEvents, readHead } from "../../src/stream/read.ts";
import { checkedEvent, uuid } from "../support/checked-events.ts";
import { emptyModel, entityName, modelAppend } from "../support/log-model.ts";
import { nodeStore } from "../support/node-store.ts";

const STREAM = { tenantId: uuid(0xa, 1), storeId: uuid(0xb, 1) };

function append(store: ReturnType<typeof nodeStore>, ...events: StorableEvent[]): string[] {
  return appendEvents(store, events, { sequencedAt: 1_000, receiptKeyVersion: 1 }).outcomes.map(word);
}

function word(outcome: EventOutcome): string {
  return outcome.kind === "rejected" ? outcome.rejection.reason : `${outcome.kind} ${outcome.place.sequenceNumber}`;
}

/** Few ids, entities and commands, so that everything collides with everything. */
const anyEvent = fc
  .record({
    id: fc.nat(24),
    entity: fc.nat(3),
    command: fc.option(fc.nat(6), { nil: undefined }),
    base: fc.option(fc.nat(4), { nil: undefined }),
    payload: fc.nat(1),
    isRejected: fc.boolean(),
  })
  .map(({ id, entity, command, base, payload, isRejected }) =>
    checkedEvent({
      eventId: uuid(1, id),
      entityType: entity % 2 === 0 ? "order" : "or",
      entityId: entity < 2 ? "der1" : "1",
      payload,
      commandId: command === undefined ? undefined : uuid(2, command),
      baseVersion: base,
      ...(isRejected && id % 5 === 0 ? { rejection: { reason: "invalid_signature", message: "" } } : {}),
    }),
  );

describe("append", () => {
  test("any sequence of requests is answered as the model answers it, and leaves the log that it leaves", () => {
    fc.assert(
      fc.property(fc.array(fc.array(anyEvent, { minLength: 1, maxLength: 12 }), { maxLength: 8 }), (requests) => {
        const store = nodeStore();
        const model = emptyModel();
        for (const events of requests) expect(append(store, ...events)).toEqual(modelAppend(model, events));

        const page = readEvents(store, STREAM, { from: 1, limit: 1_000 });
        expect(page.head).toBe(model.log.length);
        expect(page.events.map(({ sequenceNumber }) => sequenceNumber)).toEqual(model.log.map((_, index) => index + 1));
        expect(page.events.map(({ envelope }) => envelope.event_id)).toEqual(
          model.log.map(({ envelope }) => envelope.event_id),
        );
        for (const entity of new Set(model.log.map(entityName))) {
          const [type, id] = JSON.parse(entity) as [string, string];
          const own = model.log.filter((event) => entityName(event) === entity);
          const history = readEntityHistory(store, STREAM, { type, id, offset: 0, limit: 1_000 });
          expect(history.total).toBe(own.length);
          expect(history.events.map(({ envelope }) => envelope.event_id)).toEqual(
            own.map(({ envelope }) => envelope.event_id),
          );
        }
        store.close();
      }),
      { numRuns: 150 },
    );
  });

  test("a request that adds nothing leaves an unknown stream unknown", () => {
    const store = nodeStore();
    const rejection = { reason: "invalid_signature", message: "" };
    expect(append(store, checkedEvent({ eventId: uuid(1, 1), rejection }))).toEqual(["invalid_signature"]);
    expect(append(store, checkedEvent({ eventId: uuid(1, 1), baseVersion: 3 }))).toEqual([
      "version_conflict: expected 3, actual 0",
    ]);
    expect(readHead(store)).toBe(0);
    expect(isEmptyStore(store)).toBe(true);
    expect(append(store, checkedEvent({ eventId: uuid(1, 1) }))).toEqual(["accepted 1"]);
    expect(isEmptyStore(store)).toBe(false);
  });

  test("a request of many entities with the longest names there are knows all of their versions", () => {
    const store = nodeStore();
    const request = (round: number) =>
      Array.from({ length: 1_000 }, (_, n) =>
        checkedEvent({
          eventId: uuid(round, n),
          entityType: "\u0001".repeat(128),
          entityId: String(n).padStart(512, "\u0001"),
          baseVersion: round - 1,
        }),
      );
    for (const round of [1, 2, 3]) {
      expect(append(store, ...request(round)).at(-1)).toBe(`accepted ${round * 1_000}`);
    }
    expect(append(store, ...request(5)).at(0)).toBe("version_conflict: expected 4, actual 3");
  });

  test("a failure in the middle of a request leaves nothing of it", () => {
    const store = nodeStore();
    append(store, checkedEvent({ eventId: uuid(1, 1) }));
    const broken = checkedEvent({ eventId: uuid(1, 3) });
    // A signature of a type that the schema does not take stands for a disk that fails half-way.
    const failing = { ...broken, envelope: { ...broken.envelope, agent_signature: null as never } };
    const events = [checkedEvent({ eventId: uuid(1, 2), commandId: uuid(2, 2) }), failing];
    expect(() => appendEvents(store, events, { sequencedAt: 1_000, receiptKeyVersion: 1 })).toThrow(
      /NOT NULL|byteLength|null/,
    );
    expect(readHead(store)).toBe(1);
    expect(append(store, checkedEvent({ eventId: uuid(1, 4), commandId: uuid(2, 2), baseVersion: 1 }))).toEqual([
      "accepted 2",
    ]);
  });

  test.each([
    ["payload", { payloadIntact: false }],
    ["signing hash", { signingHash: new Uint8Array(32).fill(1) }],
  ])("a copy with another %s is no replay", (_, change) => {
    const store = nodeStore();
    const event = checkedEvent({ eventId: uuid(1, 1) });
    expect(append(store, event)).toEqual(["accepted 1"]);
    expect(append(store, event)).toEqual(["replayed 1"]);
    expect(append(store, { ...event, ...change })).toEqual(["duplicate_event_id"]);
  });

  test.each([
    ["agent_signature", new Uint8Array(64).fill(8)],
    ["command_id", uuid(2, 1)],
    ["base_version", 0],
    ["agent_signature_scheme", 0],
    ["agent_signature_bundle", { ed25519_signature: [1] }],
  ])("a copy with another %s is no replay", (member, value) => {
    const store = nodeStore();
    const event = checkedEvent({ eventId: uuid(1, 1) });
    append(store, event);
    const altered = { ...event, envelope: { ...event.envelope, [member]: value } };
    expect(append(store, altered)).toEqual(["duplicate_event_id"]);
    expect(append(store, event)).toEqual(["replayed 1"]);
  });

  test("the storage itself refuses changes, deletions and a number or id given twice", () => {
    const store = nodeStore();
    append(store, checkedEvent({ eventId: uuid(1, 1) }), checkedEvent({ eventId: uuid(1, 2) }));
    expect(() => store.exec("DELETE FROM events WHERE sequence_number = 2")).toThrow("append-only");
    expect(() => store.exec("UPDATE events SET created_at = '' WHERE sequence_number = 2")).toThrow("append-only");
    expect(() => store.exec("UPDATE events SET payload = '{}' WHERE sequence_number = 2")).toThrow("append-only");
    const [row] = store.exec("SELECT * FROM events WHERE sequence_number = 2");
    const insert = (change: SqlRow): unknown[] => {
      const copy = { ...row, ...change };
      const columns = Object.keys(copy);
      const sql = `INSERT INTO events (${columns.join()}) VALUES (${columns.map(() => "?").join()})`;
      return store.exec(sql, ...Object.values(copy));
    };
    expect(() => insert({ sequence_number: 2, event_id: new Uint8Array(16) })).toThrow("UNIQUE");
    expect(() => insert({ sequence_number: 3 })).toThrow("UNIQUE");
    expect(() => insert({ sequence_number: 0, event_id: new Uint8Array(16) })).toThrow("CHECK");
    expect(insert({ sequence_number: 3, event_id: new Uint8Array(16) })).toEqual([]);
  });

  test("the storage lets a payload be encrypted, once and again, and nothing be changed with it", () => {
    const store = nodeStore();
    append(store, checkedEvent({ eventId: uuid(1, 1) }));
    const [row = {}] = store.exec("SELECT * FROM events");
    const set = (assignments: string): unknown[] => store.exec(`UPDATE events SET ${assignments}`);
    const encrypted = "payload = CAST('SSE2' || hex(randomblob(8)) AS BLOB)";
    expect(set(encrypted)).toEqual([]);
    expect(set(encrypted)).toEqual([]);
    for (const payload of ["'SSE2'", "CAST('SSE1' AS BLOB)", "zeroblob(0)", "'{}'"]) {
      expect(() => set(`payload = ${payload}`)).toThrow("append-only");
    }
    const columns = Object.keys(row).filter((column) => column !== "payload");
    expect(columns.length).toBeGreaterThan(20);
    for (const column of [...columns, "rowid"]) {
      const isText = typeof row[column] === "string";
      const isBytes = row[column] instanceof Uint8Array;
      const isNullable = ["payload_cipher_hash", "command_id"].includes(column);
      const other = isText || column === "signature_bundle" ? "'x'" : isBytes || isNullable ? "x'00'" : "99";
      expect(() => set(`${encrypted}, ${column} = ${other}`), column).toThrow("append-only");
    }
    const [after = {}] = store.exec("SELECT * FROM events");
    expect({ ...after, payload: null }).toEqual({ ...row, payload: null });
  });
});

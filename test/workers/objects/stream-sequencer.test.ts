import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import type { AppendRequest, AppendResult, StorableEvent } from "../../../src/stream/messages.ts";
import { streamStub } from "../../../src/stream/stream-client.ts";
import { streamObjectName } from "../../../src/stream-ref.ts";
import { LEASE_MS } from "../../../src/tenant/lease.ts";
import { TenantRegistry } from "../../../src/tenant/tenant-registry.ts";
import { SOMEBODY } from "../../support/audit.ts";
import { checkedEvent, uuid } from "../../support/checked-events.ts";

function newStream() {
  const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
  const object = streamStub(env, stream);
  const stub = env.STREAMS.get(env.STREAMS.idFromName(streamObjectName(stream)));
  const registry = env.TENANTS.get(env.TENANTS.idFromName(stream.tenantId));
  return { ...stream, object, stub, registry };
}

function request(events: StorableEvent[], registryVersion = 0): AppendRequest {
  return { registryVersion, receiptKeyVersion: 1, events, isNewStore: true };
}

const word = (result: AppendResult): string =>
  result.kind === "appended"
    ? result.outcomes
        .map((outcome) => (outcome.kind === "rejected" ? outcome.rejection.reason : outcome.place.sequenceNumber))
        .join()
    : result.kind;

/** The log as the object's own storage holds it. */
function stored(stub: ReturnType<typeof newStream>["stub"]): Promise<number[]> {
  return runInDurableObject(stub, (_, state) =>
    state.storage.sql
      .exec("SELECT sequence_number FROM events ORDER BY sequence_number")
      .toArray()
      .map((row) => Number(row["sequence_number"])),
  );
}

/** Makes the second row of an append fail, as a full disk might. */
const FAULT = "CREATE TRIGGER fault BEFORE INSERT ON commands BEGIN SELECT RAISE(ABORT, 'disk full'); END";

const event = (n: number) => checkedEvent({ eventId: uuid(1, n), entityId: `o${n}` });

describe("StreamSequencer", () => {
  test("reading an unknown stream writes nothing", async () => {
    const { object, stub } = newStream();
    expect(await object.head()).toBe(0);
    expect(await object.events({ from: 1, limit: 10 })).toEqual({ events: [], nextSequence: 1, head: 0 });
    expect(await object.event(uuid(1, 1))).toBeNull();
    expect((await object.entityHistory({ type: "order", id: "o1", offset: 0, limit: 1 })).total).toBe(0);
    expect((await object.cursor(uuid(3, 1))).acknowledgedSequence).toBe(0);
    const tables = (): Promise<unknown[]> =>
      runInDurableObject(stub, (_, state) => state.storage.sql.exec("SELECT name FROM sqlite_schema").toArray());
    expect(await tables()).toEqual([]);
    await object.append(request([event(1)]));
    expect(await tables()).not.toEqual([]);
  });

  test("200 concurrent repeats of one event are one row and one place", async () => {
    const { object, stub } = newStream();
    const results = await Promise.all(Array.from({ length: 200 }, () => object.append(request([event(1)]))));
    const places = results.map((result) => {
      const outcome = result.kind === "appended" ? result.outcomes[0] : undefined;
      return outcome !== undefined && outcome.kind !== "rejected" ? outcome.place : undefined;
    });
    expect(new Set(places.map((place) => JSON.stringify(place))).size).toBe(1);
    expect(places[0]?.sequenceNumber).toBe(1);
    expect(await stored(stub)).toEqual([1]);
  });

  test("concurrent writers share commits, and each request's events stay together", async () => {
    const { object, stub } = newStream();
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, i) => object.append(request([event(3 * i), event(3 * i + 1), event(3 * i + 2)]))),
    );
    const starts = results.map((result) => {
      const numbers = word(result).split(",").map(Number);
      expect(numbers).toEqual([0, 1, 2].map((n) => (numbers[0] ?? 0) + n));
      return numbers[0] ?? 0;
    });
    expect(starts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => 3 * i + 1));
    expect(await stored(stub)).toEqual(Array.from({ length: 150 }, (_, i) => i + 1));
  });

  test("eviction between any two calls changes nothing", async () => {
    const { object, stub } = newStream();
    for (let n = 1; n <= 6; n++) {
      expect(word(await object.append(request([event(n)])))).toBe(String(n));
      await evictDurableObject(stub);
      expect(word(await object.append(request([event(n)])))).toBe(String(n));
      await evictDurableObject(stub);
      expect(await object.head()).toBe(n);
      await evictDurableObject(stub);
    }
    expect(await object.advanceCursor(uuid(3, 1), 4)).toMatchObject({ cursor: { acknowledgedSequence: 4 } });
    await evictDurableObject(stub);
    expect((await object.cursor(uuid(3, 1))).acknowledgedSequence).toBe(4);
    expect(await stored(stub)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("a write that fails half-way resets the object, and nothing of its turn is in the log", async () => {
    const { object, stub, ...stream } = newStream();
    expect(word(await object.append(request([event(1)])))).toBe("1");
    await runInDurableObject(stub, (_, state) => state.storage.sql.exec(FAULT));
    // Its first row can be written, its command cannot.
    const broken = checkedEvent({ eventId: uuid(1, 2), commandId: uuid(2, 2) });
    const outcomes = await Promise.allSettled([
      object.append(request([event(5), broken])),
      object.append(request([event(6)])),
    ]);
    expect(outcomes[0]?.status).toBe("rejected");
    // A stub that has seen its object reset is of no more use: a new one finds the object as the disk has it.
    const again = streamStub(env, stream);
    const stubAgain = env.STREAMS.get(stub.id);
    await runInDurableObject(stubAgain, (_, state) => state.storage.sql.exec("DROP TRIGGER fault"));
    expect(await again.event(uuid(1, 5))).toBeNull();
    expect(await again.event(uuid(1, 2))).toBeNull();
    // Whoever got no answer repeats, and is told.
    expect(word(await again.append(request([broken, event(6)])))).toMatch(/^(2,3|3,2)$/);
    expect(await stored(stubAgain)).toEqual([1, 2, 3]);
  });

  test("a page that waits is woken by the next append, and by nothing but time otherwise", async () => {
    const { object } = newStream();
    const waiting = object.waitForEvents({ from: 2, limit: 10 }, 10_000);
    await object.append(request([event(1)]));
    // A replay and a rejection are no events to wake up for.
    await object.append(request([event(1), checkedEvent({ eventId: uuid(1, 9), baseVersion: 7 })]));
    await object.append(request([event(2)]));
    expect((await waiting).events.map(({ sequenceNumber }) => sequenceNumber)).toEqual([2]);
    const started = Date.now();
    expect((await object.waitForEvents({ from: 3, limit: 10 }, 200)).events).toEqual([]);
    expect(Date.now() - started).toBeGreaterThanOrEqual(190);
  });

  test("a few large payloads fill its queue as many small ones do", async () => {
    const { object } = newStream();
    const payload = "x".repeat(1024 * 1024);
    const results = await Promise.all(
      Array.from({ length: 30 }, (_, n) => object.append(request([checkedEvent({ eventId: uuid(8, n), payload })]))),
    );
    const kinds = results.map((result) => (result.kind === "unavailable" ? result.cause : result.kind));
    expect(new Set(kinds)).toEqual(new Set(["appended", "queue_full"]));
    expect(await object.head()).toBe(kinds.filter((kind) => kind === "appended").length);
  });

  test("more waiting than it can hold is refused at once and not stored", async () => {
    const { object } = newStream();
    const many = Array.from({ length: 10_000 }, (_, n) => checkedEvent({ eventId: uuid(7, n), payload: 0 }));
    const results = await Promise.all(Array.from({ length: 8 }, () => object.append(request(many))));
    const refused = results.filter((result) => result.kind === "unavailable" && result.cause === "queue_full");
    expect(refused.length).toBeGreaterThan(0);
    expect(results.some(({ kind }) => kind === "appended")).toBe(true);
    expect(await object.head()).toBe(10_000);
  });
});

describe("registry version", () => {
  const key = { agentId: uuid(3, 1), keyId: null, publicKey: new Uint8Array(32), validFrom: null, validTo: null };

  test("an append checked at another version than the current one is not stored", async () => {
    const { object, stub, registry } = newStream();
    expect(word(await object.append(request([event(1)], 0)))).toBe("1");
    await registry.registerKey(key, SOMEBODY);
    // Newer than the stream's lease: it asks, and learns.
    expect(word(await object.append(request([event(2)], 1)))).toBe("2");
    expect(await object.append(request([event(3)], 0))).toEqual({ kind: "stale_registry", currentVersion: 1 });
    expect(await stored(stub)).toEqual([1, 2]);
  });

  test("when a revocation has answered, no stream takes what was checked before it, and none was told", async () => {
    const { object, registry, tenantId } = newStream();
    await registry.registerKey(key, SOMEBODY);
    const others = Array.from({ length: 30 }, (_, n) => streamStub(env, { tenantId, storeId: uuid(5, n) }));
    // Its lease is the youngest, so that some of it is left for the control below.
    const streams = [...others, object];
    for (const stream of streams) expect(word(await stream.append(request([event(1)], 1)))).toBe("1");

    const started = Date.now();
    const answer = { time: Infinity };
    const revocation = registry.revokeKey(key.agentId, 1, SOMEBODY).then((revoked) => {
      answer.time = Date.now();
      return revoked;
    });
    const startsOfAccepted: number[] = [];
    for (let n = 2; Date.now() < answer.time + 300; n++) {
      const startOfAppend = Date.now();
      const result = await object.append(request([event(n)], 1));
      if (result.kind === "appended") startsOfAccepted.push(startOfAppend);
      await scheduler.wait(10);
    }
    expect((await revocation)?.revokedAt).toBeTypeOf("number");
    expect(answer.time - started).toBeLessThan(3_000);
    expect(startsOfAccepted.filter((start) => start >= answer.time)).toEqual([]);
    // The control: until its lease ran out, the stream did accept what it could not yet know to be revoked.
    expect(startsOfAccepted.length).toBeGreaterThan(0);

    for (const stream of streams) {
      expect(await stream.append(request([event(900)], 1))).toEqual({ kind: "stale_registry", currentVersion: 2 });
    }
  });

  test("a lease that arrives too late is none: what waited for it is not stored", async () => {
    const { object, registry } = newStream();
    await registry.registerKey(key, SOMEBODY);
    // It grants, as it should, but the answer is long on its way: longer than a revocation waits for leases.
    const slowly = async (): Promise<number> => {
      await scheduler.wait(LEASE_MS + 500);
      return 1;
    };
    const slow = vi.spyOn(TenantRegistry.prototype, "lease").mockImplementation(slowly as unknown as () => number);
    try {
      const result = await object.append(request([event(1)], 1));
      expect(result).toEqual({ kind: "unavailable", cause: "registry" });
      expect(slow).toHaveBeenCalled();
    } finally {
      slow.mockRestore();
    }
    expect(await object.head()).toBe(0);
    expect(word(await object.append(request([event(1)], 1)))).toBe("1");
  });

  test("a revocation cut off by a restart is waited for by its repetition", async () => {
    const { object, registry } = newStream();
    await registry.registerKey(key, SOMEBODY);
    expect(word(await object.append(request([event(1)], 1)))).toBe("1");
    const cutOff = registry.revokeKey(key.agentId, 1, SOMEBODY).catch(() => null);
    await scheduler.wait(50);
    await evictDurableObject(registry).catch(() => undefined);
    await registry.revokeKey(key.agentId, 1, SOMEBODY);
    expect((await object.append(request([event(2)], 1))).kind).toBe("stale_registry");
    await cutOff;
  });
});

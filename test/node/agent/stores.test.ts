import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, test } from "vitest";
import { memoryStore } from "../../../agent/src/store/memory.ts";
import { openSqliteStore, type SqliteDatabase, sqliteStore } from "../../../agent/src/store/sqlite.ts";
import type { AgentStore, NewOutboxRow, OutboxState, PulledRow, StreamRef } from "../../../agent/src/store/store.ts";
import { expectedVersion } from "../../../agent/src/versions.ts";

const directory = mkdtempSync(join(tmpdir(), "agent-stores-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newPath = (): string => join(directory, `${++files}.db`);

/** better-sqlite3 refuses to read rows of a statement that has none; node:sqlite does not. */
function strictDatabase(): SqliteDatabase {
  const db = new DatabaseSync(newPath());
  return {
    exec: (sql) => db.exec(sql),
    prepare: (sql) => {
      const statement = db.prepare(sql);
      const reader = statement.columns().length > 0;
      return {
        reader,
        all: (...bindings) => {
          if (!reader) throw new TypeError("This statement does not return data. Use run() instead");
          return statement.all(...bindings);
        },
        run: (...bindings) => statement.run(...bindings),
      };
    },
    close: () => db.close(),
  };
}

const stream: StreamRef = { tenantId: "t", storeId: "s" };
const entity = { entityType: "order", entityId: "1" };
const hash = new Uint8Array(32).fill(7);

function row(eventId: string, change: Partial<NewOutboxRow> = {}): NewOutboxRow {
  return {
    eventId,
    commandId: null,
    ...entity,
    eventType: "order.created",
    baseVersion: null,
    agentId: "a",
    createdAt: "2026-01-01T00:00:00Z",
    signingHash: hash,
    envelope: "{}",
    replaces: null,
    recordedAt: 1,
    ...change,
  };
}

function pulled(sequenceNumber: number, change: Partial<PulledRow> = {}): PulledRow {
  return {
    sequenceNumber,
    eventId: `p${sequenceNumber}`,
    ...entity,
    eventType: "order.created",
    agentId: "b",
    sequencedAt: "2026-01-01T00:00:00Z",
    pulledAt: 2,
    envelope: "{}",
    quarantine: null,
    leafHash: new Uint8Array(32).fill(sequenceNumber),
    ...change,
  };
}

const stores: [string, () => AgentStore][] = [
  ["in memory", memoryStore],
  ["of node:sqlite", () => openSqliteStore(newPath())],
  ["of a database like better-sqlite3", () => sqliteStore(strictDatabase())],
];

describe.each(stores)("the store %s", (_name, open) => {
  test("gives rows in the order of recording, by what is asked", () => {
    open().transaction(stream, (tables) => {
      for (const id of ["z", "y", "x"]) tables.append(row(id));
      tables.append(row("w", { agentId: "other", entityId: "2", baseVersion: 3, commandId: "c", replaces: "x" }));
      const ids = (query: Parameters<typeof tables.outbox>[0]): string[] =>
        tables.outbox(query).map(({ eventId }) => eventId);
      expect(ids({})).toEqual(["z", "y", "x", "w"]);
      expect(ids({ agentId: "a", limit: 2 })).toEqual(["z", "y"]);
      expect(ids({ eventId: "y" })).toEqual(["y"]);
      expect(ids({ eventId: "none" })).toEqual([]);
      expect(ids({ eventIds: ["x", "none", "z", "x"] })).toEqual(["z", "x"]);
      expect(ids({ eventIds: [] })).toEqual([]);
      expect(ids({ entity })).toEqual(["z", "y", "x"]);
      const [first, last] = [tables.outbox({})[0], tables.outbox({ eventId: "w" })[0]];
      expect(ids({ afterId: first?.id ?? 0, agentId: "a" })).toEqual(["y", "x"]);
      expect(last).toMatchObject({ baseVersion: 3, commandId: "c", replaces: "x", state: "pending", receipt: null });
      expect(first?.signingHash).toEqual(hash);

      tables.update(first?.id ?? 0, { state: "accepted", remoteSequence: 5, ackedAt: 10, receipt: "{}" });
      tables.update(last?.id ?? 0, { pushedAt: 9 });
      expect(ids({ state: "pending" })).toEqual(["y", "x", "w"]);
      expect(tables.counts("a").outbox).toMatchObject({ pending: 2, accepted: 1 });
      expect(tables.counts("other")).toMatchObject({ unanswered: 1, quarantined: 0 });
      expect(ids({ numbers: { from: 5, to: 5 } })).toEqual(["z"]);
      expect(ids({ numbers: { from: 6, to: 9 } })).toEqual([]);

      const signed = { signingHash: new Uint8Array(32).fill(8), envelope: '{"again":true}' };
      tables.update(last?.id ?? 0, signed);
      expect(tables.outbox({ eventId: "w" })).toMatchObject([{ ...signed, pushedAt: 9, state: "pending" }]);
    });
  });

  test("prunes what was settled before, and own events only where the log has them as they were promised", () => {
    open().transaction(stream, (tables) => {
      const ids = (): string[] => tables.outbox({}).map(({ eventId }) => eventId);
      const change = (eventId: string, changed: Parameters<typeof tables.update>[1]): void =>
        tables.update(tables.outbox({ eventId })[0]?.id ?? 0, { ackedAt: 10, ...changed });
      const accepted = ["sound", "another", "bad", "later"];
      for (const id of [...accepted, "rejected", "dropped", "pending"]) tables.append(row(id));
      for (const [index, id] of accepted.entries()) change(id, { state: "accepted", remoteSequence: index + 1 });
      for (const state of ["rejected", "dropped"] as const) change(state, { state });
      tables.addPulled(pulled(1, { eventId: "sound" }));
      tables.addPulled(pulled(2));
      tables.addPulled(pulled(3, { eventId: "bad", quarantine: "why" }));
      expect(tables.prune({ ackedBefore: 10, withRejected: true, withUnpulled: true })).toBe(0);
      expect(tables.prune({ ackedBefore: 11 })).toBe(2);
      expect(ids()).toEqual(["another", "bad", "later", "rejected", "pending"]);
      expect(tables.prune({ ackedBefore: 11, withRejected: true })).toBe(1);
      expect(ids()).toEqual(["another", "bad", "later", "pending"]);
      expect(tables.prune({ ackedBefore: 11, withUnpulled: true })).toBe(3);
      expect(ids()).toEqual(["pending"]);
    });
  });

  test("keeps what was rebased until what stands in its place is settled", () => {
    open().transaction(stream, (tables) => {
      const settle = (eventId: string, state: OutboxState): void =>
        tables.update(tables.outbox({ eventId })[0]?.id ?? 0, { state, ackedAt: 10 });
      tables.append(row("first"));
      tables.append(row("second", { replaces: "first" }));
      tables.append(row("third", { replaces: "second" }));
      for (const eventId of ["first", "second"]) settle(eventId, "rebased");
      for (const state of ["pending", "conflict"] as const) {
        settle("third", state);
        expect(tables.prune({ ackedBefore: 11 })).toBe(0);
      }
      settle("third", "dropped");
      expect([1, 2, 3].map(() => tables.prune({ ackedBefore: 11 }))).toEqual([2, 1, 0]);
    });
  });

  test("counts an entity's rows that are on their way, and reads none of them for it", () => {
    open().transaction(stream, (tables) => {
      const states = ["pending", "accepted", "accepted", "rejected", "conflict", "rebased", "dropped"] as const;
      for (const index of states.keys()) tables.append(row(`e${index}`, { agentId: index === 0 ? "a" : "b" }));
      tables.append(row("another", { entityId: "2" }));
      for (const [index, state] of states.entries()) {
        const [found] = tables.outbox({ eventId: `e${index}` });
        tables.update(found?.id ?? 0, { state, remoteSequence: state === "accepted" ? index + 3 : null });
      }
      expect([0, 3, 4, 5].map((pulledUpTo) => tables.onTheirWay(entity, pulledUpTo))).toEqual([3, 3, 2, 1]);
      expect(tables.onTheirWay({ entityType: "order", entityId: "3" }, 0)).toBe(0);
      const outbox = (): never => expect.unreachable("reads rows");
      expect(expectedVersion({ ...tables, outbox }, entity)).toBe(3);
    });
  });

  test("gives the log by number, id and entity, and its leaves", () => {
    open().transaction(stream, (tables) => {
      tables.addPulled(pulled(1));
      tables.addPulled(pulled(2, { entityId: "2", quarantine: "why" }));
      tables.addPulled(pulled(3));
      const numbers = (query: Parameters<typeof tables.pulled>[0]): number[] =>
        tables.pulled(query).map(({ sequenceNumber }) => sequenceNumber);
      expect(numbers({ from: 2, limit: 1 })).toEqual([2]);
      expect(numbers({ eventId: "p3" })).toEqual([3]);
      expect(tables.pulledAmong(["p3", "none", "p1", "p3"]).toSorted()).toEqual(["p1", "p3"]);
      expect(numbers({ entity })).toEqual([1, 3]);
      expect(numbers({ isQuarantined: true })).toEqual([2]);
      expect(tables.leaves(2, 3).map(([byte]) => byte)).toEqual([2, 3]);
      expect(tables.counts("a").quarantined).toBe(1);
      const batch = { sequenceStart: 1, sequenceEnd: 2, batchId: "b", merkleRoot: hash, newStateRoot: hash };
      tables.addBatch(batch);
      expect([1, 2].map((number) => tables.batchOf(number)?.sequenceEnd)).toEqual([2, 2]);
      expect(tables.batchOf(3)).toBeUndefined();
    });
  });

  test("keeps streams apart, and all or nothing of a transaction", () => {
    const store = open();
    const other = { ...stream, storeId: "other" };
    store.transaction(stream, (tables) => {
      tables.append(row("x"));
      tables.addPulled(pulled(1));
      tables.setState("k", "v");
      tables.raiseEntityVersion(entity, 3);
      tables.raiseEntityVersion(entity, 1);
    });
    store.transaction(other, (tables) => {
      expect([tables.outbox({}), tables.pulled({}), tables.state("k")]).toEqual([[], [], undefined]);
      expect(tables.entityVersion(entity)).toBe(0);
      tables.append(row("x"));
      tables.addPulled(pulled(1));
    });
    const broken = (): void =>
      store.transaction(stream, (tables) => {
        tables.append(row("y"));
        tables.update(1, { state: "dropped" });
        tables.setState("k", "w");
        tables.setState("l", "w");
        tables.raiseEntityVersion(entity, 5);
        tables.addPulled(pulled(2));
        throw new Error("broken");
      });
    expect(broken).toThrow("broken");
    store.transaction(stream, (tables) => {
      expect(tables.outbox({})).toMatchObject([{ eventId: "x", state: "pending" }]);
      expect(tables.outbox({ eventId: "y" })).toEqual([]);
      expect([tables.state("k"), tables.state("l"), tables.entityVersion(entity)]).toEqual(["v", undefined, 4]);
      expect(tables.pulled({})).toHaveLength(1);
      tables.append(row("y"));
    });
    store.close();
  });
});

test("a file that another process is beginning at the same time is waited for", async () => {
  const path = newPath();
  const other = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
     const { DatabaseSync } = require("node:sqlite");
     const db = new DatabaseSync(workerData);
     db.exec("BEGIN IMMEDIATE; CREATE TABLE other (x)");
     parentPort.postMessage("begun");
     setTimeout(() => { db.exec("COMMIT"); db.close(); }, 300);`,
    { eval: true, workerData: path },
  );
  await once(other, "message");
  const began = Date.now();
  const store = openSqliteStore(path);
  // The control: it was locked.
  expect(Date.now() - began).toBeGreaterThan(50);
  expect(store.transaction(stream, (tables) => tables.outbox({}))).toEqual([]);
  store.close();
  await once(other, "exit");
});

test("a full disk is told as what it is, and the store can be used afterwards", () => {
  const db = new DatabaseSync(newPath());
  const store = sqliteStore(db);
  const { page_count: pages } = db.prepare("PRAGMA page_count").get() as { page_count: number };
  db.exec(`PRAGMA max_page_count = ${pages}`);
  const append = (): void =>
    store.transaction(stream, (tables) => tables.append(row("x", { envelope: JSON.stringify("x".repeat(100_000)) })));
  expect(append).toThrow(/database or disk is full/);
  db.exec("PRAGMA max_page_count = 10000");
  append();
  expect(store.transaction(stream, (tables) => tables.outbox({}))).toMatchObject([{ eventId: "x" }]);
  store.close();
});

test("a file keeps everything, syncs at every commit, and is not opened when it is of a newer version", () => {
  const path = newPath();
  const store = openSqliteStore(path);
  store.transaction(stream, (tables) => tables.append(row("x")));
  store.close();
  const db = new DatabaseSync(path);
  const again = sqliteStore(db);
  expect(again.transaction(stream, (tables) => tables.outbox({}))).toMatchObject([{ id: 1, eventId: "x" }]);
  expect(db.prepare("PRAGMA synchronous").get()).toEqual({ synchronous: 2 });
  expect(db.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
  db.exec("INSERT INTO schema_migrations VALUES (99, 'later')");
  again.close();
  expect(() => openSqliteStore(path)).toThrow(/deploy a newer version/);
});

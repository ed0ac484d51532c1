import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { chainProblem, EMPTY_LOG } from "../../../src/audit/chain.ts";
import type { AuditAct, AuditEntry } from "../../../src/audit/entry.ts";
import type { StreamNote } from "../../../src/tenant/audit-messages.ts";
import { type RegistryStub, registryStub } from "../../../src/tenant/registry-client.ts";
import { TenantRegistry } from "../../../src/tenant/tenant-registry.ts";
import { ZERO_32 } from "../../../src/ves/index.ts";
import { SOMEBODY } from "../../support/audit.ts";
import { uuid } from "../../support/checked-events.ts";
import { alarmOf, append, commit, newStream, postgres, type TestStream, untilMirrored, upkeep } from "./streams.ts";

const ALL = { from: 1, limit: 1_000, action: undefined, agentId: undefined };
const KEY = { agentId: uuid(3, 1), keyId: null, publicKey: new Uint8Array(32), validFrom: null, validTo: null };
const ACT: AuditAct = {
  action: "stream.restoration_requested",
  resource: { type: "stream", id: uuid(5, 1) },
  storeId: uuid(5, 1),
  details: {},
};

/** All entries of a tenant's log, which must be a sound chain. */
async function logOf(tenantId: string): Promise<AuditEntry[]> {
  const { entries, head } = await registryStub(env, tenantId).auditPage(ALL);
  const log = entries.map(({ text, hash }) => ({ ...(JSON.parse(text) as Omit<AuditEntry, "hash">), hash }));
  for (const [index, entry] of log.entries()) {
    expect(chainProblem(log[index - 1] ?? EMPTY_LOG, entry, tenantId)).toBeUndefined();
  }
  const { sequence, hash } = log.at(-1) ?? EMPTY_LOG;
  expect(head).toEqual({ sequence, hash });
  return log;
}

/** Waits until everything is mirrored. */
function untilIdle(registry: RegistryStub): Promise<void> {
  return vi.waitFor(
    async () => expect(await runInDurableObject(registry, (_, state) => state.storage.getAlarm())).toBeNull(),
    10_000,
  );
}

function newRegistry() {
  const tenantId = crypto.randomUUID();
  return { tenantId, registry: registryStub(env, tenantId) };
}

describe("the audit log of a registry", { timeout: 20_000 }, () => {
  test("is there with the change or not at all, and goes on after an eviction", async () => {
    const { tenantId, registry } = newRegistry();
    await registry.registerKey(KEY, SOMEBODY);
    const [first] = await logOf(tenantId);
    expect(first).toMatchObject({ sequence: 1, action: "agent_key.registered", request_id: "request-1" });
    await untilIdle(registry);
    await runInDurableObject(registry, (_, { storage }) => {
      storage.sql.exec(
        "CREATE TRIGGER full BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
      );
    });
    const outcome = await registry.registerKey({ ...KEY, agentId: uuid(3, 2) }, SOMEBODY).then(
      () => "registered",
      (error: unknown) => String(error),
    );
    expect(outcome).toMatch(/a transaction failed|the disk is full/);
    const again = registryStub(env, tenantId);
    expect(await again.keys()).toMatchObject([{ agentId: uuid(3, 1) }]);
    expect(await again.lease()).toBe(1);
    expect(await logOf(tenantId)).toEqual([first]);

    await runInDurableObject(again, (_, { storage }) => {
      storage.sql.exec("DROP TRIGGER full");
    });
    await evictDurableObject(again);
    await registryStub(env, tenantId).registerKey({ ...KEY, agentId: uuid(3, 2) }, SOMEBODY);
    expect((await logOf(tenantId)).map(({ sequence }) => sequence)).toEqual([1, 2]);
    expect((await logOf(tenantId))[0]).toEqual(first);
  });

  test("of a tenant that nothing was done in is empty, and reading it writes nothing", async () => {
    const { tenantId, registry } = newRegistry();
    expect(await logOf(tenantId)).toEqual([]);
    const tables = await runInDurableObject(registry, (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\'").toArray(),
    );
    expect(tables).toEqual([]);
  });

  test.each(["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log"])("refuses %s", async (change) => {
    const { tenantId, registry } = newRegistry();
    await registry.recordAct(ACT, SOMEBODY);
    await runInDurableObject(registry, (_, { storage }) => {
      expect(() => storage.sql.exec(change)).toThrow("the audit log is append-only");
    });
    expect(await logOf(tenantId)).toHaveLength(1);
  });

  test("looks through so much for a filtered page, and says where to go on", async () => {
    const { registry } = newRegistry();
    await registry.recordAct(ACT, SOMEBODY);
    await runInDurableObject(registry, (_, { storage }) => {
      storage.sql.exec(
        `WITH RECURSIVE n (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < 10050)
         INSERT INTO audit_log SELECT n, randomblob(16), 'schema.deleted', NULL, randomblob(32), '{"recorded_at":"2026-01-01T00:00:00Z"}' FROM n`,
      );
    });
    const filtered = { ...ALL, limit: 10, action: "stream.frozen" } as const;
    expect(await registry.auditPage(filtered)).toMatchObject({ entries: [], next: 10_001, head: { sequence: 10_050 } });
    expect(await registry.auditPage({ ...filtered, from: 10_001 })).toMatchObject({ entries: [], next: null });
    expect((await registry.auditPage({ ...ALL, from: 10_046 })).entries).toHaveLength(5);
  });

  test("takes a stream's note once, however often it is delivered", async () => {
    const { tenantId, registry } = newRegistry();
    const note = (n: number, reason: string | null): StreamNote => ({
      id: uuid(9, n),
      notedAt: 1_790_000_000_000,
      party: "mirror",
      reason,
    });
    await registry.recordStreamNotes(uuid(5, 1), [note(1, "why")]);
    await registry.recordStreamNotes(uuid(5, 1), [note(1, "why"), note(2, null)]);
    await registry.recordStreamNotes(uuid(5, 1), [note(2, null)]);
    const noted = { noted_at: "2026-09-21T14:13:20.000+00:00", party: "mirror" };
    expect(await logOf(tenantId)).toMatchObject([
      { id: uuid(9, 1), action: "stream.frozen", store_id: uuid(5, 1), details: { ...noted, reason: "why" } },
      { id: uuid(9, 2), action: "stream.thawed", resource: { type: "stream", id: uuid(5, 1) }, details: noted },
    ]);
  });
});

describe("a stream that freezes or thaws", { timeout: 20_000 }, () => {
  const FOREIGN = { latestSequence: 99, stateRoot: new Uint8Array(32).fill(7) };
  const ACTOR = { actor: { kind: "system", agent_id: null }, credential: null, address: null };

  async function untilDelivered(stream: TestStream): Promise<void> {
    await vi.waitFor(async () => expect(await notesOf(stream)).toBe(0), 10_000);
  }

  function notesOf({ stub }: TestStream): Promise<number> {
    return runInDurableObject(stub, (_, { storage }) =>
      Number(storage.sql.exec("SELECT COUNT(*) AS count FROM audit_notes").one()["count"]),
    );
  }

  async function sealed(): Promise<TestStream> {
    const stream = newStream();
    await append(stream, 1, 10);
    await commit(stream, 1, 10);
    await untilMirrored(stream, 10);
    return stream;
  }

  test("because of the chain has an entry for each, and then no alarm", async () => {
    const stream = await sealed();
    const { latestBatch } = await stream.object.state();
    const own = { latestSequence: 10, stateRoot: latestBatch?.newStateRoot ?? ZERO_32 };
    const before = Date.now();
    for (const tip of [FOREIGN, FOREIGN, own, own, FOREIGN]) await stream.object.compareWithChain(tip);
    await untilDelivered(stream);
    const log = await logOf(stream.tenantId);
    const reason = expect.stringMatching(/^the contract holds a batch that ends at 99/) as string;
    const at = { party: "chain", noted_at: expect.any(String) as string };
    expect(log).toMatchObject([
      { ...ACTOR, action: "stream.frozen", store_id: stream.storeId, details: { ...at, reason } },
      { ...ACTOR, action: "stream.thawed", store_id: stream.storeId, details: at },
      { ...ACTOR, action: "stream.frozen", store_id: stream.storeId, details: { ...at, reason } },
    ]);
    for (const { id, details } of log) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
      const notedAt = Date.parse(details["noted_at"] as string);
      expect(Math.abs(notedAt - before)).toBeLessThan(5_000);
    }
    expect(new Set(log.map(({ id }) => id)).size).toBe(3);
    await vi.waitFor(async () => expect(await alarmOf(stream)).toBeNull());
  });

  test("because of Postgres has an entry for each", async () => {
    const stream = await sealed();
    const ids = [stream.tenantId, stream.storeId];
    await postgres("DELETE FROM ves_events WHERE tenant_id = $1 AND store_id = $2 AND sequence_number = 10", ...ids);
    await append(stream, 11, 11);
    await commit(stream, 11, 11);
    await vi.waitFor(async () => expect((await stream.object.state()).frozenReason).toMatch(/changed by hand/), 10_000);
    await postgres("DELETE FROM ves_alterations WHERE tenant_id = $1 AND store_id = $2", ...ids);
    await upkeep(stream);
    await vi.waitFor(async () => expect((await stream.object.state()).frozenReason).toBeNull(), 10_000);
    await untilDelivered(stream);
    expect((await logOf(stream.tenantId)).map(({ action, details }) => [action, details["party"]])).toEqual([
      ["stream.frozen", "mirror"],
      ["stream.thawed", "mirror"],
    ]);
  });

  test.each([
    ["the registry is away", false],
    ["the registry's answer is lost", true],
  ])("says so once though %s, and over an eviction of the stream", async (_, isTaken) => {
    const stream = await sealed();
    type Take = (this: TenantRegistry, ...args: Parameters<TenantRegistry["recordStreamNotes"]>) => void;
    const take: Take = Reflect.get(TenantRegistry.prototype, "recordStreamNotes");
    const away = vi.spyOn(TenantRegistry.prototype, "recordStreamNotes").mockImplementation(function (
      this: TenantRegistry,
      ...args
    ) {
      if (isTaken) take.call(this, ...args);
      throw new Error("the registry is away");
    });
    try {
      expect((await stream.object.compareWithChain(FOREIGN))?.kind).toBe("frozen");
      await vi.waitFor(() => expect(away.mock.calls.length).toBeGreaterThan(1), 10_000);
      expect(await notesOf(stream)).toBe(1);
      expect(await logOf(stream.tenantId)).toHaveLength(isTaken ? 1 : 0);
    } finally {
      away.mockRestore();
    }
    await evictDurableObject(stream.stub);
    expect(await stream.object.head()).toBe(10);
    await untilDelivered(stream);
    expect((await logOf(stream.tenantId)).map(({ action }) => action)).toEqual(["stream.frozen"]);
  });
});

describe("the audit log's mirror", { timeout: 20_000 }, () => {
  interface Row {
    readonly sequence_number: string;
    readonly entry_id: string;
    readonly recorded_at: Date;
    readonly action: string;
    readonly hash: string;
    readonly entry: string;
  }

  function mirrored(tenantId: string): Promise<Row[]> {
    return postgres<Row>(
      `SELECT sequence_number, entry_id, recorded_at, action, encode(hash, 'hex') AS hash, entry
         FROM ves_audit_log WHERE tenant_id = $1 ORDER BY sequence_number, mirrored_at`,
      tenantId,
    );
  }

  test("holds every entry as it is, in more pieces than one", async () => {
    const { tenantId, registry } = newRegistry();
    await runInDurableObject(registry, (instance) => {
      for (let n = 0; n < 450; n++) instance.recordAct({ ...ACT, details: { n, quoted: '"\\\u0000é' } }, SOMEBODY);
    });
    await vi.waitFor(async () => expect(await mirrored(tenantId)).toHaveLength(450), 10_000);
    const log = await logOf(tenantId);
    expect((await mirrored(tenantId)).map(({ entry, hash }) => ({ ...(JSON.parse(entry) as object), hash }))).toEqual(
      log,
    );
    for (const [index, row] of (await mirrored(tenantId)).entries()) {
      expect(row).toMatchObject({
        sequence_number: String(index + 1),
        entry_id: log[index]?.id,
        recorded_at: new Date(log[index]?.recorded_at ?? ""),
        action: ACT.action,
      });
    }
    await untilIdle(registry);
  });

  test("loses nothing when a registry was lost and begins anew: both entries of a number stand", async () => {
    const { tenantId, registry } = newRegistry();
    await registry.recordAct(ACT, SOMEBODY);
    await vi.waitFor(async () => expect(await mirrored(tenantId)).toHaveLength(1), 10_000);
    const [first] = await logOf(tenantId);
    await runInDurableObject(registry, (_, state) => state.storage.deleteAll());
    await evictDurableObject(registry);
    await registryStub(env, tenantId).recordAct(ACT, SOMEBODY);
    await vi.waitFor(async () => expect(await mirrored(tenantId)).toHaveLength(2), 10_000);
    const [second] = await logOf(tenantId);
    expect((await mirrored(tenantId)).map(({ sequence_number: number, hash }) => [number, hash])).toEqual([
      ["1", first?.hash],
      ["1", second?.hash],
    ]);
  });
});

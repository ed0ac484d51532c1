import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { createAgent } from "../../../agent/src/agent.ts";
import { memoryStore } from "../../../agent/src/store/memory.ts";
import { openSqliteStore } from "../../../agent/src/store/sqlite.ts";
import { envelopeProblem, envelopeSchema, type JsonValue, signatureProblem, toHex } from "../../../src/ves/index.ts";
import { orderEvent, testStream } from "../../support/agents.ts";

const order = { entityType: "order", entityId: "1", eventType: "order.created", payload: { total: "1.00" } };

describe("record", () => {
  test("signs what the sequencer accepts, without any network", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent, identity, key } = await newAgent();
    model.interfere = () => "cut";
    const payload = { b: [1.0, -0, 1e21], a: "ü\u2028", "": null };
    const { envelope: text } = await agent.record({ ...order, payload, createdAt: "2026-01-01T00:00:00+00:00" });
    const envelope = envelopeSchema.parse(JSON.parse(text));
    expect(envelopeProblem(envelope, { requireVersion2: true })).toBeUndefined();
    expect(await signatureProblem(envelope, key.publicKey)).toBeUndefined();
    expect(envelope).toMatchObject({ source_agent_id: identity.agentId, created_at: "2026-01-01T00:00:00+00:00" });
    expect(text).toContain(`"payload":{"":null,"a":"ü\u2028","b":[1,0,1e+21]}`);
    expect(model.requests).toEqual([]);
  });

  test("keeps the order of the calls, whatever is waited for", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    const recorded = await Promise.all(Array.from({ length: 600 }, () => agent.record(orderEvent())));
    await agent.push();
    expect(model.log.map(({ event_id: id }) => id)).toEqual(recorded.map(({ eventId }) => eventId));
  });

  const current = { ...order, baseVersion: "current" } as const;

  test.each([
    ["without a version", {}, [null, 1]],
    ["with a version of its own", { baseVersion: 0 }, [0, 1]],
    ["with the present version", { baseVersion: "current" }, [0, 1]],
  ] as const)(
    "counts an event %s that was handed over together with the one that expects a version",
    async (_what, how, versions) => {
      const { agent: newAgent } = await testStream();
      const { agent } = await newAgent();
      const recorded = await Promise.all([agent.record({ ...order, ...how }), agent.record(current)]);
      expect(recorded.map(({ baseVersion }) => baseVersion)).toEqual(versions);
      expect((await agent.push()).outcomes).toMatchObject([{ kind: "accepted" }, { kind: "accepted" }]);
    },
  );

  test("counts no event that was refused", async () => {
    const { agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    const eventId = crypto.randomUUID();
    const again = { ...current, eventId };
    const results = await Promise.allSettled([again, again, current].map((event) => agent.record(event)));
    const exists = { status: "rejected", reason: { code: "EVENT_EXISTS" } };
    expect(results).toMatchObject([{ value: { baseVersion: 0 } }, exists, { value: { baseVersion: 1 } }]);
    await agent.sync();
    // Also when only the copy of the log still has it.
    agent.prune(-1_000);
    const later = await Promise.allSettled([again, current].map((event) => agent.record(event)));
    expect(later).toMatchObject([exists, { value: { baseVersion: 2 } }]);
  });

  test("counts what another process records at the same time", async () => {
    const { agent: newAgent } = await testStream();
    const path = join(mkdtempSync(join(tmpdir(), "agent-record-")), "agent.db");
    onTestFinished(() => rmSync(dirname(path), { recursive: true }));
    const one = await newAgent({ store: openSqliteStore(path) });
    const { identity, key } = one;
    const other = await newAgent({ store: openSqliteStore(path), identity, key });
    const agents = [one.agent, other.agent];
    const twenty = Array.from({ length: 20 }, () => current);
    const recorded = await Promise.all(agents.flatMap((agent) => twenty.map((event) => agent.record(event))));
    expect(recorded.map(({ baseVersion }) => baseVersion ?? 0).toSorted((a, b) => a - b)).toEqual(
      Array.from(Array(40).keys()),
    );
    expect((await one.agent.sync()).push.outcomes.every(({ kind }) => kind === "accepted")).toBe(true);
    await Promise.all(agents.map((agent) => agent.close()));
  });

  const deep = (levels: number): JsonValue => (levels === 0 ? 1 : [deep(levels - 1)]);

  test.each([
    ["an empty name", { entityId: "" }, /schema_validation: entity_id/],
    ["a name that is too long", { entityType: "x".repeat(129) }, /schema_validation: entity_type/],
    ["a lone surrogate", { payload: "\ud800" }, /payload: .*surrogate/],
    ["a number that JSON does not know", { payload: { a: Number.NaN } }, /payload: NaN/],
    ["nothing", { payload: null }, /payload/],
    ["nesting that the sequencer would refuse", { payload: deep(125) }, /payload: nesting/],
    ["a reserved key", { payload: { "$serde_json::private::RawValue": 1 } }, /payload: reserved key/],
    ["too much", { payload: "x".repeat(1024 * 1024) }, /payload: expected at most 1048576 bytes/],
    ["another time", { createdAt: "yesterday" }, /created_at/],
    ["no UUID", { eventId: "1" }, /eventId: expected a UUID/],
    ["a version below zero", { baseVersion: -1 }, /baseVersion/],
  ])("refuses %s and stores nothing", async (_what, change, message) => {
    const { agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    await expect(agent.record({ ...order, ...change })).rejects.toMatchObject({
      code: "INVALID_EVENT",
      message: expect.stringMatching(message),
    });
    expect(agent.status().outbox.pending).toBe(0);
  });

  test("takes nesting as deep as the sequencer does", async () => {
    const { agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    await agent.record({ ...order, payload: deep(124) });
  });

  test("an id is recorded once; those beside it are not harmed", async () => {
    const { agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    const eventId = crypto.randomUUID();
    const [first, copy, other] = await Promise.allSettled([
      agent.record({ ...order, eventId }),
      agent.record({ ...order, eventId: eventId.toUpperCase() }),
      agent.record(order),
    ]);
    expect([first?.status, other?.status]).toEqual(["fulfilled", "fulfilled"]);
    expect(copy).toMatchObject({ status: "rejected", reason: { code: "EVENT_EXISTS" } });
    expect(agent.status().outbox.pending).toBe(2);
  });

  test("what is closed takes nothing, and has stored what it took before", async () => {
    const { agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    const recording = agent.record(order);
    await agent.close();
    await recording;
    await expect(agent.record(order)).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describe("createAgent", () => {
  const identity = {
    tenantId: crypto.randomUUID(),
    storeId: crypto.randomUUID(),
    agentId: crypto.randomUUID(),
    keyId: 1,
  };
  const keys = { signing: "11".repeat(32) };
  const options = { url: "http://127.0.0.1:1", credential: "k", identity, keys, store: memoryStore() };

  test("takes a seed as text or bytes, or a function that signs", async () => {
    const seen: string[] = [];
    const sign = async (message: Uint8Array): Promise<Uint8Array> => {
      seen.push(toHex(message));
      return new Uint8Array(64);
    };
    const sources = ["11".repeat(32), new Uint8Array(32).fill(0x11), { publicKey: new Uint8Array(32), sign }];
    const signatures = [];
    for (const signing of sources) {
      const agent = await createAgent({ ...options, store: memoryStore(), keys: { signing } });
      const fixed = { ...order, eventId: identity.agentId, createdAt: "2026-01-01T00:00:00Z" };
      signatures.push(envelopeSchema.parse(JSON.parse((await agent.record(fixed)).envelope)).agent_signature);
    }
    expect(signatures[0]).toEqual(signatures[1]);
    expect(signatures[2]).toEqual(new Uint8Array(64));
    expect(seen).toHaveLength(1);
  });

  test.each([
    ["keys", { signing: "12" }],
    ["keys", undefined],
    ["identity", undefined],
    ["store", undefined],
    ["identity", { ...identity, storeId: "mine" }],
    ["batchEvents", 1_001],
    ["timeoutMs", 0],
    ["retry", { attempts: Number.NaN }],
    ["retry", { attempts: 0 }],
    ["retry", { attempts: "6" }],
    ["retry", { firstDelayMs: -1 }],
    ["retry", { maxDelayMs: Infinity }],
    ["url", undefined],
  ])("says what is wrong with %s", async (member, value) => {
    await expect(createAgent({ ...options, [member]: value })).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  });
});

import { describe, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { createContext } from "../../../agent/src/create-context.ts";
import { callTool, type CallOptions } from "../../../agent/src/mcp/call-tool.ts";
import { defineTool, READS, type Tool } from "../../../agent/src/mcp/tool.ts";
import { toolkitOf } from "../../../agent/src/mcp/toolkit.ts";
import { toolsFor } from "../../../agent/src/mcp/tools.ts";
import { memoryStore } from "../../../agent/src/store/memory.ts";
import type { AgentStore } from "../../../agent/src/store/store.ts";
import type { Transport } from "../../../agent/src/transport.ts";
import {
  type JsonObject,
  generateSeed,
  type SigningKey,
  signingKeyFromSeed,
  type WireEnvelope,
} from "../../../src/ves/index.ts";
import { QUICK } from "../../support/agents.ts";
import { modelSequencer } from "../../support/model-sequencer.ts";

const SECRET = "a-secret-that-nobody-is-told";
const ALL_TOOLS = new Map(toolsFor({ doesRecord: true }).map((tool) => [tool.name, tool]));

/** A stream with a sequencer in memory, and the tools of servers of one agent. */
async function newWorld() {
  const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
  const model = await modelSequencer(stream);
  const agentId = crypto.randomUUID();
  const keys = [await signingKeyFromSeed(generateSeed()), await signingKeyFromSeed(generateSeed())] as const;
  for (const [index, key] of keys.entries()) model.register({ ...stream, agentId, keyId: index + 1 }, key);
  return {
    model,
    /**
     * Another process of the agent, as far as tools can tell.
     *
     * @param outbox outlives the process
     */
    newServer: async (transport: Transport = model.transport, outbox?: AgentStore, keyId: 1 | 2 = 1) => {
      const context = await createContext({
        transport,
        store: outbox ?? memoryStore(),
        retry: QUICK,
        identity: { ...stream, agentId, keyId },
        keys: { signing: keys[keyId - 1] as SigningKey },
      });
      const isInMemory = outbox === undefined;
      const kit = toolkitOf(context, { allowedEventTypes: ["*"], isInMemory, secrets: [SECRET] });
      const faults: string[] = [];
      const call = async (tool: Tool | string, args: object = {}, options: Partial<CallOptions> = {}) => {
        const called = typeof tool === "string" ? (ALL_TOOLS.get(`stateset_${tool}`) as Tool) : tool;
        const { signal = new AbortController().signal, onProgress } = options;
        const onFault = (fault: string): void => void faults.push(fault);
        const result = await callTool(kit, called, args, { signal, onProgress, onFault });
        const [content] = result.content;
        const { error } = JSON.parse(content?.type === "text" ? content.text : "{}") as { error?: { code: string } };
        return { answer: (result.structuredContent ?? {}) as JsonObject, code: error?.code, text: content };
      };
      return { kit, faults, call };
    },
  };
}

function newAction() {
  const names = { entityType: "order", entityId: "1", eventType: "order.created" };
  return { ...names, payload: { total: "1.00" }, commandId: crypto.randomUUID() };
}

describe("recording", () => {
  test("a lost answer is said to be unknown, and the same call again finds the event that it made", async () => {
    const { model, newServer } = await newWorld();
    const { call } = await newServer();
    const action = newAction();
    model.interfere = ({ method }) => (method === "POST" ? "answer lost" : undefined);
    expect((await call("record_action", action)).code).toBe("OUTCOME_UNKNOWN");
    expect(model.log).toHaveLength(1);
    model.interfere = () => undefined;
    const { answer } = await call("record_action", action);
    expect(answer).toMatchObject({ isReplay: true, sequenceNumber: 1, eventId: model.log[0]?.event_id });
    const elsewhere = await newServer();
    expect((await elsewhere.call("record_action", action)).answer).toEqual(answer);
    expect(model.log).toHaveLength(1);
  });

  test("a receipt that is not the sequencer's is no success, then or later", async () => {
    const { model, newServer } = await newWorld();
    const { call } = await newServer();
    const action = newAction();
    const forge = (receipt: JsonObject): JsonObject => ({ ...receipt, sequencerSignature: "00".repeat(64) });
    model.interfere = ({ method, path }) => {
      if (method === "POST")
        return (answer) => ({ ...answer, receipts: (answer["receipts"] as JsonObject[]).map(forge) });
      return path.includes("/receipts/") ? forge : undefined;
    };
    expect((await call("record_action", action)).code).toBe("INVALID_RECEIPT");
    expect((await call("record_action", action)).code).toBe("INVALID_RECEIPT");
    model.interfere = () => undefined;
    expect((await call("record_action", action)).answer).toMatchObject({ isReplay: true, sequenceNumber: 1 });
  });

  test("a receipt that names another event or another number than the log is no success", async () => {
    const { model, newServer } = await newWorld();
    const { call } = await newServer();
    const action = newAction();
    const { answer } = await call("record_action", action);
    const elsewhere = await newServer();
    const answering = async (part: string, change: (answer: JsonObject) => JsonObject) => {
      model.interfere = ({ path }) => (path.includes(part) ? change : undefined);
      return (await elsewhere.call("record_action", action)).code;
    };
    const alien = { eventId: crypto.randomUUID() };
    expect(await answering("/receipts/", (receipt) => ({ ...receipt, ...alien }))).toBe("INVALID_RECEIPT");
    const at = (envelope: object, number: number) => ({ envelope: { ...envelope, sequence_number: number } });
    const moved = (number: number) => answering("/ves/events/", ({ envelope }) => at(envelope as JsonObject, number));
    expect(await moved(2)).toBe("INVALID_RECEIPT");
    expect(await moved(1)).toBeUndefined();
    expect((await elsewhere.call("record_action", action)).answer).toEqual({ ...answer, isReplay: true });
  });

  test("what was refused is not sent by a later call, and is tried again when it is called again", async () => {
    const { model, newServer } = await newWorld();
    const { call } = await newServer();
    const [refused, frozen] = [newAction(), newAction()];
    model.rejections.set(refused.eventType, "policy_violation: event type");
    expect((await call("record_action", refused)).code).toBe("REJECTED");
    model.rejections.clear();
    model.interfere = ({ method }) => (method === "POST" ? { status: 503, code: "STREAM_FROZEN" } : undefined);
    expect((await call("record_action", frozen)).code).toBe("STREAM_FROZEN");
    model.interfere = () => undefined;
    await call("record_action", newAction());
    expect(model.log).toHaveLength(1);
    for (const action of [refused, frozen]) expect((await call("record_action", action)).code).toBeUndefined();
    expect(model.log).toHaveLength(3);
  });

  test("a call that is cancelled before its event was sent leaves nothing behind", async () => {
    const { model, newServer } = await newWorld();
    const begun = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const { call, kit } = await newServer({
      send: async (request) => {
        if (request.method === "POST") {
          begun.resolve();
          await release.promise;
        }
        return model.transport.send(request);
      },
    });
    const first = call("record_action", newAction());
    await begun.promise;
    const controller = new AbortController();
    const second = call("record_action", newAction(), { signal: controller.signal });
    await expect.poll(() => kit.agent.status().outbox.pending).toBe(2);
    controller.abort();
    release.resolve();
    expect((await first).code).toBeUndefined();
    expect((await second).code).toBe("ABORTED");
    expect(model.log).toHaveLength(1);
    expect(kit.agent.status().outbox).toMatchObject({ pending: 0, dropped: 1 });
  });

  test("leaves nothing in memory for long, and is answered from the log afterwards", async () => {
    const { newServer } = await newWorld();
    const { call, kit } = await newServer();
    const [early, late] = [newAction(), newAction()];
    const { answer } = await call("record_action", early);
    onTestFinished(() => void vi.useRealTimers());
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 601_000 });
    await call("record_action", late);
    expect(kit.agent.status().outbox).toMatchObject({ accepted: 1, pending: 0 });
    expect((await call("record_action", early)).answer).toEqual({ ...answer, isReplay: true });
  });

  test("is refused in the same words whoever asks, also when the same is asked twice at once", async () => {
    const { model, newServer } = await newWorld();
    const { call } = await newServer();
    await call("record_action", newAction());
    const stale = { ...newAction(), baseVersion: 0 };
    const answers = await Promise.all([call("record_action", stale), call("record_action", stale)]);
    expect(answers.map(({ code }) => code)).toEqual(["VERSION_CONFLICT", "VERSION_CONFLICT"]);
    expect(model.log).toHaveLength(1);
  });

  test("is judged by its own version, whatever else is refused of its entity at the same time", async () => {
    const { model, newServer } = await newWorld();
    const { call, kit } = await newServer();
    await call("record_action", newAction());
    const stale = () => ({ ...newAction(), baseVersion: 0 });
    const [right, next] = [1, 2].map((baseVersion) => ({ ...newAction(), baseVersion }));
    const record = async (actions: readonly (object | undefined)[]) =>
      (await Promise.all(actions.map((action) => call("record_action", action)))).map(({ code }) => code);
    const conflict = "VERSION_CONFLICT";
    expect(await record([stale(), right])).toEqual([conflict, undefined]);
    const twice = [stale(), next, stale(), next];
    expect(await record(twice)).toEqual([conflict, undefined, conflict, undefined]);
    expect(model.log.map(({ base_version: version }) => version)).toEqual([undefined, 1, 2]);
    // Only one of two that expect the same version can be right.
    const rivals = [stale(), { ...newAction(), baseVersion: 3 }, { ...newAction(), baseVersion: 3 }];
    expect(await record(rivals)).toEqual([conflict, undefined, conflict]);
    // Nor does it wait for a conflict that is left to somebody.
    await kit.agent.record(stale());
    await kit.agent.push();
    expect(kit.agent.conflicts()).toHaveLength(1);
    expect(await record([{ ...newAction(), baseVersion: 4 }])).toEqual([undefined]);
    expect(kit.agent.conflicts()).toHaveLength(1);
  });

  test("is pushed again where another call has put it back since the push looked", async () => {
    const { newServer } = await newWorld();
    const { call, kit } = await newServer();
    vi.spyOn(kit.agent, "push").mockResolvedValueOnce({ outcomes: [], stopped: null });
    expect((await call("record_action", newAction())).code).toBeUndefined();
  });

  test("is signed anew when the agent has another key than the one that was refused", async () => {
    const { model, newServer } = await newWorld();
    const outbox = memoryStore();
    const [refused, lost] = [newAction(), { ...newAction(), entityId: "2", baseVersion: 0 }];
    model.refusedKeys.add(1);
    const former = await newServer(model.transport, outbox);
    expect((await former.call("record_action", refused)).code).toBe("REJECTED");
    model.interfere = ({ method }) => (method === "POST" ? "cut" : undefined);
    expect((await former.call("record_action", lost)).code).toBe("OUTCOME_UNKNOWN");
    model.interfere = () => undefined;

    const present = await newServer(model.transport, outbox, 2);
    for (const action of [lost, refused]) {
      expect((await present.call("record_action", action)).answer).toMatchObject({ isReplay: false });
    }
    expect(model.log).toMatchObject([
      { agent_key_id: 2, base_version: 0 },
      { agent_key_id: 2, event_id: model.pushed[0]?.[0] },
    ]);
    expect(present.kit.agent.status().outbox).toMatchObject({ accepted: 2, pending: 0, rejected: 0 });
    const elsewhere = await newServer();
    for (const action of [lost, refused]) {
      expect((await elsewhere.call("record_action", action)).answer).toMatchObject({ isReplay: true });
    }
  });

  test("stays as it was signed until it was refused: what was sent may be in the log", async () => {
    const { model, newServer } = await newWorld();
    const outbox = memoryStore();
    const action = newAction();
    const former = await newServer(model.transport, outbox);
    model.interfere = ({ method }) => (method === "POST" ? "cut" : undefined);
    expect((await former.call("record_action", action)).code).toBe("OUTCOME_UNKNOWN");
    model.interfere = () => undefined;
    const present = await newServer(model.transport, outbox, 2);
    expect((await present.call("record_action", action)).answer).toMatchObject({ sequenceNumber: 1 });
    expect(model.log).toMatchObject([{ agent_key_id: 1 }]);
  });

  test("is found in the log where a copy of what was refused comes late", async () => {
    const { model, newServer } = await newWorld();
    const outbox = memoryStore();
    const action = newAction();
    const sent: WireEnvelope[] = [];
    model.interfere = ({ method, body }) => {
      if (method === "POST") sent.push(...(JSON.parse(body ?? "") as { events: WireEnvelope[] }).events);
      return undefined;
    };
    model.refusedKeys.add(1);
    await (await newServer(model.transport, outbox)).call("record_action", action);
    const [copy] = sent.splice(0);
    model.interfere = ({ method }) => {
      const isFirst = method === "POST" && model.log.length === 0 && copy !== undefined;
      if (isFirst) model.log.push({ ...copy, sequence_number: 1, sequenced_at: "2026-01-01T00:00:00Z" });
      return undefined;
    };
    const present = await newServer(model.transport, outbox, 2);
    expect((await present.call("record_action", action)).answer).toMatchObject({ isReplay: true, sequenceNumber: 1 });
    expect(model.log).toHaveLength(1);
  });
});

describe("reading", () => {
  test("believes no filter of the sequencer's: another event than was waited for is none", async () => {
    const { newServer } = await newWorld();
    const { call } = await newServer();
    const action = newAction();
    for (let n = 0; n < 2; n++) await call("record_action", { ...action, commandId: crypto.randomUUID() });
    const { entityType, entityId, eventType } = action;
    const wait = async (wanted: object) => (await call("wait_for_event", { from: 1, timeoutMs: 0, ...wanted })).code;
    // This sequencer filters nothing.
    expect(await wait({ entityType, entityId, eventType })).toBeUndefined();
    expect(await wait({ entityType: "invoice" })).toBe("MALFORMED_ANSWER");
    expect(await wait({ eventType: "order.paid" })).toBe("MALFORMED_ANSWER");
  });

  test("believes no number that is before the one that was asked for", async () => {
    const { model, newServer } = await newWorld();
    const { call } = await newServer({
      send: (request) => model.transport.send({ ...request, path: request.path.replace("from=2&", "from=1&") }),
    });
    for (let n = 0; n < 2; n++) await call("record_action", newAction());
    expect((await call("wait_for_event", { from: 2, timeoutMs: 0 })).code).toBe("MALFORMED_ANSWER");
  });

  test("what an agent did not sign is marked, and its payload is withheld", async () => {
    const { model, newServer } = await newWorld();
    const { call } = await newServer();
    await call("record_action", newAction());
    await call("record_action", newAction());
    const [event] = model.log;
    if (event !== undefined) event.payload = { total: "1000.00" };
    const { answer } = await call("wait_for_event", { from: 1, timeoutMs: 0 });
    expect(answer).toMatchObject({
      event: { verified: false, payloadState: "unverified", payload: null },
      nextFrom: 2,
    });
    expect((await call("wait_for_event", { from: 2, timeoutMs: 0 })).answer).toMatchObject({
      event: { verified: true },
    });
    expect((await call("get_inclusion_proof", { sequenceNumber: 2, timeoutMs: 0 })).code).toBe("NOT_YET_SEALED");
    model.seal();
    expect((await call("get_inclusion_proof", { sequenceNumber: 2, timeoutMs: 0 })).code).toBeUndefined();
    expect((await call("get_inclusion_proof", { sequenceNumber: 1, timeoutMs: 0 })).code).toBe("LOG_CONTRADICTION");
  });

  test("a projection is answered where there is one", async () => {
    const { model, newServer } = await newWorld();
    const served = { version: 2, updated_at: "2026-01-01T00:00:00Z", document: { status: "paid" } };
    const { call } = await newServer({
      send: async (request) => {
        if (!request.path.startsWith("/api/v1/projections/order/a%2Fb?")) return model.transport.send(request);
        return { status: 200, retryAfter: null, body: JSON.stringify(served) };
      },
    });
    const { answer } = await call("get_projection", { entityType: "order", entityId: "a/b" });
    expect(answer).toMatchObject({ entityId: "a/b", version: 2, document: { status: "paid" } });
    expect(answer["notice"]).toContain("data");
  });

  test("a cancelled wait ends its request at the sequencer", async () => {
    const { model, newServer } = await newWorld();
    const signals: AbortSignal[] = [];
    const { call } = await newServer({
      send: (request) => {
        signals.push(request.signal);
        return model.transport.send(request);
      },
    });
    const controller = new AbortController();
    const waiting = call("wait_for_event", { from: 1 }, { signal: controller.signal });
    await expect.poll(() => signals.length).toBe(1);
    controller.abort();
    expect((await waiting).code).toBe("ABORTED");
    expect(signals[0]?.aborted).toBe(true);
  });
});

describe("any call", () => {
  test("is refused when too many are under way, and taken again afterwards", async () => {
    const { newServer } = await newWorld();
    const { call } = await newServer();
    const controller = new AbortController();
    const waits = Array.from({ length: 40 }, () => call("wait_for_event", { from: 1 }, { signal: controller.signal }));
    const refused = await Promise.all(waits.slice(32));
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(["TOO_MANY_CALLS"]));
    controller.abort();
    await Promise.all(waits);
    expect((await call("wait_for_event", { from: 1, timeoutMs: 0 })).answer).toMatchObject({
      event: null,
      nextFrom: 1,
    });
  });

  test("tells no secret, whoever says it", async () => {
    const { model, newServer } = await newWorld();
    model.interfere = () => ({ status: 400, code: SECRET });
    const { call } = await newServer();
    const { code, text } = await call("get_cursor");
    expect(code).toBe("REFUSED");
    expect(JSON.stringify(text)).not.toContain(SECRET);
    expect(JSON.stringify(text)).toContain("[secret]");
  });

  test("that meets a fault of the server says so and nothing of it", async () => {
    const { newServer } = await newWorld();
    const { call, faults } = await newServer();
    const broken = defineTool({
      name: "broken",
      title: "Broken",
      description: "Answers something else than it says.",
      annotations: READS,
      input: z.strictObject({}),
      output: z.object({ answer: z.int() }),
      run: async () => ({ answer: 0.5 }),
    });
    expect((await call(broken)).code).toBe("INTERNAL");
    expect(faults).toMatchObject([expect.stringContaining("broken: ZodError")]);
    expect((await call(broken, { more: 1 })).code).toBe("INVALID_INPUT");
  });
});

import { describe, expect, it, vi } from "vitest";
import type { Fact } from "../../../scripts/lib/signer.ts";
import type { JsonValue } from "../../../src/ves/index.ts";
import { accept, call, event, expectLog, ingest, newAgent, textOf, url, type Wire } from "./harness.ts";
import { type Agent, encrypted, sealed } from "./sealing.ts";

const TYPE = "order.created";
const SCHEMA = {
  type: "object",
  required: ["total"],
  properties: { total: { type: "string" }, lines: { items: { minimum: 1 } } },
};
const REASON = "schema_validation";
const BAD = "Not as version 1 of the schema of order.created has it: /total must be of type string";

const mode = (name: string) => ({ settings: { SCHEMA_VALIDATION_MODE: name } });
const order = (signer: Agent, payload: JsonValue, change: Partial<Fact> = {}): Promise<Wire> =>
  event(signer, { entityType: "order", eventType: TYPE, payload, ...change });

async function register(signer: Agent, schemaJson: JsonValue = SCHEMA, eventType = TYPE): Promise<string> {
  const body = { tenantId: signer.tenantId, eventType, schemaJson, compatibility: "none" };
  const reply = await call<{ id: string }>("POST", "/api/v1/schemas", { body });
  expect(reply.status).toBe(200);
  return reply.body.id;
}

/** A signing agent whose tenant has the schema. */
async function agentWithSchema(): Promise<Agent> {
  const signer = await newAgent();
  await register(signer);
  return signer;
}

async function reasons(signer: Agent, events: readonly Wire[], name: string): Promise<(string | undefined)[]> {
  const { body } = await ingest(signer, events, mode(name));
  expect(body.eventsAccepted + body.eventsRejected).toBe(events.length);
  return events.map((wire) => body.rejections?.find((one) => one.event_id === wire["event_id"])?.reason);
}

// What changes schemas waits for the leases of a new registry object, so these run side by side.
describe.concurrent("the mode of validation", () => {
  it.each<[string, readonly (string | undefined)[]]>([
    ["disabled", [undefined, undefined, undefined]],
    ["off", [undefined, undefined, undefined]],
    ["warn", [undefined, undefined, undefined]],
    ["Warn_Only", [undefined, undefined, undefined]],
    ["enforce", [undefined, REASON, undefined]],
    ["ON", [undefined, REASON, undefined]],
    ["required", [undefined, REASON, REASON]],
    [" strict ", [undefined, REASON, REASON]],
  ])("%s", async (name, expected) => {
    const signer = await agentWithSchema();
    const events = [
      await order(signer, { total: "1" }),
      await order(signer, { total: 1 }),
      await event(signer, { eventType: "inventory.counted" }),
    ];
    expect(await reasons(signer, events, name)).toEqual(expected);
    await expectLog(
      signer,
      events.filter((_, index) => expected[index] === undefined),
    );
  });

  it("is warn when nothing is set", async () => {
    const signer = await agentWithSchema();
    await accept(signer, await order(signer, { total: 1 }));
  });

  it("says where and why, and no more than three things", async () => {
    const signer = await agentWithSchema();
    const bad = await order(signer, { total: 1, lines: [0, 1, 0, -1] });
    const none = await event(signer, { eventType: "inventory.counted" });
    const reply = await ingest(signer, [bad, none, await order(signer, "x")], mode("required"));
    expect(reply.body.rejections?.map(({ message }) => message)).toEqual([
      `${BAD}; /lines/0 must be at least 1; /lines/2 must be at least 1; and 1 more`,
      "There is no active schema for events of type inventory.counted",
      "Not as version 1 of the schema of order.created has it: the payload must be of type object",
    ]);
  });

  it("looks at encrypted events only to see that there is a schema", async () => {
    const signer = await newAgent();
    const sound = (): Promise<Wire> => sealed(signer, encrypted());
    expect(await reasons(signer, [await sound()], "enforce")).toEqual([undefined]);
    expect(await reasons(signer, [await sound()], "required")).toEqual([REASON]);
    await register(signer, false, "inventory.adjusted");
    expect(await reasons(signer, [await sound()], "required")).toEqual([undefined]);
    expect(await reasons(signer, [await event(signer)], "required")).toEqual([REASON]);
  });
});

describe.concurrent("schemas at ingest", () => {
  it("come after the policy and before the command", async () => {
    const signer = await agentWithSchema();
    const commandId = crypto.randomUUID();
    const first = await order(signer, { total: "1" }, { commandId });
    await accept(signer, first);
    const policy = { tenantId: signer.tenantId, allowedEventTypes: [TYPE], allowedEntityTypes: ["order"] };
    const put = await call("PUT", `/api/v1/agents/${signer.agentId}/policy`, { body: policy });
    expect(put.status).toBe(200);
    const forbidden = await order(signer, { total: 1 }, { entityType: "invoice" });
    const both = await order(signer, { total: 1 }, { commandId });
    const used = await order(signer, { total: "2" }, { commandId });
    const { body } = await ingest(signer, [used, both, forbidden], mode("enforce"));
    expect(body.rejections?.map(({ event_id: id, reason }) => [id, reason])).toEqual([
      [both["event_id"], REASON],
      [forbidden["event_id"], "policy_violation: allowedEntityTypes"],
      [used["event_id"], "duplicate_command_id"],
    ]);
    await expectLog(signer, [first]);
  });

  it("count from the answer on for every stream, newer and older ones alike", { timeout: 30_000 }, async () => {
    const signer = await newAgent();
    await accept(signer, await order(signer, { total: 1 }));
    const first = await register(signer);
    expect(await reasons(signer, [await order(signer, { total: 1 })], "enforce")).toEqual([REASON]);
    await register(signer, true);
    expect(await reasons(signer, [await order(signer, { total: 1 })], "enforce")).toEqual([undefined]);
    const latest = await call<{ id: string }>(
      "GET",
      url(`/api/v1/schemas/event-type/${TYPE}/latest`, { tenant_id: signer.tenantId }),
    );
    const remove = await call("DELETE", url(`/api/v1/schemas/${latest.body.id}`, { tenant_id: signer.tenantId }));
    expect(remove.status).toBe(200);
    expect(await reasons(signer, [await order(signer, { total: 1 })], "enforce")).toEqual([REASON]);
    const status = url(`/api/v1/schemas/${first}/status`, { tenant_id: signer.tenantId });
    expect((await call("PUT", status, { body: { status: "archived" } })).status).toBe(200);
    expect(await reasons(signer, [await order(signer, { total: 1 })], "enforce")).toEqual([undefined]);
  });

  it("do not undo what was accepted: a repetition has its receipt", async () => {
    const signer = await newAgent();
    const stored = await order(signer, { total: 1 });
    const receipts = await accept(signer, stored);
    await register(signer);
    const reply = await ingest(signer, [stored, await order(signer, { total: 1 })], mode("enforce"));
    expect(reply.body).toMatchObject({
      eventsAccepted: 0,
      eventsRejected: 1,
      receipts,
      rejections: [{ reason: REASON, message: BAD }],
    });
  });

  it("serve a request of many event types", async () => {
    const signer = await agentWithSchema();
    const others = await Promise.all(
      Array.from({ length: 50 }, (_, n) => event(signer, { eventType: `inventory.t${n}` })),
    );
    const events = [...others, await order(signer, { total: 1 })];
    const expected = [...others.map(() => undefined), REASON];
    expect(await reasons(signer, events, "enforce")).toEqual(expected);
  });
});

/** The line of the log that docs/schemas.md shows, written over several. */
function documentedLine(): string {
  const documents = import.meta.glob("../../../docs/schemas.md", { query: "?raw", import: "default", eager: true });
  return /```json\n(\{\s*"level".*?)```/s.exec(Object.values(documents)[0] ?? "")?.[1] ?? "null";
}

/** A value with nothing but the names of its members. */
function namesIn(value: unknown): JsonValue {
  if (Array.isArray(value)) return value.map((item) => namesIn(item));
  if (typeof value !== "object" || value === null) return null;
  return Object.entries(value).map(([name, inner]) => [name, namesIn(inner)]);
}

it("in warn mode the log has one line for a request, with what was accepted so", async () => {
  const signer = await agentWithSchema();
  const refused = { ...(await order(signer, { total: 1 })), agent_signature: `0x${"00".repeat(64)}` };
  const events = await Promise.all(Array.from({ length: 7 }, () => order(signer, { total: "secret", lines: [0] })));
  const log = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const { settings } = mode("warn");
  const sent = [...events, refused, await order(signer, { total: "1" })];
  const reply = await ingest(signer, sent, { settings: { ...settings, LOG_LEVEL: "warn" } });
  const lines = log.mock.calls.map(([line]) => String(line));
  log.mockRestore();
  expect(reply.body).toMatchObject({ eventsAccepted: 8, eventsRejected: 1 });
  expect(reply.text).not.toContain("warning");
  expect(lines).toHaveLength(1);
  const line = JSON.parse(lines[0] ?? "") as { events: number; first: readonly Wire[] };
  const { tenantId, storeId, agentId } = signer;
  const message = "events do not match their schemas";
  expect(line).toMatchObject({ level: "warn", message, tenant_id: tenantId, store_id: storeId, agent_id: agentId });
  expect(line.events).toBe(7);
  expect(line.first).toHaveLength(5);
  expect(line.first[0]).toEqual({
    eventId: textOf(events[0], "event_id"),
    eventType: TYPE,
    schemaId: expect.any(String) as string,
    schemaVersion: 1,
    message: "Not as version 1 of the schema of order.created has it: /lines/0 must be at least 1",
  });
  expect(lines[0]).not.toContain("secret");
  expect(namesIn(JSON.parse(documentedLine()))).toEqual(namesIn({ ...line, first: line.first.slice(0, 1) }));
});

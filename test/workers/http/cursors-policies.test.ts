import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/errors.ts";
import {
  accept,
  call,
  detailsOf,
  event,
  expectError,
  expectLog,
  expectNothingStored,
  ingest,
  mint,
  newAgent,
  type Reply,
  streamQuery,
  url,
  type Wire,
} from "./harness.ts";

type Agent = Awaited<ReturnType<typeof newAgent>>;

describe("cursors", () => {
  const read = (signer: Agent, agentId = signer.agentId, key?: string): Promise<Reply<Wire>> =>
    call("GET", url(`/api/v1/ves/cursors/${agentId}`, streamQuery(signer)), key === undefined ? {} : { key });
  const put = (
    signer: Agent,
    sequenceNumber: unknown,
    key?: string,
    agentId = signer.agentId,
  ): Promise<Reply<Wire>> => {
    const { tenantId, storeId } = signer;
    const body = { tenantId, storeId, sequenceNumber };
    return call("PUT", `/api/v1/ves/cursors/${agentId}`, { body, ...(key === undefined ? {} : { key }) });
  };
  const state = ({ tenantId, storeId, agentId }: Agent, acknowledged: number, head: number) => ({
    tenantId,
    storeId,
    agentId,
    acknowledgedSequence: acknowledged,
    headSequence: head,
    lag: head - acknowledged,
  });

  it("move up to the head and never down", async () => {
    const signer = await newAgent();
    expect((await read(signer)).body).toEqual({ ...state(signer, 0, 0), updatedAt: null });
    expect((await put(signer, 0)).body).toEqual({ ...state(signer, 0, 0), updatedAt: null });
    expectError(await put(signer, 1), "INVALID_FIELD_VALUE", "sequenceNumber 1 lies above the head, 0");
    await expectNothingStored(signer);

    const events = await Promise.all(Array.from({ length: 3 }, () => event(signer)));
    await accept(signer, ...events);
    const second = await put(signer, 2);
    expect(second.body).toEqual({ ...state(signer, 2, 3), updatedAt: expect.stringMatching(/\+00:00$/) as string });
    for (const sequenceNumber of [0, 1, 2]) expect((await put(signer, sequenceNumber)).body).toEqual(second.body);
    expectError(await put(signer, 4), "INVALID_FIELD_VALUE", "sequenceNumber 4 lies above the head, 3");
    expectError(
      await put(signer, 2 ** 53 - 1),
      "INVALID_FIELD_VALUE",
      "sequenceNumber 9007199254740991 lies above the head, 3",
    );
    expect((await read(signer)).body).toEqual(second.body);
    expect((await put(signer, 3)).body).toMatchObject(state(signer, 3, 3));
    await expectLog(signer, events);
  });

  it("belong to one agent: its own credential, even a read-only one, and administrators may use them", async () => {
    const signer = await newAgent();
    await accept(signer, await event(signer));
    const own = await mint(signer, { readOnly: true });
    const other = await mint({ ...signer, agentId: crypto.randomUUID() });
    const admin = await mint({ ...signer, agentId: crypto.randomUUID() }, { admin: true });
    expectError(await read(signer, signer.agentId, other), "INSUFFICIENT_PERMISSIONS", "Admin permission required");
    expectError(await put(signer, 1, other), "INSUFFICIENT_PERMISSIONS", "Admin permission required");
    expect((await read(signer)).body).toMatchObject(state(signer, 0, 1));
    expect((await put(signer, 1, own)).body).toMatchObject(state(signer, 1, 1));
    expect((await read(signer, signer.agentId, admin)).body).toMatchObject(state(signer, 1, 1));
    const second = crypto.randomUUID();
    expect((await read(signer, second)).body).toMatchObject(state({ ...signer, agentId: second }, 0, 1));
  });

  it.each<[unknown, string]>([
    [-1, "Too small: expected number to be >=0"],
    [1.5, "Invalid input: expected int, received number"],
    ["1", "Invalid input: expected number, received string"],
    [2 ** 53, "Too big: expected int to be <=9007199254740991"],
    [undefined, "Invalid input: expected number, received undefined"],
  ])("422: sequenceNumber %j", async (sequenceNumber, message) => {
    const reply = await put(await newAgent(), sequenceNumber);
    expectError(reply, "UNPROCESSABLE", `sequenceNumber: ${message}`);
    expect(detailsOf(reply)).toContainEqual({ path: "sequenceNumber", message });
  });

  it("snake_case is accepted", async () => {
    const signer = await newAgent();
    const body = { tenant_id: signer.tenantId, store_id: signer.storeId, sequence_number: 0 };
    expect((await call("PUT", `/api/v1/ves/cursors/${signer.agentId}`, { body })).status).toBe(200);
  });
});

const policyPath = ({ agentId }: Agent) => `/api/v1/agents/${agentId}/policy`;
const readPolicy = (signer: Agent): Promise<Reply> =>
  call("GET", url(policyPath(signer), { tenant_id: signer.tenantId }));
const putPolicy = (signer: Agent, policy: Wire): Promise<Reply> =>
  call("PUT", policyPath(signer), { body: { tenantId: signer.tenantId, ...policy } });

describe("policies that are refused leave none", () => {
  const many = Array.from({ length: 129 }, (_, index) => `t${index}`);
  const RULE = "is neither a name, nor *, nor a prefix followed by *";
  it.each<[Wire, ErrorCode, string]>([
    [{ allowedEventTypes: many }, "INVALID_FIELD_VALUE", "allowedEventTypes may hold 128 rules"],
    [{ allowedEntityTypes: many }, "INVALID_FIELD_VALUE", "allowedEntityTypes may hold 128 rules"],
    [{ allowedEventTypes: [""] }, "INVALID_FIELD_VALUE", `allowedEventTypes: "" ${RULE}`],
    [{ allowedEventTypes: ["a*b"] }, "INVALID_FIELD_VALUE", `allowedEventTypes: "a*b" ${RULE}`],
    [{ allowedEventTypes: ["**"] }, "INVALID_FIELD_VALUE", `allowedEventTypes: "**" ${RULE}`],
    [{ allowedEntityTypes: ["*.x"] }, "INVALID_FIELD_VALUE", `allowedEntityTypes: "*.x" ${RULE}`],
    [{ allowedEventTypes: ["é".repeat(129)] }, "INVALID_FIELD_VALUE", "allowedEventTypes: a rule may have 256 bytes"],
    [{ allowedEntityTypes: ["x".repeat(129)] }, "INVALID_FIELD_VALUE", "allowedEntityTypes: a rule may have 128 bytes"],
    [{ maxPayloadBytes: 0 }, "INVALID_FIELD_VALUE", "maxPayloadBytes must be 1 to 10485760"],
    [{ maxPayloadBytes: -5 }, "INVALID_FIELD_VALUE", "maxPayloadBytes must be 1 to 10485760"],
    [{ maxPayloadBytes: 10_485_761 }, "INVALID_FIELD_VALUE", "maxPayloadBytes must be 1 to 10485760"],
    [{ maxPayloadBytes: 1.5 }, "INVALID_FIELD_VALUE", "maxPayloadBytes must be 1 to 10485760"],
    [{ maxPayloadBytes: "5" }, "UNPROCESSABLE", "maxPayloadBytes: Invalid input: expected number, received string"],
    [{ allowedEventTypes: "*" }, "UNPROCESSABLE", "allowedEventTypes: Invalid input: expected array, received string"],
    [
      { allowedEntityTypes: [7] },
      "UNPROCESSABLE",
      "allowedEntityTypes.0: Invalid input: expected string, received number",
    ],
    [
      { requireBaseVersion: "yes" },
      "UNPROCESSABLE",
      "requireBaseVersion: Invalid input: expected boolean, received string",
    ],
    [{ enabled: 1 }, "UNPROCESSABLE", "enabled: Invalid input: expected boolean, received number"],
    [{ tenantId: undefined }, "UNPROCESSABLE", "tenantId: Invalid input: expected string, received undefined"],
  ])("%j", async (policy, code, message) => {
    const signer = await newAgent();
    expectError(await putPolicy(signer, policy), code, message);
    expectError(await readPolicy(signer), "POLICY_NOT_FOUND", "Agent policy not found");
    await accept(signer, await event(signer));
  });
});

// Each PUT takes two seconds by design, so these run side by side.
describe.concurrent("policies", () => {
  it("are answered whole, with defaults, lists sorted and unique", async () => {
    const signer = await newAgent();
    const given = {
      allowedEventTypes: ["b", "a*", "b"],
      allowedEntityTypes: ["z", "x".repeat(128)],
      maxPayloadBytes: 10_485_760,
    };
    const stored = {
      tenantId: signer.tenantId,
      agentId: signer.agentId,
      allowedEventTypes: ["a*", "b"],
      allowedEntityTypes: ["x".repeat(128), "z"],
      requireBaseVersion: true,
      maxPayloadBytes: 10_485_760,
      enabled: true,
    };
    expect((await putPolicy(signer, given)).body).toEqual(stored);
    expect((await readPolicy(signer)).body).toEqual(stored);
    const snake = {
      allowed_event_types: Array.from({ length: 128 }, (_, index) => `t${index}`),
      require_base_version: false,
      enabled: false,
      max_payload_bytes: null,
    };
    expect((await putPolicy(signer, snake)).body).toMatchObject({
      requireBaseVersion: false,
      enabled: false,
      maxPayloadBytes: null,
      allowedEntityTypes: [],
    });
    // One that is not enabled forbids nothing.
    await accept(signer, await event(signer));
  });

  it("enabled and empty: deny all, for this agent only", async () => {
    const signer = await newAgent();
    const other = await newAgent(signer.tenantId, signer.storeId);
    const stored = await event(signer);
    const receipts = await accept(signer, stored);
    expect((await putPolicy(signer, {})).status).toBe(200);
    const reply = await ingest(signer, [await event(signer), stored]);
    const message = "The agent may not record events of type inventory.adjusted";
    expect(reply.body).toMatchObject({
      eventsAccepted: 0,
      eventsRejected: 1,
      receipts,
      rejections: [{ reason: "policy_violation: allowedEventTypes", message }],
    });
    await expectLog(signer, [stored]);
    await accept(other, await event(other));
  });

  it("each rule, exact and by prefix, in their order", async () => {
    const signer = await newAgent();
    const policy = {
      allowedEventTypes: ["order.*", "x.created"],
      allowedEntityTypes: ["order", "ord-*"],
      maxPayloadBytes: 20,
    };
    expect((await putPolicy(signer, policy)).status).toBe(200);
    const fact = { entityType: "order", eventType: "order.updated", baseVersion: 0, payload: { a: "0123456789" } };
    const refused = async (change: object, rule: string, message: string): Promise<void> =>
      expectRejectedBeside(signer, { ...fact, ...change }, `policy_violation: ${rule}`, message);
    await refused(
      { eventType: "x.createdx" },
      "allowedEventTypes",
      "The agent may not record events of type x.createdx",
    );
    await refused({ eventType: "order" }, "allowedEventTypes", "The agent may not record events of type order");
    await refused(
      { eventType: "Order.updated" },
      "allowedEventTypes",
      "The agent may not record events of type Order.updated",
    );
    await refused({ entityType: "orders" }, "allowedEntityTypes", "The agent may not record events of orders entities");
    await refused({ baseVersion: undefined }, "requireBaseVersion", "The agent must send base_version with this event");
    await refused(
      { payload: { a: "01234567890é" } },
      "maxPayloadBytes",
      "The agent's payloads may have 20 bytes, this one has 21",
    );
    await refused(
      { eventType: "y", entityType: "z", payload: "x".repeat(30) },
      "allowedEventTypes",
      "The agent may not record events of type y",
    );
    await refused(
      { entityType: "z", baseVersion: undefined, payload: "x".repeat(30) },
      "allowedEntityTypes",
      "The agent may not record events of z entities",
    );
    await refused(
      { baseVersion: undefined, payload: "x".repeat(30) },
      "requireBaseVersion",
      "The agent must send base_version with this event",
    );
    const sound = await Promise.all([
      event(signer, fact),
      event(signer, { ...fact, entityType: "ord-" }),
      event(signer, { entityType: "order", eventType: "order.created", payload: {} }),
      event(signer, { entityType: "order", eventType: "x.created", payload: {} }),
      event(signer, { ...fact, payload: { a: "012345678901" } }),
    ]);
    await accept(signer, ...sound);
  });

  it("come after the signature and before the command", async () => {
    const signer = await newAgent();
    const commandId = crypto.randomUUID();
    const first = await event(signer, { commandId });
    await accept(signer, first);
    expect((await putPolicy(signer, { allowedEventTypes: ["*"], allowedEntityTypes: ["order*"] })).status).toBe(200);
    const bad = await event(signer, { commandId });
    const forged = { ...(await event(signer, { commandId })), agent_signature: "0x" + "00".repeat(64) };
    const reply = await ingest(signer, [bad, forged]);
    expect(reply.body.rejections?.map(({ reason }) => reason)).toEqual([
      "policy_violation: allowedEntityTypes",
      "invalid_signature",
    ]);
    await expectLog(signer, [first]);
  });

  it("an agent's own credential may read its policy, not set it", async () => {
    const signer = await newAgent();
    const key = await mint(signer);
    const body = { tenantId: signer.tenantId, enabled: false };
    expectError(
      await call("PUT", policyPath(signer), { key, body }),
      "INSUFFICIENT_PERMISSIONS",
      "Admin permission required",
    );
    expectError(
      await call("GET", url(policyPath(signer), { tenant_id: signer.tenantId }), { key }),
      "POLICY_NOT_FOUND",
      "Agent policy not found",
    );
    expect((await putPolicy(signer, { enabled: false })).status).toBe(200);
    expect((await call("GET", url(policyPath(signer), { tenant_id: signer.tenantId }), { key })).body).toMatchObject({
      enabled: false,
    });
  });
});

/** The event must be rejected so, while one beside it that obeys the policy is accepted. */
async function expectRejectedBeside(signer: Agent, fact: object, reason: string, message: string): Promise<void> {
  const bad = await event(signer, fact);
  const good = await event(signer, { entityType: "order", eventType: "order.created", payload: {} });
  const reply = await ingest(signer, [bad, good]);
  const id = bad["event_id"];
  expect(reply.body.rejections).toEqual([{ eventId: id, event_id: id, reason, message }]);
  expect(reply.body.receipts?.map(({ eventId }) => eventId)).toEqual([good["event_id"]]);
}

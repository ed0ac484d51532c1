import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/errors.ts";
import { call, detailsOf, expectError, mint, type Reply, url, type Wire } from "./harness.ts";

const PATH = "/api/v1/schemas";
const TYPE = "order.created";
const UNKNOWN = "There is no schema with this id";

const order = { type: "object", required: ["total"], properties: { total: { type: "string" } } };

interface Registered {
  readonly id: string;
  readonly version: number;
  readonly createdAt: string;
}

function register(tenantId: string, change: Wire = {}, key?: string): Promise<Reply<Registered>> {
  const body = { tenantId, eventType: TYPE, schemaJson: order, ...change };
  return call("POST", PATH, { body, ...(key === undefined ? {} : { key }) });
}

async function registered(tenantId: string, change: Wire = {}): Promise<Registered> {
  const reply = await register(tenantId, change);
  expect(reply.status).toBe(200);
  return reply.body;
}

function get(path: string, query: Record<string, string | number | undefined>, key?: string): Promise<Reply<Wire>> {
  return call("GET", url(`${PATH}${path}`, query), key === undefined ? {} : { key });
}

function validate(tenantId: string, change: Wire, key?: string): Promise<Reply> {
  const body = { tenantId, eventType: TYPE, payload: {}, ...change };
  return call("POST", `${PATH}/validate`, { body, ...(key === undefined ? {} : { key }) });
}

describe("a schema that cannot be registered leaves none", () => {
  const CHARACTERS = 102_400 - '{"$comment":""}'.length;
  it.each<[string, Wire, ErrorCode, string]>([
    [
      "no type",
      { eventType: undefined },
      "UNPROCESSABLE",
      "eventType: Invalid input: expected string, received undefined",
    ],
    ["an empty type", { eventType: "" }, "UNPROCESSABLE", "eventType: expected 1 to 256 bytes"],
    ["a long type", { eventType: "é".repeat(129) }, "UNPROCESSABLE", "eventType: expected 1 to 256 bytes"],
    ["U+0000", { eventType: "a\0" }, "UNPROCESSABLE", "eventType: contains U+0000"],
    ["no schema", { schemaJson: undefined }, "UNPROCESSABLE", "schemaJson: expected an object, true or false"],
    ["a list", { schemaJson: [] }, "UNPROCESSABLE", "schemaJson: expected an object, true or false"],
    ["a text", { schemaJson: "{}" }, "UNPROCESSABLE", "schemaJson: expected an object, true or false"],
    [
      "a long description",
      { description: "é".repeat(1025) },
      "UNPROCESSABLE",
      "description: expected at most 2048 bytes",
    ],
    [
      "an unknown compatibility",
      { compatibility: "total" },
      "UNPROCESSABLE",
      'compatibility: Invalid option: expected one of "backward"|"forward"|"full"|"none"',
    ],
    [
      "an unknown type",
      { schemaJson: { properties: { a: { type: "money" } } } },
      "INVALID_SCHEMA",
      "schemaJson/properties/a/type must be of null, boolean, integer, number, string, array, object, or a list of them",
    ],
    [
      "another document",
      { schemaJson: { $ref: "https://example.com/schema.json" } },
      "INVALID_SCHEMA",
      "schemaJson/$ref must lead to a place within this schema: # and a JSON pointer",
    ],
    [
      "a hostile pattern",
      { schemaJson: { pattern: "^(a+)+\\1$" } },
      "INVALID_SCHEMA",
      "schemaJson/pattern refers back to what it matched, which is not served",
    ],
    [
      "no end",
      { schemaJson: { allOf: [{ $ref: "#" }] } },
      "INVALID_SCHEMA",
      "schemaJson refers to itself without going into the value",
    ],
    [
      "too large",
      { schemaJson: { $comment: "x".repeat(CHARACTERS + 1) } },
      "PAYLOAD_TOO_LARGE",
      "A schema may have 102400 bytes as canonical JSON",
    ],
  ])("%s", async (_, change, code, message) => {
    const tenantId = crypto.randomUUID();
    const reply = await register(tenantId, change);
    expectError(reply, code, message);
    if (code === "INVALID_SCHEMA") expect(detailsOf(reply)).toHaveLength(1);
    expect((await get("", { tenant_id: tenantId })).body).toEqual({ schemas: [], count: 0 });
  });
});

// What changes schemas waits for the leases of a new registry object, so these run side by side.
describe.concurrent("schemas", () => {
  it("are answered whole, by id, by event type, by version and as the latest", async () => {
    const tenantId = crypto.randomUUID();
    const tenant = { tenant_id: tenantId };
    const first = await registered(tenantId, { description: "as sold" });
    expect(first).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      eventType: TYPE,
      version: 1,
      createdAt: expect.stringMatching(/\+00:00$/) as string,
    });
    const second = await registered(tenantId, { schemaJson: true, compatibility: "backward" });
    const other = await registered(tenantId, { eventType: "a/b c", schemaJson: false });
    const whole = (of: Registered, change: Wire): Wire => ({
      id: of.id,
      tenantId,
      eventType: TYPE,
      version: of.version,
      status: "active",
      compatibility: "backward",
      description: null,
      createdAt: of.createdAt,
      updatedAt: of.createdAt,
      createdBy: null,
      ...change,
    });
    const schemas = [
      whole(other, { eventType: "a/b c", schemaJson: false }),
      whole(second, { schemaJson: true }),
      whole(first, { schemaJson: order, description: "as sold" }),
    ];
    expect((await get("", tenant)).body).toEqual({ schemas, count: 3 });
    expect((await get(`/${first.id}`, tenant)).body).toEqual(schemas[2]);
    const ofType = `/event-type/${TYPE}`;
    expect((await get(ofType, tenant)).body).toEqual({ schemas: schemas.slice(1), count: 2 });
    // Some clients name the event type twice.
    expect((await get(ofType, { ...tenant, event_type: TYPE })).body).toEqual({ schemas: schemas.slice(1), count: 2 });
    expect((await get(ofType, { ...tenant, version: 1 })).body).toEqual({ schema: schemas[2] });
    expect((await get(`${ofType}/latest`, tenant)).body).toEqual(schemas[1]);
    expect((await get("/event-type/a%2Fb%20c/latest", tenant)).body).toEqual(schemas[0]);
    expect((await get("/event-type/none", tenant)).body).toEqual({ schemas: [], count: 0 });
    expectError(await get(ofType, { ...tenant, version: 3 }), "SCHEMA_NOT_FOUND", `${TYPE} has no schema of version 3`);
    expectError(await get("/event-type/none/latest", tenant), "SCHEMA_NOT_FOUND", "none has no active schema");
    expectError(await get(`/${crypto.randomUUID()}`, tenant), "SCHEMA_NOT_FOUND", UNKNOWN);
    for (const version of ["0", "-1", "x", "1.0"]) {
      expectError(await get(ofType, { ...tenant, version }), "INVALID_FIELD_VALUE", /^version: /);
    }
    expectError(await get("/not-an-id", tenant), "INVALID_FIELD_VALUE", /^id: /);
  });

  it("are registered once: the same again answers the same, in snake_case too", async () => {
    const tenantId = crypto.randomUUID();
    const first = await registered(tenantId);
    const body = {
      tenant_id: tenantId,
      event_type: TYPE,
      schema_json: { properties: { total: { type: "string" } }, required: ["total"], type: "object" },
    };
    expect((await call("POST", PATH, { body })).body).toEqual(first);
    expect((await get("", { tenant_id: tenantId })).body).toMatchObject({ count: 1 });
  });

  it("incompatible ones are refused with what is incompatible", async () => {
    const tenantId = crypto.randomUUID();
    await registered(tenantId);
    const next = { type: "object", required: ["total", "currency"], properties: { total: { type: "number" } } };
    const backward = await register(tenantId, { schemaJson: next });
    expectError(backward, "SCHEMA_INCOMPATIBLE", "The schema is not backward compatible with version 1");
    expect(detailsOf(backward)).toEqual([
      { path: "/required", message: 'the new version requires "currency", version 1 does not' },
      { path: "/properties/total/type", message: "version 1 allows string, the new version does not" },
    ]);
    const forward = await register(tenantId, { schemaJson: next, compatibility: "forward" });
    expectError(forward, "SCHEMA_INCOMPATIBLE", "The schema is not forward compatible with version 1");
    expect(detailsOf(forward)).toEqual([
      { path: "/properties/total/type", message: "the new version allows number, integer, version 1 does not" },
    ]);
    expect((await registered(tenantId, { schemaJson: next, compatibility: "none" })).version).toBe(2);
  });

  it("have a status, which decides which one counts; a deleted one's version is not given again", async () => {
    const tenantId = crypto.randomUUID();
    const tenant = { tenant_id: tenantId };
    const first = await registered(tenantId, { schemaJson: true });
    const second = await registered(tenantId, { schemaJson: order, compatibility: "none" });
    const put = (id: string, status: unknown): Promise<Reply> =>
      call("PUT", url(`${PATH}/${id}/status`, tenant), { body: { status } });
    expect((await put(second.id, "deprecated")).body).toEqual({
      success: true,
      schema_id: second.id,
      new_status: "deprecated",
    });
    expect((await get(`/${second.id}`, tenant)).body).toMatchObject({ status: "deprecated" });
    expect((await get(`/event-type/${TYPE}/latest`, tenant)).body).toMatchObject({ id: first.id });
    expectError(
      await put(second.id, "gone"),
      "UNPROCESSABLE",
      'status: Invalid option: expected one of "active"|"deprecated"|"archived"',
    );
    expectError(await put(crypto.randomUUID(), "active"), "SCHEMA_NOT_FOUND", UNKNOWN);

    const remove = (): Promise<Reply> => call("DELETE", url(`${PATH}/${second.id}`, tenant));
    expect((await remove()).body).toEqual({ success: true, deleted_schema_id: second.id });
    expectError(await remove(), "SCHEMA_NOT_FOUND", UNKNOWN);
    expectError(await get(`/${second.id}`, tenant), "SCHEMA_NOT_FOUND", UNKNOWN);
    expect((await registered(tenantId, { schemaJson: order, compatibility: "none" })).version).toBe(3);
  });

  it("belong to a tenant: its credentials need not name it, the bootstrap administrator must", async () => {
    const [tenantId, agentId] = [crypto.randomUUID(), crypto.randomUUID()];
    const key = await mint({ tenantId, agentId }, { storeIds: [crypto.randomUUID()] });
    const reader = await mint({ tenantId, agentId }, { readOnly: true, storeIds: [crypto.randomUUID()] });
    const { body: first } = await register(tenantId, {}, key);
    expect((await get(`/${first.id}`, {}, reader)).body).toMatchObject({ id: first.id, tenantId, createdBy: agentId });
    expect((await get("", {}, reader)).body).toMatchObject({ count: 1 });
    expect((await validate(tenantId, {}, reader)).body).toMatchObject({ valid: false });
    const missing = "The bootstrap administrator must name the tenant";
    for (const path of ["", `/${first.id}`, `/event-type/${TYPE}`, `/event-type/${TYPE}/latest`]) {
      expectError(await get(path, {}), "MISSING_REQUIRED_FIELD", missing);
    }
    expectError(await call("DELETE", `${PATH}/${first.id}`), "MISSING_REQUIRED_FIELD", missing);
    const status = { body: { status: "active" } };
    expectError(await call("PUT", `${PATH}/${first.id}/status`, status), "MISSING_REQUIRED_FIELD", missing);
    expectError(
      await call("DELETE", `${PATH}/${first.id}`, { key }),
      "INSUFFICIENT_PERMISSIONS",
      "Admin permission required",
    );
    const foreign = await mint({ tenantId: crypto.randomUUID(), agentId });
    expectError(await get(`/${first.id}`, {}, foreign), "SCHEMA_NOT_FOUND", UNKNOWN);
  });

  it("tell whether a payload would pass", async () => {
    const tenantId = crypto.randomUUID();
    const none = { valid: true, schemaId: null, schemaVersion: null, errors: [] };
    expect((await validate(tenantId, { payload: null })).body).toEqual(none);
    const first = await registered(tenantId);
    const second = await registered(tenantId, { schemaJson: { type: ["object", "null"] } });
    const by = ({ id, version }: Registered) => ({ schemaId: id, schemaVersion: version });
    expect((await validate(tenantId, { payload: null })).body).toEqual({ valid: true, ...by(second), errors: [] });
    expect((await validate(tenantId, { payload: { total: 5 }, schemaVersion: 1 })).body).toEqual({
      valid: false,
      ...by(first),
      errors: [{ path: "/total", message: "must be of type string" }],
    });
    const snake = { tenant_id: tenantId, event_type: TYPE, payload: "x", schema_version: 2 };
    expect((await call("POST", `${PATH}/validate`, { body: snake })).body).toEqual({
      valid: false,
      ...by(second),
      errors: [{ path: "", message: "must be of type object or null" }],
    });
    expectError(
      await validate(tenantId, { schemaVersion: 9 }),
      "SCHEMA_NOT_FOUND",
      `${TYPE} has no schema of version 9`,
    );
    expectError(await validate(tenantId, { payload: undefined }), "UNPROCESSABLE", "payload: Required");
    expectError(
      await validate(tenantId, { payload: "x".repeat(1024 * 1024) }),
      "PAYLOAD_TOO_LARGE",
      "A payload may have 1048576 bytes as canonical JSON",
    );
  });

  it("are limited for each event type", { timeout: 30_000 }, async () => {
    const tenantId = crypto.randomUUID();
    for (let n = 0; n < 100; n++) await registered(tenantId, { schemaJson: { const: n }, compatibility: "none" });
    expectError(
      await register(tenantId, { schemaJson: true }),
      "LIMIT_REACHED",
      "An event type may have 100 schemas: delete one first",
    );
  });
});

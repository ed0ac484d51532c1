import { describe, expect, test } from "vitest";
import { tenantMigrations } from "../../migrations/tenant/index.ts";
import type { Schema } from "../../src/event-schemas/schema.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { registryVersion } from "../../src/tenant/registry.ts";
import type { SchemaRegistration, SchemaRegistrationResult } from "../../src/tenant/schema-messages.ts";
import * as schemas from "../../src/tenant/schemas.ts";
import { canonicalJson } from "../../src/ves/index.ts";
import { changeAt } from "../support/audit.ts";
import { uuid } from "../support/checked-events.ts";
import { nodeStore } from "../support/node-store.ts";

let ids = 0;

function registration(schema: Schema, change: Partial<SchemaRegistration> = {}): SchemaRegistration {
  return {
    eventType: "order.created",
    schemaText: canonicalJson(schema),
    description: null,
    compatibility: "none",
    createdBy: null,
    ...change,
  };
}

function register(store: ReturnType<typeof nodeStore>, schema: Schema, change: Partial<SchemaRegistration> = {}) {
  const identity = { schemaId: uuid(9, ++ids), ...changeAt(100 + ids) };
  return schemas.registerSchema(store, registration(schema, change), identity);
}

function registered(result: SchemaRegistrationResult) {
  if (result.kind !== "registered") throw new Error(`not registered: ${result.kind}`);
  return result.schema;
}

const number = (n: number): Schema => ({ const: n });

describe("schemas", () => {
  test("are numbered from 1 for each event type, and found by id, by version and as the active one", () => {
    const store = nodeStore();
    const change = { description: "as sold", compatibility: "full", createdBy: uuid(3, 1) } as const;
    const first = registered(register(store, true, change));
    expect(first).toEqual({
      ...change,
      schemaId: uuid(9, ids),
      eventType: "order.created",
      version: 1,
      status: "active",
      createdAt: 100 + ids,
      updatedAt: 100 + ids,
      schemaText: "true",
    });
    const second = registered(register(store, { type: "object" }));
    const other = registered(register(store, true, { eventType: "order.cancelled" }));
    expect([second.version, other.version]).toEqual([2, 1]);
    expect(schemas.listSchemas(store)).toEqual([other, second, first]);
    expect(schemas.listSchemas(store, "order.created")).toEqual([second, first]);
    expect(schemas.listSchemas(store, "order")).toEqual([]);
    expect(schemas.findSchema(store, first.schemaId)).toEqual(first);
    expect(schemas.findSchema(store, uuid(9, 0))).toBeNull();
    expect(schemas.schemaVersion(store, "order.created", 1)).toEqual(first);
    expect(schemas.schemaVersion(store, "order.created", 3)).toBeNull();
    expect(schemas.activeSchema(store, "order.created")).toEqual(second);
    expect(schemas.activeSchemas(store, ["order.created", "none"])).toEqual(
      new Map([
        ["order.created", { schemaId: second.schemaId, version: 2 }],
        ["none", null],
      ]),
    );
    expect(schemas.schemaTexts(store, [first.schemaId, uuid(9, 0)])).toEqual(new Map([[first.schemaId, "true"]]));
  });

  test("are answered again when the latest active version says the same, whatever the order of its members", () => {
    const store = nodeStore();
    const first = registered(register(store, { type: "object", required: ["a"] }));
    const version = registryVersion(store);
    expect(registered(register(store, { required: ["a"], type: "object" }, { compatibility: "full" }))).toEqual(first);
    expect(registryVersion(store)).toBe(version);
    const second = registered(register(store, true));
    // It is not the latest any more.
    expect(registered(register(store, { type: "object", required: ["a"] })).version).toBe(3);
    schemas.setSchemaStatus(store, second.schemaId, "archived", changeAt(500));
    expect(registered(register(store, true)).version).toBe(4);
  });

  test("count while they are active; the highest active version is what events are held to", () => {
    const store = nodeStore();
    const first = registered(register(store, true));
    const second = registered(register(store, { type: "object" }));
    expect(schemas.setSchemaStatus(store, second.schemaId, "deprecated", changeAt(500))).toBe(true);
    expect(schemas.activeSchema(store, "order.created")).toEqual(first);
    expect(schemas.findSchema(store, second.schemaId)).toEqual({ ...second, status: "deprecated", updatedAt: 500 });
    schemas.setSchemaStatus(store, first.schemaId, "archived", changeAt(501));
    expect(schemas.activeSchema(store, "order.created")).toBeNull();
    schemas.setSchemaStatus(store, second.schemaId, "active", changeAt(502));
    expect(schemas.activeSchema(store, "order.created")?.version).toBe(2);
    expect(schemas.setSchemaStatus(store, uuid(9, 0), "active", changeAt(503))).toBe(false);
  });

  test("that were deleted do not give their number away", () => {
    const store = nodeStore();
    registered(register(store, true));
    const second = registered(register(store, false));
    expect(schemas.deleteSchema(store, second.schemaId, changeAt(1))).toBe(true);
    expect(schemas.deleteSchema(store, second.schemaId, changeAt(1))).toBe(false);
    expect(registered(register(store, false)).version).toBe(3);
  });

  test("are compared with the latest active version, as they are asked to be", () => {
    const store = nodeStore();
    const first = registered(register(store, { type: "object" }));
    const strict = { type: "object", required: ["a"] };
    expect(register(store, strict, { compatibility: "backward" })).toEqual({
      kind: "incompatible",
      latestVersion: 1,
      problems: [{ path: "/required", message: 'the new version requires "a", version 1 does not' }],
    });
    expect(schemas.listSchemas(store)).toEqual([first]);
    expect(registered(register(store, strict, { compatibility: "forward" })).version).toBe(2);
    schemas.setSchemaStatus(store, first.schemaId, "archived", changeAt(500));
    expect(register(store, true, { compatibility: "full" }).kind).toBe("incompatible");
    expect(registered(register(store, true, { compatibility: "backward" })).version).toBe(3);
  });

  test("raise the registry's version with every change, and with nothing else", () => {
    const store = nodeStore();
    const versions: number[] = [];
    const step = (change: () => unknown): void => {
      change();
      versions.push(registryVersion(store));
    };
    let schemaId = "";
    step(() => (schemaId = registered(register(store, true)).schemaId));
    step(() => register(store, true));
    step(() => register(store, { minimum: 1 }, { compatibility: "backward" }));
    step(() => schemas.setSchemaStatus(store, schemaId, "active", changeAt(1)));
    step(() => schemas.setSchemaStatus(store, schemaId, "deprecated", changeAt(2)));
    step(() => schemas.deleteSchema(store, schemaId, changeAt(1)));
    step(() => schemas.deleteSchema(store, schemaId, changeAt(1)));
    expect(versions).toEqual([1, 1, 1, 1, 2, 3, 3]);
  });
});

describe("limits of schemas", () => {
  test("of an event type", () => {
    const store = nodeStore();
    for (let n = 0; n < schemas.MAX_SCHEMAS_PER_TYPE; n++) registered(register(store, number(n)));
    const message = "An event type may have 100 schemas: delete one first";
    expect(register(store, number(-1))).toEqual({ kind: "limit_reached", message });
    // What is there already is answered all the same.
    expect(registered(register(store, number(99))).version).toBe(100);
    expect(registered(register(store, number(-1), { eventType: "order.cancelled" })).version).toBe(1);
    schemas.deleteSchema(store, schemas.listSchemas(store, "order.created")[0]?.schemaId ?? "", changeAt(1));
    expect(registered(register(store, number(-1))).version).toBe(101);
  });

  test("of event types, deleted ones included, and of a list", () => {
    const store = nodeStore();
    for (let n = 0; n < schemas.MAX_EVENT_TYPES; n++) registered(register(store, true, { eventType: `t${n}` }));
    const message = "A tenant may have schemas for 1000 event types, deleted ones included";
    const more = { eventType: "one.more" };
    expect(register(store, true, more)).toEqual({ kind: "limit_reached", message });
    schemas.deleteSchema(store, schemas.listSchemas(store, "t0")[0]?.schemaId ?? "", changeAt(1));
    expect(register(store, true, more)).toEqual({ kind: "limit_reached", message });
    expect(registered(register(store, number(1), { eventType: "t1" })).version).toBe(2);
    registered(register(store, number(2), { eventType: "t0" }));
    const listed = schemas.listSchemas(store);
    expect(listed).toHaveLength(schemas.MAX_LISTED_SCHEMAS);
    expect(listed.slice(0, 3).map(({ eventType, version }) => `${eventType} ${version}`)).toEqual([
      "t0 2",
      "t1 2",
      "t1 1",
    ]);
  });

  test("of all schemas together, in bytes", () => {
    const store = nodeStore();
    const large = (n: number): Schema => ({ $comment: `${n}${"é".repeat(50_000)}` });
    let result = register(store, large(0));
    let n = 1;
    for (; result.kind === "registered"; n++) result = register(store, large(n), { eventType: `t${n}` });
    expect(result).toEqual({
      kind: "limit_reached",
      message: "A tenant's schemas may have 8388608 bytes together: delete some first",
    });
    expect(n - 1).toBe(Math.floor(schemas.MAX_TENANT_SCHEMA_BYTES / 100_017));
    expect(register(store, true, { eventType: "small" }).kind).toBe("registered");
  });
});

test("a registry of an earlier version gets its tables with the migration", () => {
  const store = nodeStore();
  migrate(store, tenantMigrations.slice(0, 2));
  migrate(store, tenantMigrations);
  expect(schemas.listSchemas(store)).toEqual([]);
  expect(registered(register(store, true)).version).toBe(1);
});

test("reading schemas of a registry that was never written to writes nothing", () => {
  const store = nodeStore();
  expect(schemas.listSchemas(store)).toEqual([]);
  expect(schemas.findSchema(store, uuid(9, 1))).toBeNull();
  expect(schemas.schemaVersion(store, "a", 1)).toBeNull();
  expect(schemas.activeSchemas(store, ["a"])).toEqual(new Map([["a", null]]));
  expect(schemas.setSchemaStatus(store, uuid(9, 1), "archived", changeAt(1))).toBe(false);
  expect(schemas.deleteSchema(store, uuid(9, 1), changeAt(1))).toBe(false);
  expect(store.exec("SELECT * FROM sqlite_schema")).toEqual([]);
});

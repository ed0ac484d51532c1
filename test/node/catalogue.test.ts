import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readCatalogue } from "../../scripts/lib/catalogue.ts";
import { planDay } from "../../scripts/demo/day.ts";
import { incompatibilities } from "../../src/event-schemas/compatibility.ts";
import type { Schema } from "../../src/event-schemas/schema.ts";
import { schemaProblem } from "../../src/event-schemas/schema-problem.ts";
import { compileSchema } from "../../src/event-schemas/validator.ts";
import { canonicalJson, type JsonObject, type JsonValue } from "../../src/ves/index.ts";

const STEPS = {
  order: ["created", "confirmed", "processing", "shipped", "delivered", "cancelled"],
  inventory: ["initialized", "adjusted", "reserved", "released", "fulfilled"],
  product: ["created", "updated", "activated", "deactivated"],
  customer: ["created", "updated", "address_added"],
  return: ["requested", "approved", "received", "refunded", "completed"],
};
const EVENT_TYPES = Object.entries(STEPS).flatMap(([domain, steps]) => steps.map((step) => `${domain}.${step}`));

const catalogue = new Map(readCatalogue().map(({ eventType, schema }) => [eventType, schema]));

function problemsOf(schema: Schema, payload: JsonValue) {
  return compileSchema(schema)(payload, canonicalJson(payload).length);
}

test("the catalogue has a schema for each event type, and a file for nothing else", () => {
  expect([...catalogue.keys()].toSorted()).toEqual(EVENT_TYPES.toSorted());
  const files = readdirSync(join(import.meta.dirname, "..", "..", "schemas"));
  expect(files.toSorted()).toEqual(EVENT_TYPES.map((eventType) => `${eventType}.json`).toSorted());
});

describe.each([...catalogue])("%s", (_, schema) => {
  test("can be registered, says what it is, and has valid examples", () => {
    expect(schemaProblem(schema)).toBeUndefined();
    const { title, description, examples } = schema as JsonObject;
    expect([title, description]).toEqual([expect.stringMatching(/^[A-Z]/), expect.stringMatching(/\.$/)]);
    expect(examples).not.toEqual([]);
    for (const example of examples as JsonValue[]) expect(problemsOf(schema, example)).toEqual([]);
    expect(problemsOf(schema, "text")).not.toEqual([]);
    // Shops add members of their own.
    for (const example of examples as JsonObject[]) expect(problemsOf(schema, { ...example, own: 1 })).toEqual([]);
  });

  test("is compatible with itself", () => {
    const named = { name: "it", schema };
    expect(incompatibilities({ latest: named, next: named }, "full")).toEqual([]);
  });
});

test("every payload of the demo's day matches its schema, and the day has all event types", () => {
  const seen = new Set<string>();
  for (const seed of ["1", "2"]) {
    for (const { fact } of planDay(seed, Date.UTC(2026, 0, 1), 3_000)) {
      const schema = catalogue.get(fact.eventType);
      expect([fact.eventType, problemsOf(schema ?? false, fact.payload)]).toEqual([fact.eventType, []]);
      seen.add(fact.eventType);
    }
  }
  expect([...seen].toSorted()).toEqual(EVENT_TYPES.toSorted());
});

test("the first event and README's example match theirs", () => {
  const read = (...path: string[]): string => readFileSync(join(import.meta.dirname, "..", "..", ...path), "utf8");
  const payload = /payload: (\{.*\}) \}/.exec(read("README.md"))?.[1];
  const first = /payload: (\{.*\}),\n/.exec(read("scripts", "first-event.ts"))?.[1];
  for (const text of [payload, first]) {
    const value = JSON.parse((text ?? "").replaceAll(/(\w+): /g, '"$1": ')) as JsonValue;
    expect(problemsOf(catalogue.get("order.created") ?? false, value)).toEqual([]);
  }
});

test.each<[string, JsonValue, string]>([
  ["order.created", {}, ""],
  ["order.created", { total: 42 }, "/total"],
  ["order.created", { total: "42,00" }, "/total"],
  ["order.created", { total: "1", currency: "euro" }, "/currency"],
  ["order.created", { total: "1", items: [{ sku: "A", quantity: 0 }] }, "/items/0/quantity"],
  ["order.shipped", { parcels: 1 }, ""],
  ["inventory.adjusted", { sku: "A", quantity: 0, reason: "x" }, "/quantity"],
  ["inventory.reserved", { sku: "A", quantity: 1.5, order_id: "1" }, "/quantity"],
  ["customer.created", { email: "nobody" }, "/email"],
  ["return.refunded", { amount_cents: -1, currency: "EUR" }, "/amount_cents"],
])("%s refuses %j at %j", (eventType, payload, path) => {
  expect(problemsOf(catalogue.get(eventType) ?? true, payload)[0]?.path).toBe(path);
});

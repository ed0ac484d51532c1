/* oxlint-disable unicorn/no-thenable -- "then" is a keyword of JSON Schema */
import fc from "fast-check";
import type { Schema } from "../../src/event-schemas/schema.ts";
import { schemaProblem } from "../../src/event-schemas/schema-problem.ts";
import type { JsonObject, JsonValue } from "../../src/ves/index.ts";

/*
 * Random schemas and payloads that have much to do with one another: few names, small numbers, short texts.
 */

const NAMES = ["a", "b", "c", "ab"] as const;
const PATTERNS = ["^a", "b$", "^[a-c]{1,2}$", "a|c", "^(a|bc)*$", "[^b]", "^$", "\\d"] as const;
const TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"] as const;

const name = fc.constantFrom(...NAMES);
const scalar = fc.oneof(
  fc.constantFrom<JsonValue[]>(null, true, false, "", "a", "b", "abc", "a1", "😀"),
  fc.integer({ min: -3, max: 6 }),
  fc.constantFrom(0.5, 1.5, 2.25, -0.1, 1e21),
);

/** Payloads of a few levels. */
export const payloads: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    scalar,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(name, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

const count = fc.integer({ min: 0, max: 3 });
const bound = fc.oneof(fc.integer({ min: -3, max: 5 }), fc.constantFrom(0.5, 1.5));
const types = fc.oneof(fc.constantFrom(...TYPES), fc.uniqueArray(fc.constantFrom(...TYPES), { minLength: 1 }));

/** Schemas of a few levels. Each keyword is there now and then. */
export const schemas: fc.Arbitrary<Schema> = fc.letrec<{ schema: Schema }>((tie) => {
  const schema = tie("schema");
  const some = fc.array(schema, { minLength: 1, maxLength: 3 });
  const rare = (arbitrary: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
  const keywords = {
    type: fc.option(types, { nil: undefined, freq: 1 }),
    enum: rare(fc.array(payloads, { minLength: 1, maxLength: 4 })),
    const: rare(payloads),
    minimum: rare(bound),
    maximum: rare(bound),
    exclusiveMinimum: rare(bound),
    exclusiveMaximum: rare(bound),
    multipleOf: rare(fc.constantFrom(1, 2, 3, 0.5, 0.1)),
    minLength: rare(count),
    maxLength: rare(count),
    pattern: rare(fc.constantFrom(...PATTERNS)),
    minItems: rare(count),
    maxItems: rare(count),
    uniqueItems: rare(fc.boolean()),
    prefixItems: rare(some),
    items: rare(schema),
    contains: rare(schema),
    minContains: rare(count),
    minProperties: rare(count),
    maxProperties: rare(count),
    required: rare(fc.uniqueArray(name, { maxLength: 2 })),
    properties: rare(fc.dictionary(name, schema, { maxKeys: 3, noNullPrototype: true })),
    patternProperties: rare(fc.dictionary(fc.constantFrom(...PATTERNS), schema, { maxKeys: 2, noNullPrototype: true })),
    additionalProperties: rare(schema),
    propertyNames: rare(schema),
    dependentRequired: rare(fc.dictionary(name, fc.uniqueArray(name), { maxKeys: 2, noNullPrototype: true })),
    dependentSchemas: rare(fc.dictionary(name, schema, { maxKeys: 2, noNullPrototype: true })),
    allOf: rare(some),
    anyOf: rare(some),
    oneOf: rare(some),
    not: rare(schema),
    if: rare(schema),
    then: rare(schema),
    else: rare(schema),
  };
  return {
    schema: fc.oneof(
      { maxDepth: 3, depthSize: "small" },
      fc.boolean(),
      fc.record(keywords).map((members) => JSON.parse(JSON.stringify(members)) as JsonObject),
    ),
  };
}).schema;

/** A schema and another that was made of it by one small change, which may loosen or tighten it or do nothing. */
export const changedSchemas: fc.Arbitrary<readonly [Schema, Schema]> = fc
  .tuple(schemas, schemas, fc.nat())
  .map(([schema, other, at]) => [schema, changed(schema, other, at)] as const)
  .filter(([, next]) => schemaProblem(next) === undefined);

function changed(schema: Schema, other: Schema, at: number): Schema {
  if (typeof schema === "boolean" || typeof other === "boolean") return other;
  const keywords = Object.keys(schema);
  const keyword = keywords[at % Math.max(1, keywords.length)];
  if (keyword === undefined) return other;
  const copy = structuredClone(schema);
  const inner = copy[keyword];
  if (typeof inner === "number") copy[keyword] = Math.max(0, inner + (at % 3) - 1);
  else if (at % 5 === 0) delete copy[keyword];
  else if (keyword === "properties") copy[keyword] = { ...(inner as JsonObject), [NAMES[at % 4] ?? "a"]: other };
  else if (["items", "additionalProperties", "not", "if", "then"].includes(keyword)) {
    copy[keyword] = changed(inner as Schema, other, at + 1);
  } else if (Array.isArray(inner) && (keyword === "enum" || keyword === "required" || keyword === "type")) {
    copy[keyword] = inner.length > 1 ? inner.slice(1) : inner;
  } else Object.assign(copy, Object.fromEntries(Object.entries(other).slice(0, 1)));
  return copy;
}

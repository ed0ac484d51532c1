/* oxlint-disable unicorn/no-thenable -- "then" is a keyword of JSON Schema */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Compatibility, incompatibilities } from "../../src/event-schemas/compatibility.ts";
import type { Schema } from "../../src/event-schemas/schema.ts";
import { compileSchema } from "../../src/event-schemas/validator.ts";
import { canonicalJson, type JsonValue } from "../../src/ves/index.ts";
import { changedSchemas, payloads, schemas } from "../support/schema-arbitraries.ts";

function compare(latest: Schema, next: Schema, compatibility: Compatibility) {
  const sides = { latest: { name: "version 1", schema: latest }, next: { name: "the new version", schema: next } };
  return incompatibilities(sides, compatibility);
}

function isValid(schema: Schema, payload: JsonValue): boolean {
  return compileSchema(schema)(payload, canonicalJson(payload).length).length === 0;
}

describe("whenever schemas are called compatible", () => {
  const samples = fc.array(payloads, { minLength: 10, maxLength: 30 });
  const check = (latest: Schema, next: Schema, values: readonly JsonValue[]): boolean => {
    const isBackward = compare(latest, next, "backward").length === 0;
    const isForward = compare(latest, next, "forward").length === 0;
    expect(compare(latest, next, "full").length === 0).toBe(isBackward && isForward);
    expect(compare(latest, next, "none")).toEqual([]);
    for (const value of values) {
      const [was, is] = [isValid(latest, value), isValid(next, value)];
      if (isBackward && was && !is) throw new Error(`backward, but ${JSON.stringify(value)} is not valid any more`);
      if (isForward && is && !was) throw new Error(`forward, but ${JSON.stringify(value)} was not valid`);
    }
    return isBackward || isForward;
  };

  test("no payload shows otherwise, of schemas that differ a little", { timeout: 120_000 }, () => {
    let compatible = 0;
    fc.assert(
      fc.property(changedSchemas, samples, ([latest, next], values) => {
        if (check(latest, next, values)) compatible++;
      }),
      { numRuns: 3_000 },
    );
    // The property says nothing where nothing is called compatible.
    expect(compatible).toBeGreaterThan(300);
  });

  test("no payload shows otherwise, of any schemas", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(schemas, schemas, samples, (latest, next, values) => void check(latest, next, values)),
      { numRuns: 1_000 },
    );
  });

  test("a schema is compatible with itself", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(schemas, (schema) => {
        expect(compare(schema, structuredClone(schema), "full")).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });
});

const order = { type: "object", required: ["id"], properties: { id: { type: "string" } } };
const closed = { ...order, additionalProperties: false };
const withNote = (schema: object, note: Schema): Schema => ({
  ...schema,
  properties: { id: { type: "string" }, note },
});
const money = { $ref: "#/$defs/money", minimum: 0 };

describe("backward: what was valid stays valid", () => {
  test.each<[string, Schema, Schema]>([
    ["an optional member of a closed object", closed, withNote(closed, { type: "string" })],
    ["a member that may be anything", order, withNote(order, { description: "free text" })],
    ["a member less required", order, { ...order, required: [] }],
    ["another type allowed", order, { ...order, type: ["object", "null"] }],
    ["integer to number", { type: "integer" }, { type: "number" }],
    ["one more of a list of values", { enum: ["a"] }, { enum: ["a", "b"] }],
    ["a constant to its type", { const: 5 }, { type: "integer", minimum: 5 }],
    ["wider bounds", { minimum: 1, maximum: 5, minLength: 2, maxItems: 3 }, { minimum: 0, maximum: 5, maxItems: 4 }],
    ["an integer's open bound closed", { type: "integer", exclusiveMinimum: 0 }, { type: "integer", minimum: 1 }],
    ["a divisor of the divisor", { multipleOf: 0.5 }, { multipleOf: 0.25 }],
    ["integers are multiples of 1", { type: "integer" }, { multipleOf: 1 }],
    ["an unchecked format", { type: "string", format: "poem" }, { type: "string", format: "song" }],
    ["other words", { title: "a", description: "b" }, { title: "c", examples: [1] }],
    ["true", order, true],
    ["from false", false, order],
    ["a definition written out", { $ref: "#/$defs/a", $defs: { a: order } }, order],
    ["a part moved to a definition", order, { $ref: "#/$defs/a", $defs: { a: order } }],
    [
      "the same reference",
      { ...money, $defs: { money: { anyOf: [{ type: "number" }] } } },
      { ...money, $defs: { money: { anyOf: [{ type: "number" }] } } },
    ],
    [
      "a recursive schema loosened",
      { type: "object", properties: { next: { $ref: "#" } }, required: ["id"] },
      { properties: { next: { $ref: "#" } } },
    ],
    ["what applies to other types only", { type: "string" }, { type: "string", minimum: 5, required: ["a"] }],
    [
      "items beyond the prefix",
      { prefixItems: [{ const: 1 }], items: { type: "string" } },
      { items: { type: ["string", "integer"] } },
    ],
  ])("%s", (_, latest, next) => expect(compare(latest, next, "backward")).toEqual([]));

  const ANY = "version 1 allows null, boolean, integer, number, array, object, the new version does not";
  test.each<[string, Schema, Schema, string, string]>([
    [
      "a required member",
      order,
      { ...order, required: ["id", "total"] },
      "/required",
      'the new version requires "total", version 1 does not',
    ],
    [
      "a member of an open object gets a type",
      order,
      withNote(order, { type: "string" }),
      "/properties/note/type",
      ANY,
    ],
    [
      "a type less",
      { type: ["string", "null"] },
      { type: "string" },
      "/type",
      "version 1 allows null, the new version does not",
    ],
    [
      "number to integer",
      { type: "number" },
      { type: "integer" },
      "/type",
      "version 1 allows number, the new version does not",
    ],
    [
      "the object closed",
      order,
      closed,
      "/additionalProperties",
      "the new version allows nothing here, version 1 does",
    ],
    [
      "a value less",
      { enum: ["a", "b"] },
      { enum: ["a"] },
      "/enum",
      'version 1 allows the value "b", which the new version does not: it must be one of ["a"]',
    ],
    [
      "certain values",
      { type: "string" },
      { enum: ["a"] },
      "/enum",
      "the new version allows certain values only, version 1 others too",
    ],
    ["a constant", {}, { const: 1 }, "/const", "the new version allows certain values only, version 1 others too"],
    [
      "a higher minimum",
      { type: "number", minimum: 1 },
      { type: "number", minimum: 2 },
      "/minimum",
      "version 1 allows numbers beyond the bound of the new version",
    ],
    [
      "an open bound",
      { type: "number", maximum: 1 },
      { type: "number", exclusiveMaximum: 1 },
      "/maximum",
      "version 1 allows numbers beyond the bound of the new version",
    ],
    [
      "a multiple",
      { type: "number" },
      { type: "number", multipleOf: 2 },
      "/multipleOf",
      "the new version demands multiples of 2, version 1 does not",
    ],
    [
      "a minimal length",
      { type: "string" },
      { type: "string", minLength: 1 },
      "/minLength",
      "the new version demands 1, version 1 less",
    ],
    [
      "a maximal count",
      { type: "array", maxItems: 5 },
      { type: "array", maxItems: 4 },
      "/maxItems",
      "the new version allows 4, version 1 more",
    ],
    [
      "another pattern",
      { type: "string", pattern: "a" },
      { type: "string", pattern: "[a]" },
      "/pattern",
      "pattern differs, and is compared for equality only",
    ],
    [
      "a format",
      { type: "string" },
      { type: "string", format: "email" },
      "/format",
      "format differs, and is compared for equality only",
    ],
    [
      "unique items",
      { type: "array" },
      { type: "array", uniqueItems: true },
      "/uniqueItems",
      "uniqueItems differs, and is compared for equality only",
    ],
    [
      "an item",
      { type: "array", items: { minimum: 1 } },
      { type: "array", items: { minimum: 2 } },
      "/items/minimum",
      "version 1 allows numbers beyond the bound of the new version",
    ],
    [
      "an item of the prefix",
      { type: "array", items: { const: 2 } },
      { type: "array", prefixItems: [{ const: 1 }] },
      "/prefixItems/0/const",
      "version 1 allows the value 2, which the new version does not: it must be 1",
    ],
    [
      "alternatives",
      { anyOf: [{ const: 1 }] },
      { anyOf: [{ const: 1 }, true] },
      "/anyOf",
      "anyOf differs, and is compared for equality only",
    ],
    [
      "an alternative's definition",
      { anyOf: [{ $ref: "#/$defs/a" }], $defs: { a: { const: 1 } } },
      { anyOf: [{ $ref: "#/$defs/a" }], $defs: { a: { const: 2 } } },
      "/anyOf",
      "anyOf differs, and is compared for equality only",
    ],
    [
      "a condition",
      { if: true, then: { const: 1 } },
      { if: true, then: { const: 2 } },
      "/then",
      "then differs, and is compared for equality only",
    ],
    [
      "fewer contained",
      { type: "array", contains: { const: 1 }, minContains: 0 },
      { type: "array", contains: { const: 1 } },
      "/minContains",
      "minContains differs, and is compared for equality only",
    ],
    [
      "patterns of names",
      { type: "object" },
      { type: "object", patternProperties: { a: { const: 1 } } },
      "/patternProperties",
      "the patterns differ, and such members cannot be compared",
    ],
    [
      "a definition",
      { type: "object", properties: { a: { $ref: "#/$defs/m" } }, $defs: { m: { type: "string" } } },
      { type: "object", properties: { a: { $ref: "#/$defs/m" } }, $defs: { m: { type: "string", maxLength: 2 } } },
      "/properties/a/$ref/maxLength",
      "the new version allows 2, version 1 more",
    ],
    [
      "an unknown keyword",
      {},
      { discriminator: "type" },
      "/discriminator",
      'the keyword "discriminator" is not understood and differs',
    ],
    [
      "a known keyword gone from unknown ones",
      { nullable: true },
      {},
      "/nullable",
      'the keyword "nullable" is not understood and differs',
    ],
    ["everything to nothing", true, false, "", "the new version allows nothing here, version 1 does"],
  ])("refused: %s", (_, latest, next, path, message) => {
    expect(compare(latest, next, "backward")).toEqual([{ path, message }]);
  });
});

test("forward is backward with the versions changed over; full is both", () => {
  expect(compare(closed, order, "backward")).toEqual([]);
  const [problem] = compare(closed, order, "forward");
  expect(problem).toEqual({
    path: "/additionalProperties",
    message: "version 1 allows nothing here, the new version does",
  });
  expect(compare(closed, order, "full")).toEqual([problem]);
  expect(compare(order, closed, "forward")).toEqual([]);
});

describe("a listed value whose validation takes too much work", () => {
  const text = "a".repeat(900);
  /** Matches the text, and takes more steps for it than a payload of that length has. */
  const heavy = { pattern: "^(a?){400}a*$", minLength: 1 };
  const member = (schema: Schema): Schema => ({ properties: { x: schema } });

  test("is one that the old version may allow, and does in a longer payload", () => {
    const [latest, next] = [member({ enum: [text], ...heavy }), member({ enum: ["z"] })];
    const payload = { pad: "p".repeat(300_000), x: text };
    expect([isValid(latest, payload), isValid(next, payload)]).toEqual([true, false]);
    expect(compare(latest, next, "backward")).toEqual([
      {
        path: "/properties/x/enum",
        message: `it takes too much work to tell whether version 1 allows the value "${"a".repeat(99)}…, which the new version does not`,
      },
    ]);
  });

  test("is one that the new version may not allow", () => {
    expect(compare(member({ enum: [text] }), member(heavy), "backward")).toEqual([
      {
        path: "/properties/x/enum",
        message: `it takes too much work to tell whether the new version allows the value "${"a".repeat(99)}…, which version 1 does not rule out`,
      },
    ]);
  });

  test("counts for nothing where the old version rules it out, or the new one allows it", () => {
    const ruledOut = { enum: [text], maxLength: 1, ...heavy };
    expect(compare(member(ruledOut), member({ enum: ["z"] }), "backward")).toEqual([]);
    expect(compare(member({ enum: [text], ...heavy }), member({ type: "string" }), "backward")).toEqual([]);
  });
});

describe("what takes too much work to be compared is not called compatible", () => {
  const problem = { path: "", message: "comparing the schemas takes too much work" };

  test("as schemas", () => {
    const many = (maxLength: number): Schema => ({
      anyOf: Array.from({ length: 60_000 }, () => ({ maxLength })),
    });
    expect(compare(many(1), many(1), "backward")).toEqual([problem]);
  });

  test("as listed values, each of which is soon validated", () => {
    const listed: Schema = { enum: Array.from({ length: 10_000 }, (_, n) => n) };
    const doubling = Object.fromEntries(
      Array.from({ length: 10 }, (_, n) => [
        `d${n}`,
        { allOf: [{ $ref: `#/$defs/d${n + 1}` }, { $ref: `#/$defs/d${n + 1}` }] },
      ]),
    );
    const next = { $ref: "#/$defs/d0", $defs: { ...doubling, d10: true } };
    expect(isValid(next, 1)).toBe(true);
    expect(compare(listed, next, "backward")).toEqual([problem]);
  });
});

/* oxlint-disable unicorn/no-thenable -- "then" is a keyword of JSON Schema */
import { Validator as LibraryValidator } from "@cfworker/json-schema";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BASE_STEPS, MAX_PROBLEMS } from "../../src/event-schemas/run.ts";
import type { Schema } from "../../src/event-schemas/schema.ts";
import { schemaProblem } from "../../src/event-schemas/schema-problem.ts";
import { compileSchema } from "../../src/event-schemas/validator.ts";
import { canonicalJson, type JsonValue } from "../../src/ves/index.ts";
import { payloads, schemas } from "../support/schema-arbitraries.ts";

function problemsOf(schema: Schema, payload: JsonValue) {
  return compileSchema(schema)(payload, canonicalJson(payload).length);
}

test("agrees with another implementation about any schema and payload", { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(schemas, fc.array(payloads, { minLength: 5, maxLength: 20 }), (schema, values) => {
      expect(schemaProblem(schema)).toBeUndefined();
      const library = new LibraryValidator(structuredClone(schema), "2020-12");
      for (const value of values) {
        expect(problemsOf(schema, value).length === 0).toBe(library.validate(value).valid);
      }
    }),
    { numRuns: 2_000 },
  );
});

describe("problems are told by place and sentence", () => {
  test.each<[Schema, JsonValue, readonly (readonly [string, string])[]]>([
    [false, 1, [["", "is not allowed"]]],
    [true, null, []],
    [{ type: "object" }, [], [["", "must be of type object"]]],
    [{ type: ["string", "null"] }, 1, [["", "must be of type string or null"]]],
    [{ type: "integer" }, 1.5, [["", "must be of type integer"]]],
    [{ type: "integer" }, 1e300, []],
    [{ const: { a: 1, b: [2] } }, { b: [2], a: 1 }, []],
    [{ const: "EUR" }, "USD", [["", 'must be "EUR"']]],
    [{ enum: ["a", null, { x: 1 }] }, { x: 2 }, [["", 'must be one of ["a",null,{"x":1}]']]],
    [
      { minimum: 1, maximum: 0 },
      0.5,
      [
        ["", "must be at least 1"],
        ["", "must be at most 0"],
      ],
    ],
    [{ exclusiveMinimum: 1 }, 1, [["", "must be more than 1"]]],
    [{ exclusiveMaximum: 1 }, 1, [["", "must be less than 1"]]],
    [{ multipleOf: 0.01 }, 4.35, []],
    [{ multipleOf: 0.01 }, 4.355, [["", "must be a multiple of 0.01"]]],
    [{ minLength: 2 }, "😀", [["", "must have 2 characters or more"]]],
    [{ maxLength: 1 }, "😀", []],
    [{ maxLength: 1 }, "ab", [["", "must have 1 characters or fewer"]]],
    [{ pattern: "^\\d+(\\.\\d{2})?$" }, "1.2", [["", 'must match "^\\\\d+(\\\\.\\\\d{2})?$"']]],
    [{ format: "date-time" }, "yesterday", [["", "must be of the format date-time"]]],
    [{ format: "date" }, "2026-02-29", [["", "must be of the format date"]]],
    [{ format: "date" }, "2024-02-29", []],
    [{ format: "email" }, "a@b", []],
    [{ format: "email" }, "a b@c", [["", "must be of the format email"]]],
    [{ format: "uuid" }, "00000000-0000-0000-0000-00000000000", [["", "must be of the format uuid"]]],
    [{ format: "uri" }, "https://a.example/b?c", []],
    [{ format: "uri" }, "/b", [["", "must be of the format uri"]]],
    [{ format: "poem" }, "", []],
    [
      { items: { type: "string" } },
      ["a", 1, 2],
      [
        ["/1", "must be of type string"],
        ["/2", "must be of type string"],
      ],
    ],
    [
      { prefixItems: [true, { const: 1 }], items: false },
      [0, 2, 3],
      [
        ["/1", "must be 1"],
        ["/2", "is not allowed"],
      ],
    ],
    [{ minItems: 1 }, [], [["", "must have 1 items or more"]]],
    [{ maxItems: 1 }, [1, 2], [["", "must have 1 items or fewer"]]],
    [{ uniqueItems: true }, [1, { a: 1, b: 2 }, { b: 2, a: 1 }], [["", "repeats an item at index 2"]]],
    [{ contains: { const: 1 } }, [2], [["", "must contain 1 items or more that match (contains)"]]],
    [{ contains: { const: 1 }, maxContains: 1 }, [1, 1], [["", "must contain 1 items or fewer that match (contains)"]]],
    [
      { required: ["a", "b"], properties: { "c/d": { properties: { "~": false } } } },
      { "c/d": { "~": 1 } },
      [
        ["", 'must have the member "a"'],
        ["", 'must have the member "b"'],
        ["/c~1d/~0", "is not allowed"],
      ],
    ],
    [
      { required: ["__proto__", "toString"] },
      JSON.parse('{"__proto__":1}') as JsonValue,
      [["", 'must have the member "toString"']],
    ],
    [
      JSON.parse('{"properties":{"__proto__":false}}') as Schema,
      JSON.parse('{"__proto__":1}') as JsonValue,
      [["/__proto__", "is not allowed"]],
    ],
    [
      { additionalProperties: false, patternProperties: { "^x-": true } },
      { "x-a": 1, b: 2 },
      [["/b", "is not allowed"]],
    ],
    [{ minProperties: 1 }, {}, [["", "must have 1 members or more"]]],
    [{ maxProperties: 0 }, { a: 1 }, [["", "must have 0 members or fewer"]]],
    [{ propertyNames: { maxLength: 1 } }, { ab: 1 }, [["/ab", "must have 1 characters or fewer"]]],
    [{ dependentRequired: { a: ["b"] } }, { a: 1 }, [["", 'must have the member "b"']]],
    [{ dependentSchemas: { a: { required: ["c"] } } }, { a: 1 }, [["", 'must have the member "c"']]],
    [
      { allOf: [{ type: "string" }, { const: "a" }] },
      1,
      [
        ["", "must be of type string"],
        ["", 'must be "a"'],
      ],
    ],
    [{ anyOf: [{ type: "string" }, { const: 2 }] }, 1, [["", "matches none of the alternatives (anyOf)"]]],
    [{ oneOf: [{ type: "string" }, { const: 2 }] }, 1, [["", "matches none of the alternatives (oneOf)"]]],
    [{ oneOf: [true, { const: 1 }] }, 1, [["", "matches more than one of the alternatives (oneOf)"]]],
    [{ not: { type: "number" } }, 1, [["", "matches what is excluded (not)"]]],
    [{ if: { required: ["a"] }, then: { required: ["b"] }, else: false }, { a: 1 }, [["", 'must have the member "b"']]],
    [{ if: { required: ["a"] }, then: { required: ["b"] }, else: false }, {}, [["", "is not allowed"]]],
    [{ $ref: "#/$defs/a~1b", $defs: { "a/b": { type: "null" } } }, 1, [["", "must be of type null"]]],
    [
      { type: "object", properties: { next: { $ref: "#" } }, required: ["id"] },
      { id: 1, next: { id: 2, next: {} } },
      [["/next/next", 'must have the member "id"']],
    ],
  ])("%j of %j", (schema, payload, expected) => {
    expect(schemaProblem(schema)).toBeUndefined();
    expect(problemsOf(schema, payload)).toEqual(expected.map(([path, message]) => ({ path, message })));
  });

  test("never with the payload's own texts, and at most twenty", () => {
    const schema = { items: { enum: ["x".repeat(500)] } };
    const problems = problemsOf(
      schema,
      Array.from({ length: 100 }, () => "secret"),
    );
    expect(problems).toHaveLength(MAX_PROBLEMS);
    expect(JSON.stringify(problems)).not.toContain("secret");
    expect(problems[0]?.message.length).toBeLessThan(130);
  });
});

describe("a validation ends soon, whatever the schema and the payload", () => {
  const WORK = { path: "", message: "takes too much work to be validated: see the limits of schemas" };
  const doubling = Object.fromEntries(
    Array.from({ length: 30 }, (_, n) => [
      `d${n}`,
      { allOf: [{ $ref: `#/$defs/d${n + 1}` }, { $ref: `#/$defs/d${n + 1}` }] },
    ]),
  );
  const deep = JSON.parse(`${"[".repeat(127)}0${"]".repeat(127)}`) as JsonValue;
  const chain = Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`c${n}`, { $ref: `#/$defs/c${n + 1}` }]));

  test.each<[string, Schema, JsonValue, unknown]>([
    ["references that double", { $ref: "#/$defs/d0", $defs: { ...doubling, d30: true } }, 1, WORK],
    ["a tree that doubles at each level", { allOf: [{ items: { $ref: "#" } }, { items: { $ref: "#" } }] }, deep, WORK],
    [
      "many alternatives for many items",
      { items: { anyOf: Array.from({ length: 5_000 }, (_, n) => ({ const: n })) } },
      Array.from({ length: 5_000 }, () => 4_999),
      WORK,
    ],
    [
      "a long chain of references",
      { $ref: "#/$defs/c0", $defs: { ...chain, c2000: true } },
      1,
      { path: "", message: "is nested too deeply for its schema" },
    ],
  ])("%s", (_, schema, payload, problem) => {
    expect(schemaProblem(schema)).toBeUndefined();
    const started = performance.now();
    expect(problemsOf(schema, payload)).toEqual([problem]);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test("a long array of distinct items is no problem", () => {
    expect(
      problemsOf(
        { uniqueItems: true },
        Array.from({ length: 100_000 }, (_, n) => n),
      ),
    ).toEqual([]);
  });

  test("a hostile pattern costs what its length and the text's say", () => {
    const text = "a".repeat(10_000);
    const validate = compileSchema({ pattern: "^(a+)+$" });
    expect(validate(text, text.length)).toEqual([]);
    expect(validate(`${text}!`, text.length)).toEqual([{ path: "", message: 'must match "^(a+)+$"' }]);
    // Many states at once, for every character: more than the text's share.
    const greedy = compileSchema({ pattern: `(${"a*".repeat(200)})*b` });
    expect(greedy("a".repeat(BASE_STEPS), BASE_STEPS)).toEqual([WORK]);
  });
});

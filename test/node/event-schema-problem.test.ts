import { describe, expect, test } from "vitest";
import { MAX_SCHEMA_BYTES, type Schema } from "../../src/event-schemas/schema.ts";
import { isTooLarge, schemaProblem } from "../../src/event-schemas/schema-problem.ts";
import { canonicalJson, type JsonValue } from "../../src/ves/index.ts";

const DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema";
const DRAFT_2019 = "https://json-schema.org/draft/2019-09/schema";
const DRAFT_07 = "http://json-schema.org/draft-07/schema#";

function nested(levels: number): Schema {
  return levels === 1 ? {} : { items: nested(levels - 1) };
}

describe("a schema that can be used", () => {
  test.each<[string, Schema]>([
    ["true", true],
    ["false", false],
    ["nothing said", {}],
    ["the dialect", { $schema: DRAFT_2020, $id: "https://shop.example/order", type: "object" }],
    ["another dialect", { $schema: DRAFT_07, type: ["string", "null"], definitions: { a: true } }],
    [
      "what 2019-09 has",
      { $schema: DRAFT_2019, $defs: { a: true }, properties: { a: { $ref: "#/$defs/a", dependentRequired: {} } } },
    ],
    [
      "words beside a reference in draft-07",
      {
        $schema: DRAFT_07,
        definitions: { a: true },
        items: { $ref: "#/definitions/a", title: "a", description: "b", $comment: "c", default: 1, "x-owner": "shop" },
      },
    ],
    [
      "names of members that are keywords elsewhere",
      { $schema: DRAFT_07, properties: { $ref: { maxLength: 3 }, maxLength: true, prefixItems: true } },
    ],
    ["keywords that nobody knows", { "x-owner": "shop", nullable: true, discriminator: { $ref: 5 } }],
    ["a reference to itself within the value", { properties: { next: { $ref: "#" } } }],
    [
      "references that meet",
      { allOf: [{ $ref: "#/$defs/a" }, { $ref: "#/$defs/a" }], $defs: { a: { type: "string" } } },
    ],
    ["32 levels", nested(32)],
  ])("%s", (_, schema) => expect(schemaProblem(schema)).toBeUndefined());
});

describe("a schema that cannot be used is refused with the place and the reason", () => {
  const TYPES = "must be of null, boolean, integer, number, string, array, object, or a list of them";
  test.each<[Schema, string, string]>([
    [{ type: "text" }, "/type", TYPES],
    [{ type: [] }, "/type", TYPES],
    [{ properties: { a: { type: 1 } } }, "/properties/a/type", TYPES],
    [{ properties: [] }, "/properties", "must be an object of schemas"],
    [{ properties: { "a/b": "string" } }, "/properties/a~1b", "must be an object, true or false"],
    [{ items: [true] }, "/items", "must be one schema: for a list of them use prefixItems"],
    [{ prefixItems: [] }, "/prefixItems", "must be a list of at least one schema"],
    [{ allOf: {} }, "/allOf", "must be a list of at least one schema"],
    [{ anyOf: [true, 1] }, "/anyOf/1", "must be an object, true or false"],
    [{ required: "a" }, "/required", "must be a list of names"],
    [{ required: [1] }, "/required", "must be a list of names"],
    [{ dependentRequired: { a: "b" } }, "/dependentRequired/a", "must be a list of names"],
    [{ dependentRequired: [] }, "/dependentRequired", "must be an object of lists of names"],
    [{ enum: [] }, "/enum", "must be a list of at least one value"],
    [{ minimum: "1" }, "/minimum", "must be a number"],
    [{ exclusiveMinimum: true }, "/exclusiveMinimum", "must be a number"],
    [{ multipleOf: 0 }, "/multipleOf", "must be a number above 0"],
    [{ minLength: -1 }, "/minLength", "must be a whole number from 0"],
    [{ maxItems: 1.5 }, "/maxItems", "must be a whole number from 0"],
    [{ uniqueItems: 1 }, "/uniqueItems", "must be true or false"],
    [{ format: 1 }, "/format", "must be a text"],
    [{ title: null }, "/title", "must be a text"],
    [{ pattern: 1 }, "/pattern", "must be a text"],
    [{ pattern: "(?=a)" }, "/pattern", "looks ahead or behind, which is not served"],
    [
      { patternProperties: { "(a)\\1": true } },
      "/patternProperties/(a)\\1",
      "refers back to what it matched, which is not served",
    ],
    [{ $ref: 1 }, "/$ref", "must be a text"],
    [{ $ref: "https://example.com/schema" }, "/$ref", "must lead to a place within this schema: # and a JSON pointer"],
    [{ $ref: "other.json#/a" }, "/$ref", "must lead to a place within this schema: # and a JSON pointer"],
    [{ $ref: "#name" }, "/$ref", "must lead to a place within this schema: # and a JSON pointer"],
    [{ $ref: "#/$defs/a" }, "/$ref", "leads to nothing"],
    [{ $ref: "#/%" }, "/$ref", "leads to nothing"],
    [{ $ref: "#/$defs/constructor", $defs: {} }, "/$ref", "leads to nothing"],
    [{ $ref: "#/examples/0", examples: [{}] }, "/$ref", "leads to a place that is no schema"],
    [{ $ref: "#" }, "", "refers to itself without going into the value"],
    [
      { $defs: { a: { not: { $ref: "#/$defs/b" } }, b: { anyOf: [{ $ref: "#/$defs/a" }] } } },
      "/$defs/a",
      "refers to itself without going into the value",
    ],
    [{ unevaluatedProperties: false }, "/unevaluatedProperties", "is not served: use additionalProperties"],
    [{ $dynamicRef: "#" }, "/$dynamicRef", "is not served: use $ref"],
    [{ dependencies: {} }, "/dependencies", "is not served: use dependentRequired or dependentSchemas"],
    [{ $schema: "https://example.com/dialect" }, "/$schema", "must be the dialect 2020-12, 2019-09 or draft-07"],
    [{ properties: { a: { $schema: DRAFT_2020 } } }, "/properties/a/$schema", "is served at the top only"],
    [{ properties: { a: { $id: "a" } } }, "/properties/a/$id", "is served at the top only"],
    [
      { $schema: DRAFT_07, $ref: "#/definitions/a", definitions: { a: true } },
      "/$ref",
      "hides the definitions beside it in draft-07: state the dialect 2020-12",
    ],
    [
      {
        $schema: DRAFT_07,
        definitions: { a: { type: "string" } },
        properties: { b: { allOf: [{ $ref: "#/definitions/a", maxLength: 3 }] } },
      },
      "/properties/b/allOf/0/$ref",
      "hides the maxLength beside it in draft-07: state the dialect 2020-12",
    ],
    [{ items: nested(32) }, "/items".repeat(32), "is nested deeper than 32 schemas"],
    [
      { allOf: Array.from({ length: 11 }, () => ({ pattern: "a{998}" })) },
      "/allOf/10/pattern",
      "makes the patterns have more than 10000 states",
    ],
  ])("%j", (schema, path, message) => {
    expect(schemaProblem(schema)).toEqual({ path, message });
  });
});

describe("a keyword that the stated dialect does not have is refused, wherever it stands", () => {
  const NEWER: readonly (readonly [string, JsonValue])[] = [
    ["$defs", {}],
    ["dependentRequired", {}],
    ["dependentSchemas", {}],
    ["minContains", 1],
    ["maxContains", 1],
    ["deprecated", true],
    ["contentSchema", true],
    ["prefixItems", [true]],
  ];

  test.each(NEWER)("%s", (keyword, value) => {
    const inner = { [keyword]: value };
    const message = (dialect: string) => `is ${keyword}, which ${dialect} does not have: state the dialect 2020-12`;
    const path = `/items/${keyword}`;
    expect(schemaProblem({ items: inner })).toBeUndefined();
    expect(schemaProblem({ $schema: DRAFT_2020, items: inner })).toBeUndefined();
    expect(schemaProblem({ items: inner, $schema: DRAFT_07 })).toEqual({ path, message: message("draft-07") });
    expect(schemaProblem({ items: inner, $schema: DRAFT_2019 })).toEqual(
      keyword === "prefixItems" ? { path, message: message("2019-09") } : undefined,
    );
  });
});

test("the size is that of the canonical text in bytes", () => {
  const text = (length: number, fill = "x"): string => canonicalJson({ $comment: fill.repeat(length) });
  const overhead = text(0).length;
  expect(isTooLarge(text(MAX_SCHEMA_BYTES - overhead))).toBe(false);
  expect(isTooLarge(text(MAX_SCHEMA_BYTES - overhead + 1))).toBe(true);
  expect(isTooLarge(text((MAX_SCHEMA_BYTES - overhead) / 2 + 1, "é"))).toBe(true);
});

import canonicalize from "canonicalize";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VesError, canonicalJson, parseJson } from "../../src/ves/index.ts";
import type { JsonValue } from "../../src/ves/index.ts";
import { group } from "./vectors.ts";

const json = fc.jsonValue({ stringUnit: "binary", maxDepth: 4 }) as fc.Arbitrary<JsonValue>;

/** RFC 8785 spelled out character by character, with no thought for speed. */
function modelCanonical(value: JsonValue): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") return Object.is(value, -0) ? "0" : String(value);
  if (typeof value === "string") return modelString(value);
  if (Array.isArray(value)) return `[${value.map(modelCanonical).join(",")}]`;
  const members = Object.entries(value).toSorted(([a], [b]) => compareUnits(a, b));
  return `{${members.map(([key, member]) => `${modelString(key)}:${modelCanonical(member)}`).join(",")}}`;
}

function modelString(text: string): string {
  const short: Record<string, string> = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
  };
  const escape = (char: string): string =>
    short[char] ?? (char < " " ? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}` : char);
  return `"${Array.from(text, escape).join("")}"`;
}

function compareUnits(a: string, b: string): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = a.charCodeAt(i) - b.charCodeAt(i);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function refusal(run: () => unknown): VesError | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof VesError) return error;
    throw error;
  }
}

describe("VES 1.1: canonical JSON", () => {
  test.each(group<{ json: string }, { jcs?: string; error?: true }>("jcs"))("$id", ({ input, expected }) => {
    if (expected.error) expect(refusal(() => parseJson(input.json))?.code).toBe("malformed_json");
    else expect(canonicalJson(parseJson(input.json))).toBe(expected.jcs);
  });

  test("agrees with a naive model and with an independent implementation", () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalJson(value);
        expect(text).toBe(modelCanonical(value));
        expect(text).toBe(canonicalize(value));
      }),
      { numRuns: 1000 },
    );
  });

  test("every control character, quote and separator agrees with the model", () => {
    for (let unit = 0; unit < 0xd800; unit = unit < 0x300 ? unit + 1 : unit + 0x95) {
      const text = `a${String.fromCharCode(unit)}b`;
      expect(canonicalJson(text)).toBe(modelString(text));
    }
    expect(canonicalJson("\u2028\u2029\u007f\uffff\ue000")).toBe('"\u2028\u2029\u007f\uffff\ue000"');
  });

  test("reading canonical text gives the value back, and its canonical text is itself", () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalJson(value);
        // JSON knows no negative zero.
        expect(parseJson(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(parseJson(text))).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test("the order of members does not matter, their names do", () => {
    expect(canonicalJson({ b: 1, a: [2, 1] })).toBe(canonicalJson({ a: [2, 1], b: 1 }));
    expect(canonicalJson({ 10: 1, 9: 2 })).toBe('{"10":1,"9":2}');
  });

  test.each([
    ["NaN", Number.NaN],
    ["infinity", [Number.POSITIVE_INFINITY]],
    ["negative infinity", { a: Number.NEGATIVE_INFINITY }],
    ["lone high surrogate", "\ud800"],
    ["lone low surrogate", ["\udc00a"]],
    ["surrogates in reverse", "\udc00\ud800"],
    ["lone surrogate in a key", { "\ud800": 1 }],
    ["undefined", undefined],
    ["undefined member", { a: undefined }],
    ["hole in an array", Array(2)],
    ["function", () => 1],
    ["bigint", 1n],
    ["symbol", Symbol("s")],
  ])("%s has no canonical form", (_, value) => {
    expect(refusal(() => canonicalJson(value as JsonValue))?.code).toBe("not_canonicalizable");
  });

  test("128 levels are canonicalized, 129 and circles are not", () => {
    const nested = (levels: number): JsonValue => (levels === 0 ? 1 : [nested(levels - 1)]);
    expect(canonicalJson(nested(128))).toBe(`${"[".repeat(128)}1${"]".repeat(128)}`);
    expect(refusal(() => canonicalJson(nested(129)))?.code).toBe("not_canonicalizable");
    const circle: JsonValue[] = [];
    circle.push(circle);
    expect(refusal(() => canonicalJson(circle))?.code).toBe("not_canonicalizable");
  });
});

describe("VES 1.1: reading JSON", () => {
  test.each<[string, JsonValue]>([
    ['{"a":1,"a":2}', { a: 2 }],
    ['"\\ud83d\\ude00"', "😀"],
    ['"\\uD83D\\uDE00"', "😀"],
    ['{"\\ud83d\\ude00":1}', { "😀": 1 }],
    ['"\\\\ud800"', "\\ud800"],
    ['"\\\\\\ud83d\\ude00"', "\\😀"],
    ['["\\"",{"a\\\\":"]"}]', ['"', { "a\\": "]" }]],
    ['["[[[","{{{"]', ["[[[", "{{{"]],
    ['["1e400"]', ["1e400"]],
    ["[1e308,-1.7976931348623157e308,1e-400,0e999]", [1e308, -Number.MAX_VALUE, 0, 0]],
    [`[${"9".repeat(308)}]`, [1e308]],
    ['"$serde_json::private::RawValue"', "$serde_json::private::RawValue"],
    ['{"x$serde_json::private::RawValue":1}', { "x$serde_json::private::RawValue": 1 }],
    [" \t\r\n1 ", 1],
  ])("%s is read", (text, value) => {
    expect(parseJson(text)).toEqual(value);
  });

  test.each([
    ["1e400", 0],
    ["-1e400", 0],
    ["[0,2e308]", 3],
    ['{"a":1E+999}', 5],
    ['{"a":1e400,"a":1}', 5],
    ['{"a":{"b":[-1e400]},"a":1}', 11],
    [`[${"9".repeat(309)}]`, 1],
    [`[1${"0".repeat(309)}.5]`, 1],
  ])("%s overflows", (text, position) => {
    expect(refusal(() => parseJson(text))?.message).toBe(`number too large for a double at position ${position}`);
  });

  test.each([
    ['"\\ud800"', 1],
    ['"\\uDBFF"', 1],
    ['"a\\ud800b"', 2],
    ['"\\ud800\\n"', 1],
    ['"\\ud800\\u0041"', 1],
    ['"\\ud800\\ud800\\udc00"', 1],
    ['["x","\\ud83d\\ude00\\udc00"]', 18],
    ['"\\udc00\\ud800"', 1],
    ['{"\\ud800":1}', 2],
    ['{"\\udfff":1}', 2],
    ['{"a":"\\ud800","a":1}', 6],
    ['"\ud800"', 1],
    ['["\ud83d\ude00","\udc00"]', 7],
    ['"\ud83d\\ude00"', 1],
  ])("%j holds a lone surrogate", (text, position) => {
    const error = refusal(() => parseJson(text));
    expect(error?.code).toBe("malformed_json");
    expect(error?.message).toMatch(new RegExp(`^lone .*surrogate.* at position ${position}$`));
  });

  test.each([
    ['{"$serde_json::private::RawValue":"1"}', 1],
    ['[{"a":1,"$serde_json::private::RawValue" \n : 1}]', 8],
    ['{"\\u0024serde_json::private::RawValue":1}', 1],
  ])("%s holds the reserved key", (text, position) => {
    expect(refusal(() => parseJson(text))?.message).toBe(
      `reserved key $serde_json::private::RawValue at position ${position}`,
    );
  });

  test.each([
    ["", "expected value at position 0, where the text ends"],
    ["\ufeff{}", "expected value at position 0"],
    ["{} x", "expected end of text at position 3"],
    ["[1,]", "expected value at position 3"],
    ["[1 2]", "expected , or ] at position 3"],
    ["[,1]", "expected value or ] at position 1"],
    ['{"a":1,}', "expected key at position 7"],
    ["{a:1}", "expected key or } at position 1"],
    ['{"a" 1}', "expected : at position 5"],
    ['{"a":1 "b":2}', "expected , or } at position 7"],
    ['{"a":[1}', "expected , or ] at position 7"],
    ['[{"a":1', "expected , or } at position 7, where the text ends"],
    ["[01]", "expected , or ] at position 2"],
    ["[NaN]", "expected value or ] at position 1"],
    ["'a'", "expected value at position 0"],
    ['["a\nb"]', "expected value or ] at position 1"],
    ['["\\x"]', "expected value or ] at position 1"],
    ["[1.]", "expected , or ] at position 2"],
    ["]", "expected value at position 0"],
  ])("%j is refused with the place", (text, message) => {
    expect(refusal(() => parseJson(text))).toMatchObject({ code: "malformed_json", message });
  });

  test("the place of a syntax error is found for whatever JSON.parse refuses", () => {
    const noise = fc.string({ unit: fc.constantFrom(...'[]{},:"\\ 01-.eatrufnls\n'.split("")), maxLength: 12 });
    let refused = 0;
    fc.assert(
      fc.property(noise, (text) => {
        const error = refusal(() => parseJson(text));
        if (error === undefined) return;
        refused++;
        expect(error.message).toMatch(/ at position \d+/);
        expect(error.message).not.toMatch(/^expected end of text at position \d+, where/);
      }),
      { numRuns: 2000 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  test("megabytes in one token are read, or refused with the place", () => {
    const length = 8_000_000;
    for (const token of [`"${"x".repeat(length)}"`, `"${"\\n".repeat(length / 2)}"`, "1".padEnd(length, " ")]) {
      expect(refusal(() => canonicalJson(parseJson(token)))).toBeUndefined();
      expect(refusal(() => parseJson(`${token}]`))?.message).toBe(`expected end of text at position ${token.length}`);
    }
    const digits = "1".repeat(length);
    expect(refusal(() => parseJson(digits))?.message).toBe("number too large for a double at position 0");
    expect(refusal(() => parseJson(`[${digits}}`))?.message).toBe(`expected , or ] at position ${length + 1}`);
  });

  test("128 levels are read, 129 are not, and the limit can be set", () => {
    const nested = (levels: number): string => `${'{"a":['.repeat(levels / 2)}${"]}".repeat(levels / 2)}`;
    expect(refusal(() => parseJson(nested(128)))).toBeUndefined();
    expect(refusal(() => parseJson(`[${nested(128)}]`))?.message).toMatch(
      /^nesting deeper than 128 levels at position /,
    );
    expect(refusal(() => parseJson("[".repeat(100_000) + "]".repeat(100_000)))?.code).toBe("malformed_json");
    expect(refusal(() => parseJson("[[]]", { maxDepth: 1 }))?.message).toBe(
      "nesting deeper than 1 levels at position 1",
    );
    expect(parseJson("[[],[],{}]", { maxDepth: 2 })).toEqual([[], [], {}]);
  });

  test("__proto__ is a member like any other", () => {
    const value = parseJson('{"__proto__":{"admin":true},"constructor":1}') as Record<string, JsonValue>;
    expect(Object.keys(value)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(value["admin"]).toBeUndefined();
    expect(canonicalJson(value)).toBe('{"__proto__":{"admin":true},"constructor":1}');
  });
});

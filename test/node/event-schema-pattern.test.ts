import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_PATTERN_LENGTH, Pattern } from "../../src/event-schemas/pattern.ts";
import { PatternError } from "../../src/event-schemas/pattern-syntax.ts";

const free = (): void => undefined;

/** Patterns over few letters, so that texts of them match now and then. */
const patterns: fc.Arbitrary<string> = fc.letrec<{ pattern: string }>((tie) => {
  const inner = tie("pattern");
  const atom = fc.constantFrom(
    "a",
    "b",
    ".",
    "[ab]",
    "[^a]",
    "\\d",
    "\\w",
    "\\W",
    "\\s",
    "\\u0061",
    "\\x62",
    "\\.",
    "\\p{L}",
    "é",
  );
  const quantifier = fc.constantFrom("*", "+", "?", "{2}", "{0}", "{1,}", "{0,2}", "{1,3}", "*?", "{2,}?");
  return {
    pattern: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      atom,
      fc.constantFrom("^", "$", "\\b", "\\B", ""),
      fc.tuple(inner, inner).map(([one, other]) => one + other),
      fc.tuple(inner, inner).map(([one, other]) => `(?:${one}|${other})`),
      fc.tuple(inner, quantifier).map(([one, times]) => `(${one})${times}`),
      fc.tuple(atom, quantifier).map(([one, times]) => one + times),
    ),
  };
}).pattern;
const texts = fc.string({ unit: fc.constantFrom("a", "b", "1", " ", ".", "é", "😀", "_", "\n"), maxLength: 8 });

test("a pattern matches what the platform's own regular expressions match", { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(patterns, fc.array(texts, { minLength: 5, maxLength: 20 }), (source, samples) => {
      const [own, platform] = [new Pattern(source), new RegExp(source, "u")];
      for (const text of samples) {
        // The platform looks for the empty match of \B inside of a surrogate pair too.
        if (source.includes("\\B") && text.includes("😀")) continue;
        expect([source, text, own.test(text, free)]).toEqual([source, text, platform.test(text)]);
      }
    }),
    { numRuns: 2_000 },
  );
});

describe("patterns of practice", () => {
  test.each([
    ["^[A-Z]{3}$", "EUR", true],
    ["^[A-Z]{3}$", "EURO", false],
    ["^\\d+\\.\\d{2}$", "42.00", true],
    ["^[a-z0-9]+(?:-[a-z0-9]+)*$", "a-b-c", true],
    ["^[a-z0-9]+(?:-[a-z0-9]+)*$", "a--c", false],
    ["^(?<year>\\d{4})-(?<month>\\d\\d)$", "2026-11", true],
    ["^[^\\]\\\\]+$", "a]b", false],
    ["^\\u{1f600}\\ud83d\\ude00$", "😀😀", true],
    ["^\\/[\\w.-]+\\/$", "/a.b-c/", true],
    ["^(?:)*$", "", true],
    ["x$|^y", "ay", false],
  ])("%s of %j: %s", (pattern, text, expected) => {
    expect(new Pattern(pattern).test(text, free)).toBe(expected);
  });
});

test.each([
  ["(", /^is no regular expression: /],
  ["[b-a]", /^is no regular expression: /],
  ["\\q", /^is no regular expression: /],
  ["(a)\\1", "refers back to what it matched, which is not served"],
  ["(?<n>a)\\k<n>", "refers back to what it matched, which is not served"],
  ["a(?=b)", "looks ahead or behind, which is not served"],
  ["a(?!b)", "looks ahead or behind, which is not served"],
  ["(?<=a)b", "looks ahead or behind, which is not served"],
  ["(?<!a)b", "looks ahead or behind, which is not served"],
  ["a{1001}", "counts more than 1000 repetitions"],
  ["(?:a{100}){100}", "has more than 1000 states, counted repetitions written out"],
  ["(?:){1000}{0}", /^is no regular expression: /],
  ["x".repeat(MAX_PATTERN_LENGTH + 1), "is longer than 512 characters"],
])("the pattern %s is refused", (pattern, message) => {
  expect(() => new Pattern(pattern)).toThrow(PatternError);
  expect(() => new Pattern(pattern)).toThrow(message);
});

test("the work of a match is at most the states for each character", () => {
  const pattern = new Pattern("^(a|aa)+$");
  let steps = 0;
  const text = `${"a".repeat(10_000)}!`;
  expect(pattern.test(text, (spent) => (steps += spent))).toBe(false);
  expect(steps).toBeLessThan((pattern.stateCount + 1) * (text.length + 1));
});

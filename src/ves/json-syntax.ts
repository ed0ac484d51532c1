const WHITESPACE = /[ \t\n\r]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SCALAR = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null/y;

/** What may come next. */
type Expectation = "value" | "value or ]" | "key or }" | "key" | ":" | ", or ]" | ", or }" | "end of text";

/**
 * Says where and why `text`, which `JSON.parse` refused, is not JSON. Engines word this differently, mostly leave the
 * position out and quote the caller's data, so it is worked out here; only refused text pays for it.
 */
export function describeSyntaxError(text: string): string {
  const open: string[] = [];
  let expected: Expectation = "value";
  let at = skip(WHITESPACE, text, 0);
  while (at < text.length) {
    const next = step(text, at, expected, open);
    if (next === undefined) return `expected ${expected} at position ${at}`;
    expected = next.expected;
    at = skip(WHITESPACE, text, next.at);
  }
  return `expected ${expected} at position ${at}, where the text ends`;
}

/** Reads one token, or answers `undefined` when it is not one of the expected ones. `open` is updated. */
function step(
  text: string,
  at: number,
  expected: Expectation,
  open: string[],
): { at: number; expected: Expectation } | undefined {
  const char = text.charAt(at);
  const closes = (char === "]" || char === "}") && expected.endsWith(char);
  if (closes) {
    open.pop();
    return { at: at + 1, expected: afterValue(open) };
  }
  if (expected.startsWith("key")) {
    const end = skipString(text, at);
    return end > at ? { at: end, expected: ":" } : undefined;
  }
  if (expected.startsWith("value")) {
    if (char === "[" || char === "{") {
      open.push(char);
      return { at: at + 1, expected: char === "[" ? "value or ]" : "key or }" };
    }
    const end = Math.max(skipString(text, at), skip(SCALAR, text, at));
    return end > at ? { at: end, expected: afterValue(open) } : undefined;
  }
  if (char === ":" && expected === ":") return { at: at + 1, expected: "value" };
  if (char === "," && expected.startsWith(",")) {
    return { at: at + 1, expected: open.at(-1) === "[" ? "value" : "key" };
  }
  return undefined;
}

function afterValue(open: readonly string[]): Expectation {
  const container = open.at(-1);
  if (container === undefined) return "end of text";
  return container === "[" ? ", or ]" : ", or }";
}

/** Offset after the sticky `pattern` at `at`, or `at` itself when it does not match there. */
function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** As {@link skip}, for a string. Not a pattern: one that repeats a choice runs out of stack on megabytes. */
function skipString(text: string, start: number): number {
  if (text.charAt(start) !== '"') return start;
  for (let at = start + 1; at < text.length;) {
    const char = text.charAt(at);
    if (char === '"') return at + 1;
    const next = char === "\\" ? skip(ESCAPE, text, at) : at + 1;
    if (next === at || char < " ") return start;
    at = next;
  }
  return start;
}

import { VesError } from "./errors.ts";
import { describeSyntaxError } from "./json-syntax.ts";

/** What JSON text can stand for. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;

/** A JSON object. Members are own properties, whatever they are called. */
export interface JsonObject {
  [member: string]: JsonValue;
}

/** Deepest nesting of arrays and objects that is read or canonicalized (VES 1.1). */
export const MAX_JSON_DEPTH = 128;

/** Other implementations give an object with this key a private meaning and would hash another document (VES 1.1). */
const RESERVED_KEY = "$serde_json::private::RawValue";

const QUOTE = 0x22;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const COLON = 0x3a;
const LETTER_E = 0x45;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LETTER_SMALL_E = 0x65;
const LETTER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Reads JSON text as VES 1.1 wants it read: like `JSON.parse` (the last of two equal keys wins), but it refuses what
 * other implementations refuse or cannot represent: numbers that overflow a double, lone surrogates, nesting beyond
 * `maxDepth` (128 when not given) and one reserved key. What a later duplicate hides is refused too.
 *
 * @throws VesError `malformed_json`; the message says what is wrong and at which character
 */
export function parseJson(text: string, options: { readonly maxDepth?: number } = {}): JsonValue {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    throw new VesError("malformed_json", describeSyntaxError(text));
  }
  // The escapes are checked below; this finds surrogates that stand in the text itself.
  if (!text.isWellFormed()) throw malformed("lone surrogate", loneSurrogateIndex(text));
  scan(text, options.maxDepth ?? MAX_JSON_DEPTH);
  return value;
}

/**
 * One pass over text that is known to be valid JSON. It leaps from quote to quote, and reads inside a string only when
 * the string holds a backslash, because most of a request is hex in strings.
 */
function scan(text: string, maxDepth: number): void {
  let depth = 0;
  let nextEscape = indexOrEnd(text, "\\", 0);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      const start = i;
      i = text.indexOf('"', start + 1);
      const escaped = nextEscape < i;
      if (escaped) {
        i = scanEscapedString(text, start);
        nextEscape = indexOrEnd(text, "\\", i);
      }
      if (isReservedKey(text, start, i, escaped)) throw malformed(`reserved key ${RESERVED_KEY}`, start);
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (++depth > maxDepth) throw malformed(`nesting deeper than ${maxDepth} levels`, i);
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      depth--;
    } else if (code === MINUS || (code >= DIGIT_0 && code <= DIGIT_9)) {
      i = scanNumber(text, i);
    }
  }
}

/** Index of the closing quote of the string that opens at `start`. */
function scanEscapedString(text: string, start: number): number {
  for (let i = start + 1; ; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return i;
    if (code !== BACKSLASH) continue;
    i++;
    if (text.charCodeAt(i) !== LETTER_U) continue;
    const unit = escapedUnit(text, i);
    if (isLowSurrogate(unit)) throw malformed("lone low surrogate escape", i - 1);
    if (isHighSurrogate(unit)) {
      const paired = text.startsWith("\\u", i + 5) && isLowSurrogate(escapedUnit(text, i + 6));
      if (!paired) throw malformed("lone high surrogate escape", i - 1);
      i += 6;
    }
    i += 4;
  }
}

/** Index of the last character of the number that starts at `start`. */
function scanNumber(text: string, start: number): number {
  let end = start + 1;
  let hasExponent = false;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === LETTER_E || code === LETTER_SMALL_E) hasExponent = true;
    else if ((code < DIGIT_0 || code > DIGIT_9) && code !== DOT && code !== PLUS && code !== MINUS) break;
  }
  // The largest double has 309 digits, so anything shorter and without an exponent is finite.
  const mayOverflow = hasExponent || end - start >= 309;
  if (mayOverflow && !Number.isFinite(Number(text.slice(start, end)))) {
    throw malformed("number too large for a double", start);
  }
  return end - 1;
}

function isReservedKey(text: string, start: number, end: number, escaped: boolean): boolean {
  const length = end - start - 1;
  // An escape stretches one character to six at most.
  const same = escaped
    ? length <= 6 * RESERVED_KEY.length && JSON.parse(text.slice(start, end + 1)) === RESERVED_KEY
    : length === RESERVED_KEY.length && text.startsWith(RESERVED_KEY, start + 1);
  if (!same) return false;
  let next = end + 1;
  while (text.charCodeAt(next) <= 0x20) next++;
  return text.charCodeAt(next) === COLON;
}

/** The UTF-16 unit that four hex digits give, behind the `u` at `at`. */
function escapedUnit(text: string, at: number): number {
  return Number.parseInt(text.slice(at + 1, at + 5), 16);
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

function loneSurrogateIndex(text: string): number {
  for (let i = 0; ; i++) {
    const unit = text.charCodeAt(i);
    if (isLowSurrogate(unit)) return i;
    if (isHighSurrogate(unit) && !isLowSurrogate(text.charCodeAt(++i))) return i - 1;
  }
}

function indexOrEnd(text: string, needle: string, from: number): number {
  const index = text.indexOf(needle, from);
  return index === -1 ? text.length : index;
}

function malformed(what: string, position: number): VesError {
  return new VesError("malformed_json", `${what} at position ${position}`);
}

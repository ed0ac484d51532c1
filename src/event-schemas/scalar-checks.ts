import { canonicalJson, type JsonObject, type JsonValue } from "../ves/index.ts";
import { FORMATS } from "./formats.ts";
import { isMultipleOf } from "./multiple-of.ts";
import { Pattern } from "./pattern.ts";
import type { Run } from "./run.ts";
import { shown } from "./shown.ts";
import type { Check } from "./check.ts";

/** Keywords that apply to values of every type. */
export function valueChecks(schema: JsonObject): Check[] {
  const { type, enum: values, const: constant } = schema;
  const checks: Check[] = [];
  if (type !== undefined) checks.push(typeCheck((Array.isArray(type) ? type : [type]) as string[]));
  if (Array.isArray(values)) checks.push(equalityCheck(values, `must be one of ${shown(JSON.stringify(values))}`));
  if (constant !== undefined) checks.push(equalityCheck([constant], `must be ${shown(JSON.stringify(constant))}`));
  return checks;
}

export function numberChecks(schema: JsonObject): Check[] {
  const checks: Check[] = [];
  const add = (keyword: string, isKept: (value: number, bound: number) => boolean, words: string): void => {
    const bound = schema[keyword];
    if (typeof bound !== "number") return;
    const message = `must be ${words} ${bound}`;
    checks.push((value, run) => typeof value !== "number" || isKept(value, bound) || run.fail(message));
  };
  add("minimum", (value, bound) => value >= bound, "at least");
  add("maximum", (value, bound) => value <= bound, "at most");
  add("exclusiveMinimum", (value, bound) => value > bound, "more than");
  add("exclusiveMaximum", (value, bound) => value < bound, "less than");
  add("multipleOf", isMultipleOf, "a multiple of");
  return checks;
}

export function stringChecks(schema: JsonObject): Check[] {
  const { minLength, maxLength, pattern, format } = schema;
  const checks: Check[] = [];
  const add = (isKept: (text: string, run: Run) => boolean, message: string): void => {
    checks.push((value, run) => typeof value !== "string" || isKept(value, run) || run.fail(message));
  };
  if (typeof minLength === "number") {
    add(
      (text, run) => text.length >= minLength && lengthOf(text, run) >= minLength,
      `must have ${minLength} characters or more`,
    );
  }
  if (typeof maxLength === "number") {
    // Characters are never more than units, so most texts need not be counted.
    add(
      (text, run) => text.length <= maxLength || lengthOf(text, run) <= maxLength,
      `must have ${maxLength} characters or fewer`,
    );
  }
  if (typeof pattern === "string") {
    const compiled = new Pattern(pattern);
    add((text, run) => compiled.test(text, run.spend), `must match ${shown(JSON.stringify(pattern))}`);
  }
  const test = FORMATS.get(format as string);
  if (test !== undefined) {
    add(
      (text, run) => {
        run.spend(text.length);
        return test(text);
      },
      `must be of the format ${format as string}`,
    );
  }
  return checks;
}

function typeCheck(types: readonly string[]): Check {
  const names = new Set(types);
  const message = `must be of type ${types.join(" or ")}`;
  return (value, run) => {
    const isOne = names.has(typeOf(value)) || (names.has("integer") && Number.isInteger(value));
    return isOne || run.fail(message);
  };
}

function typeOf(value: JsonValue): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** Equal values have one canonical text; of simple ones they are the values themselves. */
function equalityCheck(values: readonly JsonValue[], message: string): Check {
  const simple = new Set(values.filter((value) => typeof value !== "object" || value === null));
  const texts = new Set(values.filter((value) => typeof value === "object").map((value) => canonicalJson(value)));
  return (value, run) => {
    if (typeof value !== "object" || value === null) return simple.has(value) || run.fail(message);
    if (texts.size === 0) return run.fail(message);
    return texts.has(canonicalText(value, run)) || run.fail(message);
  };
}

/** The one text of a value, at the price of its length. */
export function canonicalText(value: JsonValue, run: Run): string {
  const text = canonicalJson(value);
  run.spend(text.length);
  return text;
}

/** In characters as JSON Schema counts them: code points. */
function lengthOf(text: string, run: Run): number {
  run.spend(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) length++;
  return length;
}

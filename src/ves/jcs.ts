import { VesError } from "./errors.ts";
import { MAX_JSON_DEPTH } from "./json.ts";
import type { JsonObject, JsonValue } from "./json.ts";

/** Strings that JSON writes as they are: no quote, no backslash, no control, and nothing that could be a surrogate. */
const PLAIN = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/;

/**
 * RFC 8785 text of a JSON value: no blanks, members sorted by UTF-16 units, every number printed as the double it is
 * (VES 1.1).
 *
 * @throws VesError `not_canonicalizable` for numbers that are not finite, lone surrogates, values JSON does not know
 * (`undefined`, functions, bigints) and nesting beyond 128 levels
 */
export function canonicalJson(value: JsonValue): string {
  return write(value, 0);
}

function write(value: JsonValue, depth: number): string {
  switch (typeof value) {
    case "string":
      return quote(value);
    case "number":
      if (!Number.isFinite(value)) throw new VesError("not_canonicalizable", `${value} is not a JSON number`);
      return String(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      if (depth === MAX_JSON_DEPTH) {
        throw new VesError("not_canonicalizable", `nesting deeper than ${MAX_JSON_DEPTH} levels`);
      }
      return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1);
    default:
      throw new VesError("not_canonicalizable", `${typeof value} is not a JSON type`);
  }
}

function writeArray(items: readonly JsonValue[], depth: number): string {
  if (items.length === 0) return "[]";
  let text = "";
  for (let i = 0; i < items.length; i++) text += `,${write(items[i] as JsonValue, depth)}`;
  return `[${text.slice(1)}]`;
}

function writeObject(object: JsonObject, depth: number): string {
  const keys = Object.keys(object);
  if (keys.length === 0) return "{}";
  if (keys.length > 1) keys.sort();
  let text = "";
  for (const key of keys) text += `,${quote(key)}:${write(object[key] as JsonValue, depth)}`;
  return `{${text.slice(1)}}`;
}

function quote(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new VesError("not_canonicalizable", "string contains a lone surrogate");
  return JSON.stringify(text);
}

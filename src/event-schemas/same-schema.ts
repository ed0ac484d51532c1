import { canonicalJson, type JsonValue } from "../ves/index.ts";
import { isObject, referenced, type Schema } from "./schema.ts";

/** The value of a keyword, with the schema that its references start from. */
interface Side {
  readonly root: Schema;
  readonly value: JsonValue | undefined;
}

/**
 * Whether two values of a keyword are equal, and what they refer to is.
 *
 * @param spend is called at every step
 */
export function isSame(one: Side, other: Side, spend: () => void): boolean {
  // Two that lead back to themselves are the same unless something differs on the way.
  const compared = new Map<JsonValue, Set<JsonValue>>();

  function same(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
    spend();
    if (a === undefined || b === undefined) return a === b;
    if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => same(item, b[i]));
    if (!isObject(a) || !isObject(b)) return canonicalJson(a) === canonicalJson(b);
    const known = compared.get(a) ?? new Set();
    if (known.has(b)) return true;
    compared.set(a, known.add(b));
    return [...Object.keys(a), ...Object.keys(b)].every((keyword) => {
      const reference = a[keyword];
      if (!same(reference, b[keyword])) return false;
      if (keyword !== "$ref" || typeof reference !== "string") return true;
      return same(referenced(one.root, reference), referenced(other.root, reference));
    });
  }

  return same(one.value, other.value);
}

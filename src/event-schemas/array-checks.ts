import type { JsonObject, JsonValue } from "../ves/index.ts";
import type { Run } from "./run.ts";
import { canonicalText } from "./scalar-checks.ts";
import type { Check, Compile } from "./check.ts";

/** Keywords that apply to arrays. */
export function arrayChecks(schema: JsonObject, compile: Compile): Check[] {
  const { minItems, maxItems, uniqueItems, prefixItems, items } = schema;
  const checks: Check[] = [];
  const add = (isKept: (array: readonly JsonValue[], run: Run) => boolean): void => {
    checks.push((value, run) => !Array.isArray(value) || isKept(value, run));
  };
  if (typeof minItems === "number") {
    add((array, run) => array.length >= minItems || run.fail(`must have ${minItems} items or more`));
  }
  if (typeof maxItems === "number") {
    add((array, run) => array.length <= maxItems || run.fail(`must have ${maxItems} items or fewer`));
  }
  if (uniqueItems === true) add(areUnique);
  const prefix = Array.isArray(prefixItems) ? prefixItems.map((item) => compile(item)) : [];
  const rest = items === undefined ? undefined : compile(items);
  if (prefix.length > 0 || rest !== undefined) add((array, run) => checkItems(array, prefix, rest, run));
  if (schema["contains"] !== undefined) add(containsCheck(schema, compile(schema["contains"])));
  return checks;
}

function checkItems(array: readonly JsonValue[], prefix: readonly Check[], rest: Check | undefined, run: Run): boolean {
  const end = rest === undefined ? Math.min(prefix.length, array.length) : array.length;
  let isValid = true;
  for (let index = 0; index < end; index++) {
    const check = prefix[index] ?? rest;
    run.path.push(index);
    if (check?.(array[index] as JsonValue, run) === false) isValid = false;
    run.path.pop();
    if (!isValid && run.isSettled) break;
  }
  return isValid;
}

function containsCheck(schema: JsonObject, check: Check): (array: readonly JsonValue[], run: Run) => boolean {
  const least = Number(schema["minContains"] ?? 1);
  const most = Number(schema["maxContains"] ?? Infinity);
  return (array, run) => {
    run.spend(array.length);
    const matching = array.filter((item) => run.silently(() => check(item, run))).length;
    if (matching < least) return run.fail(`must contain ${least} items or more that match (contains)`);
    return matching <= most || run.fail(`must contain ${most} items or fewer that match (contains)`);
  };
}

function areUnique(array: readonly JsonValue[], run: Run): boolean {
  const seen = new Set<string>();
  for (const [index, item] of array.entries()) {
    if (seen.size === seen.add(canonicalText(item, run)).size) return run.fail(`repeats an item at index ${index}`);
  }
  return true;
}

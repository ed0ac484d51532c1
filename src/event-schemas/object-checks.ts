import type { JsonObject, JsonValue } from "../ves/index.ts";
import { Pattern } from "./pattern.ts";
import type { Run } from "./run.ts";
import { isObject } from "./schema.ts";
import { shown } from "./shown.ts";
import type { Check, Compile } from "./check.ts";

/** Keywords that apply to objects. */
export function objectChecks(schema: JsonObject, compile: Compile): Check[] {
  const { required, minProperties, maxProperties, propertyNames } = schema;
  const checks: Check[] = [];
  const add = (isKept: (object: JsonObject, run: Run) => boolean): void => {
    checks.push((value, run) => !isObject(value) || isKept(value, run));
  };
  if (Array.isArray(required)) add(requiredCheck(required as string[]));
  if (typeof minProperties === "number") {
    add(
      (object, run) => countOf(object, run) >= minProperties || run.fail(`must have ${minProperties} members or more`),
    );
  }
  if (typeof maxProperties === "number") {
    add(
      (object, run) => countOf(object, run) <= maxProperties || run.fail(`must have ${maxProperties} members or fewer`),
    );
  }
  if (propertyNames !== undefined) {
    const check = compile(propertyNames);
    add((object, run) => everyMember(Object.keys(object), (name) => check(name, run), run));
  }
  const members = memberCheck(schema, compile);
  if (members !== undefined) add(members);
  return [...checks, ...dependentChecks(schema, compile)];
}

function requiredCheck(required: readonly string[]): (object: JsonObject, run: Run) => boolean {
  return (object, run) => {
    run.spend(required.length);
    let isValid = true;
    for (const name of required) {
      if (!Object.hasOwn(object, name)) isValid = run.fail(`must have the member ${shown(JSON.stringify(name))}`);
    }
    return isValid;
  };
}

/** `properties`, `patternProperties` and `additionalProperties`, which depend on one another. */
function memberCheck(schema: JsonObject, compile: Compile): ((object: JsonObject, run: Run) => boolean) | undefined {
  const { properties, patternProperties, additionalProperties } = schema;
  const named = new Map(
    Object.entries(isObject(properties) ? properties : {}).map(([name, one]) => [name, compile(one)]),
  );
  const matched = Object.entries(isObject(patternProperties) ? patternProperties : {}).map(
    ([pattern, one]) => [new Pattern(pattern), compile(one)] as const,
  );
  const additional = additionalProperties === undefined ? undefined : compile(additionalProperties);
  if (named.size === 0 && matched.length === 0 && additional === undefined) return undefined;

  const checkMember = (object: JsonObject, name: string, run: Run): boolean => {
    const value = object[name] as JsonValue;
    const own = named.get(name);
    let isValid = own === undefined || own(value, run);
    let isKnown = own !== undefined;
    for (const [pattern, check] of matched) {
      if (!pattern.test(name, run.spend)) continue;
      isKnown = true;
      if (!check(value, run)) isValid = false;
    }
    if (!isKnown && additional !== undefined) return additional(value, run);
    return isValid;
  };
  return (object, run) => everyMember(Object.keys(object), (name) => checkMember(object, name, run), run);
}

function dependentChecks(schema: JsonObject, compile: Compile): Check[] {
  const { dependentRequired, dependentSchemas } = schema;
  const rules = [
    ...Object.entries(isObject(dependentRequired) ? dependentRequired : {}).map(([name, names]) => {
      return [name, requiredCheck(names as string[])] as const;
    }),
    ...Object.entries(isObject(dependentSchemas) ? dependentSchemas : {}).map(
      ([name, one]) => [name, compile(one)] as const,
    ),
  ];
  if (rules.length === 0) return [];
  return [
    (value, run) => {
      if (!isObject(value)) return true;
      run.spend(rules.length);
      const broken = rules.filter(([name, check]) => Object.hasOwn(value, name) && !check(value, run));
      return broken.length === 0;
    },
  ];
}

/** Asks for each member by its name, at its place. */
function everyMember(names: readonly string[], isKept: (name: string) => boolean, run: Run): boolean {
  let isValid = true;
  for (const name of names) {
    run.spend(1);
    run.path.push(name);
    if (!isKept(name)) isValid = false;
    run.path.pop();
    if (!isValid && run.isSettled) break;
  }
  return isValid;
}

function countOf(object: JsonObject, run: Run): number {
  const { length } = Object.keys(object);
  run.spend(length);
  return length;
}

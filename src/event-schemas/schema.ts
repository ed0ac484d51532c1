import type { JsonObject, JsonValue } from "../ves/index.ts";

/** A JSON Schema (2020-12) of an event's payload. */
export type Schema = boolean | JsonObject;

/** Largest schema, as canonical JSON in bytes of UTF-8. */
export const MAX_SCHEMA_BYTES = 102_400;

export function isSchemaForm(value: unknown): value is Schema {
  return typeof value === "boolean" || isObject(value);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The schema under a keyword; where it is not said, anything is allowed. */
export function schemaAt(schema: JsonObject, keyword: string): Schema {
  return (schema[keyword] ?? true) as Schema;
}

/** A JSON pointer (RFC 6901) with one more step. */
export function pointerTo(pointer: string, ...steps: readonly (string | number)[]): string {
  return steps.reduce<string>(
    (path, step) => `${path}/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`,
    pointer,
  );
}

/**
 * What a `$ref` stands for, which is always a part of the same schema: `#`, or `#` and a JSON pointer. Undefined when it is
 * of another form, or nothing is there.
 */
export function referenced(root: Schema, reference: string): Schema | undefined {
  const steps = pointerSteps(reference);
  if (steps === undefined) return undefined;
  let target: JsonValue | undefined = root;
  for (const step of steps) {
    if (Array.isArray(target)) target = /^(0|[1-9]\d*)$/.test(step) ? target[Number(step)] : undefined;
    else target = isObject(target) && Object.hasOwn(target, step) ? target[step] : undefined;
  }
  return isSchemaForm(target) ? target : undefined;
}

function pointerSteps(reference: string): string[] | undefined {
  if (reference === "#") return [];
  if (!reference.startsWith("#/")) return undefined;
  try {
    const steps = decodeURIComponent(reference.slice(2)).split("/");
    return steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  } catch {
    return undefined;
  }
}

import { z } from "zod";
import type { JsonObject } from "../../../src/ves/index.ts";

/**
 * A payload, passed on as it came: a schema that copies an object leaves out a member `__proto__`, and something else would be signed
 * than was said. Numbers have been rounded by then where they could be, so those that may have been are refused.
 */
export const payloadField = z
  .unknown()
  .refine(isObject, "expected a JSON object")
  .refine(hasExactNumbers, "holds a number beyond 2^53, which would be rounded: write it as text")
  .transform((value) => value as JsonObject)
  .meta({ type: "object" });

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasExactNumbers(payload: unknown): boolean {
  // Without recursion: a message may be nested as deep as it is long.
  const open = [payload];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER) return false;
    if (typeof value === "object" && value !== null) for (const member of Object.values(value)) open.push(member);
  }
  return true;
}

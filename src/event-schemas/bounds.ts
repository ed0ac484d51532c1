import type { JsonObject } from "../ves/index.ts";

/** A bound of numbers; `isOpen` when the number itself is beyond it. */
interface Bound {
  readonly at: number;
  readonly isOpen: boolean;
}

/** The smallest number that a schema allows, by `minimum` and `exclusiveMinimum`. Of integers it is always one itself. */
export function lowerBound(schema: JsonObject, isInteger: boolean): Bound {
  const { minimum, exclusiveMinimum } = schema;
  const closed = typeof minimum === "number" ? minimum : -Infinity;
  const open = typeof exclusiveMinimum === "number" ? exclusiveMinimum : -Infinity;
  if (!isInteger)
    return open >= closed && open > -Infinity ? { at: open, isOpen: true } : { at: closed, isOpen: false };
  return { at: Math.max(Math.ceil(closed), open === -Infinity ? open : Math.floor(open) + 1), isOpen: false };
}

/** The largest number that a schema allows, as the lower bound of the numbers' negatives. */
export function upperBound({ maximum, exclusiveMaximum }: JsonObject, isInteger: boolean): Bound {
  const mirrored: JsonObject = {
    ...(typeof maximum === "number" ? { minimum: -maximum } : {}),
    ...(typeof exclusiveMaximum === "number" ? { exclusiveMinimum: -exclusiveMaximum } : {}),
  };
  return lowerBound(mirrored, isInteger);
}

/** Whether all numbers from the first bound on are from the second on too. */
export function isWithin(inner: Bound, outer: Bound): boolean {
  return inner.at > outer.at || (inner.at === outer.at && (inner.isOpen || !outer.isOpen));
}

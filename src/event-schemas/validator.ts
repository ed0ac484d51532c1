import type { JsonObject, JsonValue } from "../ves/index.ts";
import { arrayChecks } from "./array-checks.ts";
import type { Check, Compile } from "./check.ts";
import { objectChecks } from "./object-checks.ts";
import { type PayloadProblem, Run, TooMuchWork } from "./run.ts";
import { numberChecks, stringChecks, valueChecks } from "./scalar-checks.ts";
import { isObject, referenced, type Schema } from "./schema.ts";

/** What is wrong with a payload: nothing when it is valid. `characters` is its length as canonical JSON. */
export type Validator = (payload: JsonValue, characters: number) => readonly PayloadProblem[];

/** What came of one validation. */
export interface Outcome {
  /** What is wrong with the value, however the validation ended. */
  readonly problems: readonly PayloadProblem[];
  /** Why it was not finished, when it was not: whether the value is valid is then known only if there are problems. */
  readonly unfinished: string | undefined;
  /** The work that it took. */
  readonly steps: number;
}

/** Validates a value, and tells what is wrong with it from what was not found out. `characters` as of a validator. */
export type Trial = (value: JsonValue, characters: number) => Outcome;

/**
 * Compiles a schema that {@link schemaProblem} finds nothing wrong with. Every validation has a bound for its work, which
 * a library's would not have: an array of distinct items or a schema that refers to itself twice can keep one busy for
 * hours, and a Worker cannot interrupt it.
 */
export function compileSchema(schema: Schema): Validator {
  const trial = compileParts(schema)(schema);
  return (payload, characters) => {
    const { problems, unfinished } = trial(payload, characters);
    return unfinished === undefined ? problems : [{ path: "", message: unfinished }];
  };
}

/** Compiles parts of a schema as they are asked for, whatever they have in common once. */
export function compileParts(root: Schema): (part: Schema) => Trial {
  const compiled = new Map<JsonObject, Check>();

  function compile(schema: JsonValue | undefined): Check {
    if (!isObject(schema)) return schema === false ? (_, run) => run.fail("is not allowed") : () => true;
    const known = compiled.get(schema);
    if (known !== undefined) return known;
    // A schema may refer to itself: its check is known before what it consists of.
    const checks: Check[] = [];
    const check: Check = (value, run) => {
      run.enter();
      let isValid = true;
      for (const each of checks) {
        if (each(value, run)) continue;
        isValid = false;
        if (run.isSettled) break;
      }
      run.leave();
      return isValid;
    };
    compiled.set(schema, check);
    checks.push(
      ...valueChecks(schema),
      ...numberChecks(schema),
      ...stringChecks(schema),
      ...arrayChecks(schema, compile),
      ...objectChecks(schema, compile),
      ...combiningChecks(schema, compile, root),
    );
    return check;
  }

  return (part) => {
    const check = compile(part);
    return (value, characters) => {
      const run = new Run(characters);
      const unfinished = whyUnfinished(() => check(value, run));
      return { problems: run.problems, unfinished, steps: run.steps };
    };
  };
}

function whyUnfinished(validate: () => void): string | undefined {
  try {
    validate();
    return undefined;
  } catch (error) {
    if (error instanceof TooMuchWork) return error.message;
    throw error;
  }
}

function combiningChecks(schema: JsonObject, compile: Compile, root: Schema): Check[] {
  const { $ref: reference, allOf, anyOf, oneOf, not } = schema;
  const checks: Check[] = [];
  if (typeof reference === "string") {
    // Not before it is needed: a chain of references may be longer than the stack.
    let target: Check | undefined;
    checks.push((value, run) => {
      target ??= compile(referenced(root, reference));
      return target(value, run);
    });
  }
  if (Array.isArray(allOf)) checks.push(...allOf.map((part) => compile(part)));
  if (Array.isArray(anyOf)) {
    const options = anyOf.map((part) => compile(part));
    checks.push((value, run) => {
      run.spend(options.length);
      const isAny = run.silently(() => options.some((option) => option(value, run)));
      return isAny || run.fail("matches none of the alternatives (anyOf)");
    });
  }
  if (Array.isArray(oneOf)) {
    const options = oneOf.map((part) => compile(part));
    checks.push((value, run) => {
      run.spend(options.length);
      let matches = 0;
      for (const option of options) {
        if (run.silently(() => option(value, run))) matches++;
        if (matches > 1) return run.fail("matches more than one of the alternatives (oneOf)");
      }
      return matches === 1 || run.fail("matches none of the alternatives (oneOf)");
    });
  }
  if (not !== undefined) {
    const forbidden = compile(not);
    checks.push(
      (value, run) => !run.silently(() => forbidden(value, run)) || run.fail("matches what is excluded (not)"),
    );
  }
  return [...checks, ...conditionalChecks(schema, compile)];
}

function conditionalChecks(schema: JsonObject, compile: Compile): Check[] {
  if (schema["if"] === undefined) return [];
  const condition = compile(schema["if"]);
  const whenTrue = compile(schema["then"]);
  const whenFalse = compile(schema["else"]);
  return [
    (value, run) => {
      const applies = run.silently(() => condition(value, run));
      return applies ? whenTrue(value, run) : whenFalse(value, run);
    },
  ];
}

import { type JsonObject, type JsonValue, utf8 } from "../ves/index.ts";
import { besideReference, type Dialect, dialectOf } from "./dialects.ts";
import { ANNOTATIONS, ASSERTIONS, IN_PLACE, type KeywordForm, NOT_SERVED, TYPES } from "./keywords.ts";
import { MAX_PATTERN_STATES, Pattern } from "./pattern.ts";
import { PatternError } from "./pattern-syntax.ts";
import { isObject, isSchemaForm, MAX_SCHEMA_BYTES, pointerTo, referenced, type Schema } from "./schema.ts";

/** Deepest nesting of schemas within one another. */
export const MAX_SCHEMA_DEPTH = 32;
/** Most states of all patterns together: they are what a small schema could take much memory with. */
export const MAX_SCHEMA_STATES = 10 * MAX_PATTERN_STATES;

/** Why a schema cannot be registered: where in it, as a JSON pointer, and why, as what follows a subject. */
export interface SchemaProblem {
  readonly path: string;
  readonly message: string;
}

class Refusal extends Error {
  override readonly name = "Refusal";
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

/** Whether a schema is larger than any may be. */
export function isTooLarge(text: string): boolean {
  return text.length > MAX_SCHEMA_BYTES || utf8(text).length > MAX_SCHEMA_BYTES;
}

/**
 * The first thing for which a schema cannot be used, or undefined. Everything that is accepted here is obeyed: a keyword
 * that is known and not served is refused, and one that the stated dialect does not have. One that JSON Schema does not
 * know says something to people, as it has it.
 */
export function schemaProblem(schema: Schema): SchemaProblem | undefined {
  try {
    new SchemaCheck(schema).run();
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return { path: error.path, message: error.message };
    throw error;
  }
}

class SchemaCheck {
  readonly #root: Schema;
  readonly #dialect: Dialect;
  /** Schemas that have been looked at, and where. What `$ref` leads to must be among them. */
  readonly #places = new Map<JsonObject, string>();
  readonly #references: { readonly path: string; readonly target: JsonObject }[] = [];
  #states = 0;

  constructor(root: Schema) {
    this.#root = root;
    const dialect = dialectOf(isObject(root) ? root : {});
    if (dialect === undefined) throw new Refusal("/$schema", "must be the dialect 2020-12, 2019-09 or draft-07");
    this.#dialect = dialect;
  }

  run(): void {
    this.#checkSchema(this.#root, "", 1);
    for (const { path, target } of this.#references) {
      if (!this.#places.has(target)) throw new Refusal(path, "leads to a place that is no schema");
    }
    this.#checkEnds();
  }

  #checkSchema(schema: Schema, path: string, depth: number): void {
    if (typeof schema === "boolean") return;
    if (depth > MAX_SCHEMA_DEPTH) throw new Refusal(path, `is nested deeper than ${MAX_SCHEMA_DEPTH} schemas`);
    this.#places.set(schema, path);
    for (const [keyword, value] of Object.entries(schema)) {
      const place = pointerTo(path, keyword);
      const instead = NOT_SERVED.get(keyword);
      if (instead !== undefined) throw new Refusal(place, `is not served: ${instead}`);
      if (this.#dialect.lacks.has(keyword)) {
        throw new Refusal(place, `is ${keyword}, which ${this.#dialect.name} does not have: state the dialect 2020-12`);
      }
      const form = ASSERTIONS.get(keyword) ?? ANNOTATIONS.get(keyword);
      if (form !== undefined) this.#checkValue(form, value, place, depth);
    }
    this.#checkDialect(schema, path);
  }

  #checkDialect(schema: JsonObject, path: string): void {
    for (const keyword of ["$id", "$schema"]) {
      if (path !== "" && schema[keyword] !== undefined) {
        throw new Refusal(pointerTo(path, keyword), "is served at the top only");
      }
    }
    const hidden = this.#dialect.refersAlone ? besideReference(schema) : undefined;
    if (hidden === undefined) return;
    const message = `hides the ${hidden} beside it in ${this.#dialect.name}: state the dialect 2020-12`;
    throw new Refusal(pointerTo(path, "$ref"), message);
  }

  #checkValue(form: KeywordForm, value: JsonValue, path: string, depth: number): void {
    switch (form) {
      case "anything":
        return;
      case "boolean":
        return expect(typeof value === "boolean", path, "must be true or false");
      case "number":
        return expect(typeof value === "number", path, "must be a number");
      case "positive number":
        return expect(typeof value === "number" && value > 0, path, "must be a number above 0");
      case "count":
        return expect(Number.isSafeInteger(value) && Number(value) >= 0, path, "must be a whole number from 0");
      case "text":
        return expect(typeof value === "string", path, "must be a text");
      case "list of names":
        return expect(isNames(value), path, "must be a list of names");
      case "lists of names":
        expect(isObject(value), path, "must be an object of lists of names");
        for (const [name, names] of Object.entries(value as JsonObject)) {
          expect(isNames(names), pointerTo(path, name), "must be a list of names");
        }
        return;
      case "list of values":
        return expect(Array.isArray(value) && value.length > 0, path, "must be a list of at least one value");
      case "types":
        return checkTypes(value, path);
      case "pattern":
        expect(typeof value === "string", path, "must be a text");
        return this.#checkPattern(value as string, path);
      case "reference":
        return this.#checkReference(value, path);
      case "schema":
        expect(!Array.isArray(value), path, "must be one schema: for a list of them use prefixItems");
        return this.#checkSubschema(value, path, depth);
      case "schemas":
        expect(Array.isArray(value) && value.length > 0, path, "must be a list of at least one schema");
        (value as JsonValue[]).forEach((item, index) => this.#checkSubschema(item, pointerTo(path, index), depth));
        return;
      case "schemas by name":
      case "schemas by pattern":
        expect(isObject(value), path, "must be an object of schemas");
        for (const [name, item] of Object.entries(value as JsonObject)) {
          const place = pointerTo(path, name);
          if (form === "schemas by pattern") this.#checkPattern(name, place);
          this.#checkSubschema(item, place, depth);
        }
    }
  }

  #checkSubschema(value: JsonValue, path: string, depth: number): void {
    if (!isSchemaForm(value)) throw new Refusal(path, "must be an object, true or false");
    this.#checkSchema(value, path, depth + 1);
  }

  #checkPattern(source: string, path: string): void {
    try {
      this.#states += new Pattern(source).stateCount;
    } catch (error) {
      if (error instanceof PatternError) throw new Refusal(path, error.message);
      throw error;
    }
    expect(this.#states <= MAX_SCHEMA_STATES, path, `makes the patterns have more than ${MAX_SCHEMA_STATES} states`);
  }

  #checkReference(value: JsonValue, path: string): void {
    expect(typeof value === "string", path, "must be a text");
    const reference = value as string;
    expect(/^#(\/|$)/.test(reference), path, "must lead to a place within this schema: # and a JSON pointer");
    const target = referenced(this.#root, reference);
    if (target === undefined) throw new Refusal(path, "leads to nothing");
    if (typeof target !== "boolean") this.#references.push({ path, target });
  }

  /** A schema that refers to itself without going into the value would never come to an end. */
  #checkEnds(): void {
    const done = new Set<JsonObject>();
    for (const [start, path] of this.#places) {
      const open = new Set<JsonObject>();
      // In depth first, with a mark for leaving a schema: the schema itself, a second time.
      const waiting = [start];
      for (let schema = waiting.pop(); schema !== undefined; schema = waiting.pop()) {
        if (open.delete(schema)) {
          done.add(schema);
          continue;
        }
        if (done.has(schema)) continue;
        open.add(schema);
        waiting.push(schema);
        for (const next of appliedInPlace(schema, this.#root)) {
          if (open.has(next)) throw new Refusal(path, "refers to itself without going into the value");
          waiting.push(next);
        }
      }
    }
  }
}

function appliedInPlace(schema: JsonObject, root: Schema): JsonObject[] {
  const applied: (JsonValue | undefined)[] = IN_PLACE.flatMap((keyword) => {
    const value = schema[keyword];
    if (Array.isArray(value)) return value;
    return keyword === "dependentSchemas" && isObject(value) ? Object.values(value) : [value];
  });
  const reference = schema["$ref"];
  if (typeof reference === "string") applied.push(referenced(root, reference));
  return applied.filter((value) => isObject(value));
}

function checkTypes(value: JsonValue, path: string): void {
  const names = Array.isArray(value) ? value : [value];
  const areTypes = names.length > 0 && names.every((name) => TYPES.some((type) => type === name));
  expect(areTypes, path, `must be of ${TYPES.join(", ")}, or a list of them`);
}

function isNames(value: JsonValue): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
}

function expect(holds: boolean, path: string, message: string): void {
  if (!holds) throw new Refusal(path, message);
}

import { canonicalJson, type JsonObject, type JsonValue } from "../ves/index.ts";
import { isWithin, lowerBound, upperBound } from "./bounds.ts";
import { FORMATS } from "./formats.ts";
import { ANNOTATIONS, ASSERTIONS, type TypeName, TYPES } from "./keywords.ts";
import { Members } from "./members.ts";
import { isMultipleOf } from "./multiple-of.ts";
import { isSame } from "./same-schema.ts";
import { isObject, pointerTo, referenced, type Schema, schemaAt } from "./schema.ts";
import { shown } from "./shown.ts";
import type { SchemaProblem } from "./schema-problem.ts";
import { compileParts, type Outcome, type Trial } from "./validator.ts";

/** Most comparisons of one question. */
const MAX_COMPARISONS = 100_000;
/** Steps of validating a listed value, or characters of it, that count as one comparison. */
const STEPS_PER_COMPARISON = 100;
/** Most problems that are told. */
const MAX_TOLD = 20;

/** A schema and what it is called in a message. */
export interface NamedSchema {
  readonly name: string;
  readonly schema: Schema;
}

/** Keywords that are compared with what the other schema has under the same name, and must be equal. */
const EQUAL = ["anyOf", "oneOf", "allOf", "not", "propertyNames", "dependentRequired", "dependentSchemas"] as const;

/** Keywords that say something only together: where the wide schema has the first of them, all must be equal. */
const TOGETHER = [
  ["if", "then", "else"],
  ["contains", "minContains", "maxContains"],
] as const;

class TooManyComparisons extends Error {
  override readonly name = "TooManyComparisons";
}

/**
 * Whether everything that is valid under one schema (the narrow one) is valid under another (the wide one). Each keyword of
 * the wide one must follow from the narrow one; what the narrow one says beyond that only makes it narrower. No answer
 * is wrong in saying yes; what is not recognised is a no. What a validation takes is not compared: a payload for which the
 * work does not suffice is another matter.
 */
export class Containment {
  readonly #wide: NamedSchema;
  readonly #narrow: NamedSchema;
  readonly #problems: SchemaProblem[] = [];
  /** Pairs that were compared, or are being: of a schema that refers to itself the comparison ends there. */
  readonly #compared = new Map<JsonObject, Set<Schema>>();
  readonly #trialByWide: (part: Schema) => Trial;
  readonly #trialByNarrow: (part: Schema) => Trial;
  #comparisons = 0;

  constructor(sides: { readonly wide: NamedSchema; readonly narrow: NamedSchema }) {
    this.#wide = sides.wide;
    this.#narrow = sides.narrow;
    this.#trialByWide = compileParts(sides.wide.schema);
    this.#trialByNarrow = compileParts(sides.narrow.schema);
  }

  /** Where the narrow one allows what the wide one does not, as a JSON pointer into the schemas, and what. */
  problems(): readonly SchemaProblem[] {
    try {
      this.#compare(this.#wide.schema, this.#narrow.schema, "");
    } catch (error) {
      if (!(error instanceof TooManyComparisons)) throw error;
      this.#tell("", "comparing the schemas takes too much work");
    }
    return this.#problems.slice(0, MAX_TOLD);
  }

  #compare(wide: Schema, narrow: Schema, path: string): void {
    this.#spend();
    if (wide === true || allowsNothing(narrow)) return;
    if (allowsNothing(wide))
      return this.#tell(path, `${this.#wide.name} allows nothing here, ${this.#narrow.name} does`);
    if (typeof wide === "boolean") return;
    const known = this.#compared.get(wide) ?? new Set();
    if (known.has(narrow)) return;
    this.#compared.set(wide, known.add(narrow));
    const inner = this.#followed(narrow);
    if (typeof inner === "boolean") {
      if (inner) this.#compareObjects(wide, {}, path);
    } else {
      this.#compareObjects(wide, inner, path);
    }
  }

  /** What a schema that is only a reference stands for. */
  #followed(narrow: Schema): Schema {
    let schema = narrow;
    while (isObject(schema) && typeof schema["$ref"] === "string" && isOnlyReference(schema)) {
      this.#spend();
      schema = referenced(this.#narrow.schema, schema["$ref"]) ?? true;
    }
    return schema;
  }

  #compareObjects(wide: JsonObject, narrow: JsonObject, path: string): void {
    this.#compareUnknown(wide, narrow, path);
    const values = enumerated(narrow);
    if (values !== undefined) return this.#compareValues(values, wide, narrow, path);
    if (typeof wide["$ref"] === "string") this.#compareReference(wide["$ref"], narrow, path);
    if (enumerated(wide) !== undefined) {
      const keyword = wide["enum"] === undefined ? "const" : "enum";
      this.#tell(
        pointerTo(path, keyword),
        `${this.#wide.name} allows certain values only, ${this.#narrow.name} others too`,
      );
    }
    const types = this.#compareTypes(wide, narrow, path);
    if (types.has("number") || types.has("integer")) this.#compareNumbers(wide, narrow, !types.has("number"), path);
    if (types.has("string")) this.#compareStrings(wide, narrow, path);
    if (types.has("array")) this.#compareArrays(wide, narrow, path);
    if (types.has("object")) this.#compareMembers(wide, narrow, path);
    for (const keyword of EQUAL) if (wide[keyword] !== undefined) this.#requireEqual(keyword, wide, narrow, path);
    for (const [first, ...others] of TOGETHER) {
      if (wide[first] === undefined) continue;
      for (const keyword of [first, ...others]) this.#requireEqual(keyword, wide, narrow, path);
    }
  }

  /** What nobody knows the meaning of may not change. */
  #compareUnknown(wide: JsonObject, narrow: JsonObject, path: string): void {
    for (const keyword of new Set([...Object.keys(wide), ...Object.keys(narrow)])) {
      if (ASSERTIONS.has(keyword) || ANNOTATIONS.has(keyword)) continue;
      if (!this.#isEqual(wide[keyword], narrow[keyword])) {
        this.#tell(
          pointerTo(path, keyword),
          `the keyword ${shown(JSON.stringify(keyword))} is not understood and differs`,
        );
      }
    }
  }

  /** Of a list of values each can be asked about. One that the narrow schema does not surely refuse may be allowed. */
  #compareValues(values: readonly JsonValue[], wide: JsonObject, narrow: JsonObject, path: string): void {
    const [byWide, byNarrow] = [this.#trialByWide(wide), this.#trialByNarrow(narrow)];
    const place = pointerTo(path, narrow["enum"] === undefined ? "const" : "enum");
    for (const value of values) {
      const text = canonicalJson(value);
      const given = this.#ask(byNarrow, value, text);
      if (given.problems.length > 0) continue;
      const allowed = this.#ask(byWide, value, text);
      if (allowed.problems.length > 0 || allowed.unfinished !== undefined) {
        this.#tell(place, this.#sayOfValue(shown(text), given, allowed));
      }
    }
  }

  #ask(trial: Trial, value: JsonValue, text: string): Outcome {
    const outcome = trial(value, text.length);
    this.#spend(1 + (text.length + outcome.steps) / STEPS_PER_COMPARISON);
    return outcome;
  }

  #sayOfValue(value: string, given: Outcome, allowed: Outcome): string {
    const [wide, narrow] = [this.#wide.name, this.#narrow.name];
    const [problem] = allowed.problems;
    const unknown = "it takes too much work to tell whether";
    if (problem === undefined) return `${unknown} ${wide} allows the value ${value}, which ${narrow} does not rule out`;
    if (given.unfinished !== undefined) return `${unknown} ${narrow} allows the value ${value}, which ${wide} does not`;
    return `${narrow} allows the value ${value}, which ${wide} does not: it ${problem.message}`;
  }

  #compareReference(reference: string, narrow: JsonObject, path: string): void {
    const [outer, inner] = [{ $ref: reference }, { $ref: narrow["$ref"] ?? null }];
    if (this.#isEqual(outer, inner)) return;
    this.#compare(referenced(this.#wide.schema, reference) ?? true, narrow, pointerTo(path, "$ref"));
  }

  /** @returns the types that both allow: what follows is about values of these */
  #compareTypes(wide: JsonObject, narrow: JsonObject, path: string): Set<TypeName> {
    const [allowed, given] = [typesOf(wide), typesOf(narrow)];
    const missing = [...given].filter((type) => !allowed.has(type));
    if (missing.length > 0) {
      this.#tell(
        pointerTo(path, "type"),
        `${this.#narrow.name} allows ${missing.join(", ")}, ${this.#wide.name} does not`,
      );
    }
    return new Set([...given].filter((type) => allowed.has(type)));
  }

  #compareNumbers(wide: JsonObject, narrow: JsonObject, isInteger: boolean, path: string): void {
    const sides = [
      ["minimum", lowerBound(narrow, isInteger), lowerBound(wide, isInteger)],
      ["maximum", upperBound(narrow, isInteger), upperBound(wide, isInteger)],
    ] as const;
    for (const [keyword, inner, outer] of sides) {
      if (isWithin(inner, outer)) continue;
      this.#tell(
        pointerTo(path, keyword),
        `${this.#narrow.name} allows numbers beyond the bound of ${this.#wide.name}`,
      );
    }
    const divisor = wide["multipleOf"];
    if (typeof divisor !== "number" || (isInteger && divisor === 1)) return;
    const inner = narrow["multipleOf"];
    if (typeof inner === "number" && isMultipleOf(inner, divisor)) return;
    this.#tell(
      pointerTo(path, "multipleOf"),
      `${this.#wide.name} demands multiples of ${divisor}, ${this.#narrow.name} does not`,
    );
  }

  #compareStrings(wide: JsonObject, narrow: JsonObject, path: string): void {
    this.#compareCounts("minLength", "maxLength", wide, narrow, path);
    if (wide["pattern"] !== undefined) this.#requireEqual("pattern", wide, narrow, path);
    // Of other formats nothing is checked.
    if (FORMATS.has(wide["format"] as string)) this.#requireEqual("format", wide, narrow, path);
  }

  #compareArrays(wide: JsonObject, narrow: JsonObject, path: string): void {
    this.#compareCounts("minItems", "maxItems", wide, narrow, path);
    if (wide["uniqueItems"] === true) this.#requireEqual("uniqueItems", wide, narrow, path);
    const [outer, inner] = [prefixOf(wide), prefixOf(narrow)];
    for (let index = 0; index < Math.max(outer.length, inner.length); index++) {
      const place = index < outer.length ? pointerTo(path, "prefixItems", index) : pointerTo(path, "items");
      this.#compare(outer[index] ?? schemaAt(wide, "items"), inner[index] ?? schemaAt(narrow, "items"), place);
    }
    this.#compare(schemaAt(wide, "items"), schemaAt(narrow, "items"), pointerTo(path, "items"));
  }

  #compareMembers(wide: JsonObject, narrow: JsonObject, path: string): void {
    this.#compareCounts("minProperties", "maxProperties", wide, narrow, path);
    const given = new Set(namesIn(narrow["required"]));
    for (const name of namesIn(wide["required"])) {
      if (given.has(name)) continue;
      this.#tell(
        pointerTo(path, "required"),
        `${this.#wide.name} requires ${shown(JSON.stringify(name))}, ${this.#narrow.name} does not`,
      );
    }
    const [outer, inner] = [new Members(wide), new Members(narrow)];
    if (outer.patterns.join("\n") !== inner.patterns.join("\n")) {
      return this.#tell(
        pointerTo(path, "patternProperties"),
        "the patterns differ, and such members cannot be compared",
      );
    }
    for (const pattern of outer.patterns) {
      this.#compare(outer.byPattern(pattern), inner.byPattern(pattern), pointerTo(path, "patternProperties", pattern));
    }
    for (const name of new Set([...outer.names, ...inner.names])) this.#compareMember(name, outer, inner, path);
    const place = pointerTo(path, "additionalProperties");
    this.#compare(outer.additional, inner.additional, place);
  }

  #compareMember(name: string, outer: Members, inner: Members, path: string): void {
    const wide = outer.named(name);
    const narrow = inner.named(name);
    // The patterns are the same on both sides, and were compared.
    const isMatched = outer.patterns.length > 0 && outer.matches(name, () => this.#spend());
    const place = pointerTo(path, "properties", name);
    if (wide !== undefined) this.#compare(wide, narrow ?? (isMatched ? true : inner.additional), place);
    else if (narrow !== undefined && !isMatched) this.#compare(outer.additional, narrow, place);
  }

  #compareCounts(least: string, most: string, wide: JsonObject, narrow: JsonObject, path: string): void {
    if (Number(narrow[least] ?? 0) < Number(wide[least] ?? 0)) {
      this.#tell(
        pointerTo(path, least),
        `${this.#wide.name} demands ${Number(wide[least])}, ${this.#narrow.name} less`,
      );
    }
    if (Number(narrow[most] ?? Infinity) > Number(wide[most] ?? Infinity)) {
      this.#tell(pointerTo(path, most), `${this.#wide.name} allows ${Number(wide[most])}, ${this.#narrow.name} more`);
    }
  }

  #requireEqual(keyword: string, wide: JsonObject, narrow: JsonObject, path: string): void {
    if (this.#isEqual(wide[keyword], narrow[keyword])) return;
    this.#tell(pointerTo(path, keyword), `${keyword} differs, and is compared for equality only`);
  }

  #isEqual(wide: JsonValue | undefined, narrow: JsonValue | undefined): boolean {
    const sides = [
      { root: this.#wide.schema, value: wide },
      { root: this.#narrow.schema, value: narrow },
    ] as const;
    return isSame(...sides, () => this.#spend());
  }

  #tell(path: string, message: string): void {
    if (this.#problems.length < MAX_TOLD) this.#problems.push({ path, message });
  }

  #spend(steps = 1): void {
    this.#comparisons += steps;
    if (this.#comparisons > MAX_COMPARISONS) throw new TooManyComparisons();
  }
}

/** Whether nothing at all is valid, as far as that can be seen at once. */
function allowsNothing(schema: Schema): boolean {
  if (typeof schema === "boolean") return !schema;
  const { not } = schema;
  return not === true || (isObject(not) && Object.keys(not).length === 0);
}

function isOnlyReference(schema: JsonObject): boolean {
  return Object.keys(schema).every((keyword) => keyword === "$ref" || ANNOTATIONS.has(keyword));
}

/** The values that a schema allows at most, when it lists them. */
function enumerated(schema: JsonObject): readonly JsonValue[] | undefined {
  const { enum: values, const: constant } = schema;
  if (Array.isArray(values)) return values;
  return constant === undefined ? undefined : [constant];
}

/** The types that a schema allows; `integer` is among them wherever `number` is. */
function typesOf({ type }: JsonObject): Set<TypeName> {
  if (type === undefined) return new Set(TYPES);
  const names = (Array.isArray(type) ? type : [type]) as TypeName[];
  return new Set(names.includes("number") ? [...names, "integer"] : names);
}

function namesIn(list: JsonValue | undefined): string[] {
  return Array.isArray(list) ? (list as string[]) : [];
}

function prefixOf(schema: JsonObject): Schema[] {
  return Array.isArray(schema["prefixItems"]) ? (schema["prefixItems"] as Schema[]) : [];
}

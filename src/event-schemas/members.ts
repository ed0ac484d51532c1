import type { JsonObject } from "../ves/index.ts";
import { Pattern, type Spend } from "./pattern.ts";
import { isObject, type Schema, schemaAt } from "./schema.ts";

/** What a schema says about the members of an object. */
export class Members {
  readonly names: readonly string[];
  /** In one order, so that two lists can be compared. */
  readonly patterns: readonly string[];
  readonly additional: Schema;
  readonly #properties: JsonObject;
  readonly #byPattern: JsonObject;
  /** Made when a name is asked about: most comparisons end before that. */
  #expressions: readonly Pattern[] | undefined;

  constructor(schema: JsonObject) {
    const { properties, patternProperties } = schema;
    this.#properties = isObject(properties) ? properties : {};
    this.#byPattern = isObject(patternProperties) ? patternProperties : {};
    this.names = Object.keys(this.#properties);
    this.patterns = Object.keys(this.#byPattern).toSorted();
    this.additional = schemaAt(schema, "additionalProperties");
  }

  named(name: string): Schema | undefined {
    return Object.hasOwn(this.#properties, name) ? (this.#properties[name] as Schema) : undefined;
  }

  byPattern(pattern: string): Schema {
    return this.#byPattern[pattern] as Schema;
  }

  matches(name: string, spend: Spend): boolean {
    this.#expressions ??= this.patterns.map((pattern) => new Pattern(pattern));
    return this.#expressions.some((pattern) => pattern.test(name, spend));
  }
}

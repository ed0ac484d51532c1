/** What a keyword's value must be. */
export type KeywordForm =
  | "anything"
  | "boolean"
  | "count"
  | "list of names"
  | "lists of names"
  | "list of values"
  | "number"
  | "pattern"
  | "positive number"
  | "reference"
  | "schema"
  | "schemas"
  | "schemas by name"
  | "schemas by pattern"
  | "text"
  | "types";

/** Every keyword that says which payloads are valid. */
export const ASSERTIONS: ReadonlyMap<string, KeywordForm> = new Map<string, KeywordForm>([
  ["$ref", "reference"],
  ["type", "types"],
  ["enum", "list of values"],
  ["const", "anything"],
  ["multipleOf", "positive number"],
  ["minimum", "number"],
  ["maximum", "number"],
  ["exclusiveMinimum", "number"],
  ["exclusiveMaximum", "number"],
  ["minLength", "count"],
  ["maxLength", "count"],
  ["pattern", "pattern"],
  ["format", "text"],
  ["minItems", "count"],
  ["maxItems", "count"],
  ["uniqueItems", "boolean"],
  ["prefixItems", "schemas"],
  ["items", "schema"],
  ["contains", "schema"],
  ["minContains", "count"],
  ["maxContains", "count"],
  ["minProperties", "count"],
  ["maxProperties", "count"],
  ["required", "list of names"],
  ["properties", "schemas by name"],
  ["patternProperties", "schemas by pattern"],
  ["additionalProperties", "schema"],
  ["propertyNames", "schema"],
  ["dependentRequired", "lists of names"],
  ["dependentSchemas", "schemas by name"],
  ["allOf", "schemas"],
  ["anyOf", "schemas"],
  ["oneOf", "schemas"],
  ["not", "schema"],
  ["if", "schema"],
  ["then", "schema"],
  ["else", "schema"],
]);

/** Keywords that say something to people and tools, and those that only hold definitions. */
export const ANNOTATIONS: ReadonlyMap<string, KeywordForm> = new Map<string, KeywordForm>([
  ["$schema", "text"],
  ["$id", "text"],
  ["$comment", "text"],
  ["$defs", "schemas by name"],
  ["definitions", "schemas by name"],
  ["title", "text"],
  ["description", "text"],
  ["default", "anything"],
  ["examples", "anything"],
  ["deprecated", "boolean"],
  ["readOnly", "boolean"],
  ["writeOnly", "boolean"],
  ["contentEncoding", "text"],
  ["contentMediaType", "text"],
  ["contentSchema", "schema"],
]);

/** Keywords of JSON Schema that would have to be obeyed and are not, each with what to write instead. */
export const NOT_SERVED: ReadonlyMap<string, string> = new Map([
  ["$anchor", "name the place by its JSON pointer"],
  ["$dynamicRef", "use $ref"],
  ["$dynamicAnchor", "use $ref and a JSON pointer"],
  ["$recursiveRef", "use $ref"],
  ["$recursiveAnchor", "use $ref"],
  ["$vocabulary", "leave it out"],
  ["additionalItems", "use prefixItems and items"],
  ["dependencies", "use dependentRequired or dependentSchemas"],
  ["unevaluatedItems", "use items"],
  ["unevaluatedProperties", "use additionalProperties"],
]);

/** Types of JSON Schema; `integer` is the numbers without a fraction. */
export const TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"] as const;
export type TypeName = (typeof TYPES)[number];

/** The keywords whose schemas apply to the very value that theirs applies to. */
export const IN_PLACE = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"] as const;

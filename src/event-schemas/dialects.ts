import type { JsonObject } from "../ves/index.ts";
import { ASSERTIONS } from "./keywords.ts";

/** A version of JSON Schema that `$schema` may state. What it has of the keywords that are taken means the same in all. */
export interface Dialect {
  readonly name: string;
  /** Keywords that are taken and that it does not have: one who reads the schema by it ignores them. */
  readonly lacks: ReadonlySet<string>;
  /** Whether it ignores everything that stands beside a `$ref`. */
  readonly refersAlone: boolean;
}

const LATEST: Dialect = { name: "2020-12", lacks: new Set(), refersAlone: false };

const SINCE_2019 = [
  "$defs",
  "dependentRequired",
  "dependentSchemas",
  "minContains",
  "maxContains",
  "deprecated",
  "contentSchema",
];
const SINCE_2020 = ["prefixItems"];

const DIALECTS: ReadonlyMap<string, Dialect> = new Map([
  ["https://json-schema.org/draft/2020-12/schema", LATEST],
  ["https://json-schema.org/draft/2019-09/schema", { name: "2019-09", lacks: new Set(SINCE_2020), refersAlone: false }],
  [
    "http://json-schema.org/draft-07/schema",
    { name: "draft-07", lacks: new Set([...SINCE_2019, ...SINCE_2020]), refersAlone: true },
  ],
]);

/** The dialect that a whole schema states; the latest when it states none, undefined when it is none of those served. */
export function dialectOf({ $schema: stated }: JsonObject): Dialect | undefined {
  return typeof stated === "string" ? DIALECTS.get(stated.replace(/#$/, "")) : LATEST;
}

/** What stands beside a `$ref` and would be missed if it were ignored. Words to people would not. */
export function besideReference(schema: JsonObject): string | undefined {
  if (schema["$ref"] === undefined) return undefined;
  return Object.keys(schema).find(
    (keyword) => keyword === "definitions" || (keyword !== "$ref" && ASSERTIONS.has(keyword)),
  );
}

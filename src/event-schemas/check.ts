import type { JsonValue } from "../ves/index.ts";
import type { Run } from "./run.ts";

/** Whether a value obeys one keyword or one schema. Problems are noted in the run. */
export type Check = (value: JsonValue, run: Run) => boolean;

/** Makes the check of a schema within the one that is compiled. */
export type Compile = (schema: JsonValue | undefined) => Check;

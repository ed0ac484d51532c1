import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Schema } from "../../src/event-schemas/schema.ts";

const DIRECTORY = join(import.meta.dirname, "..", "..", "schemas");

/** An event type of commerce, and the schema that comes with the sequencer for it. */
export interface CatalogueEntry {
  readonly eventType: string;
  readonly schema: Schema;
}

/** All of schemas/, by event type. */
export function readCatalogue(): CatalogueEntry[] {
  return readdirSync(DIRECTORY)
    .toSorted()
    .map((file) => ({
      eventType: basename(file, ".json"),
      schema: JSON.parse(readFileSync(join(DIRECTORY, file), "utf8")) as Schema,
    }));
}

import type { Schema } from "../event-schemas/schema.ts";
import { compileSchema, type Validator } from "../event-schemas/validator.ts";

/** Schemas that an isolate keeps compiled, in characters of their texts: some 20 bytes each, and about 1,000 usual schemas. */
const MAX_CHARACTERS = 1024 * 1024;

interface Compiled {
  readonly validate: Validator;
  readonly characters: number;
}

/** By the schema's id, which stands for one text for ever; the one that was used longest ago goes first. */
const compiled = new Map<string, Compiled>();
let characters = 0;

/** The validator of a schema that this isolate has compiled. */
export function cachedValidator(schemaId: string): Validator | undefined {
  const known = compiled.get(schemaId);
  if (known === undefined) return undefined;
  compiled.delete(schemaId);
  compiled.set(schemaId, known);
  return known.validate;
}

/** Compiles a schema, and keeps it. */
export function compileAndKeep(schemaId: string, text: string): Validator {
  const validate = compileSchema(JSON.parse(text) as Schema);
  forget(schemaId);
  compiled.set(schemaId, { validate, characters: text.length });
  characters += text.length;
  for (const oldest of compiled.keys()) {
    if (characters <= MAX_CHARACTERS) break;
    forget(oldest);
  }
  return validate;
}

function forget(schemaId: string): void {
  characters -= compiled.get(schemaId)?.characters ?? 0;
  compiled.delete(schemaId);
}

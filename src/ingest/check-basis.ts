import { unavailable } from "../errors.ts";
import type { Validator } from "../event-schemas/validator.ts";
import { cachedSnapshot, loadSnapshot } from "../tenant/agent-directory.ts";
import type { CheckSnapshot } from "../tenant/messages.ts";
import { registryStub } from "../tenant/registry-client.ts";
import type { SchemaRef } from "../tenant/schema-messages.ts";
import { cachedValidator, compileAndKeep } from "./schema-validators.ts";

/** A schema that events are held to. */
export interface EventSchema extends SchemaRef {
  readonly validate: Validator;
}

/** All that the registry has to say about the events of a request, as of one version of it. */
export interface CheckBasis {
  readonly snapshot: CheckSnapshot;
  /** By event type; types without an active schema are not in it. */
  readonly schemas: ReadonlyMap<string, EventSchema>;
}

/** Which agent's events, and the types whose schemas count. */
export interface CheckSubject {
  readonly tenantId: string;
  readonly agentId: string;
  readonly eventTypes: readonly string[];
}

/** A schema may be deleted between the two questions. This often in a row means something is wrong. */
const MAX_ATTEMPTS = 5;

/** What this isolate knows, if it knows all of it. */
export function cachedBasis({ tenantId, agentId, eventTypes }: CheckSubject): CheckBasis | undefined {
  const snapshot = cachedSnapshot(tenantId, agentId, eventTypes);
  if (snapshot === undefined) return undefined;
  const schemas = withValidators(snapshot, new Map());
  return schemas && { snapshot, schemas };
}

/**
 * Reads it from the registry. What a schema says never changes under its id, so its text travels once to an isolate, and
 * only the ids of those that count are read again.
 */
export async function loadBasis(env: Env, { tenantId, agentId, eventTypes }: CheckSubject): Promise<CheckBasis> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const snapshot = await loadSnapshot(env, tenantId, agentId, eventTypes);
    const missing = refsOf(snapshot).filter(({ schemaId }) => cachedValidator(schemaId) === undefined);
    const ids = missing.map(({ schemaId }) => schemaId);
    const texts = ids.length === 0 ? new Map<string, string>() : await registryStub(env, tenantId).schemaTexts(ids);
    const schemas = withValidators(snapshot, texts);
    if (schemas !== undefined) return { snapshot, schemas };
  }
  throw unavailable("The tenant's schemas change faster than this request can be checked: repeat it");
}

/** Undefined when one is neither compiled nor among the texts. */
function withValidators(
  { schemas: active }: CheckSnapshot,
  texts: ReadonlyMap<string, string>,
): Map<string, EventSchema> | undefined {
  const schemas = new Map<string, EventSchema>();
  for (const [eventType, ref] of active) {
    if (ref === null) continue;
    const text = texts.get(ref.schemaId);
    const known = cachedValidator(ref.schemaId);
    if (known === undefined && text === undefined) return undefined;
    schemas.set(eventType, { ...ref, validate: known ?? lazily(ref.schemaId, text ?? "") });
  }
  return schemas;
}

/** Compiled when an event needs it: a request may name more types than an isolate can keep compiled. */
function lazily(schemaId: string, text: string): Validator {
  return (payload, characters) => (cachedValidator(schemaId) ?? compileAndKeep(schemaId, text))(payload, characters);
}

function refsOf({ schemas }: CheckSnapshot): SchemaRef[] {
  return [...schemas.values()].filter((ref) => ref !== null);
}

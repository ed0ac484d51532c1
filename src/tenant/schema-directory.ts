import type { ActiveSchemas, SchemaRef } from "./schema-messages.ts";

/** Event types of which an isolate knows the schema, some 500 bytes each. */
const MAX_EVENT_TYPES = 10_000;

interface Known {
  readonly registryVersion: number;
  readonly ref: SchemaRef | null;
}

const known = new Map<string, Known>();

/**
 * Which schemas this isolate last read for these event types, if it read all of them at this very version of the registry.
 * As with keys and policies it is the stream that knows whether the version is the current one.
 */
export function cachedSchemas(
  tenantId: string,
  registryVersion: number,
  eventTypes: readonly string[],
): ActiveSchemas | undefined {
  const schemas = new Map<string, SchemaRef | null>();
  for (const eventType of eventTypes) {
    const entry = known.get(`${tenantId}/${eventType}`);
    if (entry?.registryVersion !== registryVersion) return undefined;
    schemas.set(eventType, entry.ref);
  }
  return schemas;
}

export function keepSchemas(tenantId: string, registryVersion: number, schemas: ActiveSchemas): void {
  for (const [eventType, ref] of schemas) {
    const key = `${tenantId}/${eventType}`;
    known.delete(key);
    known.set(key, { registryVersion, ref });
  }
  for (const oldest of known.keys()) {
    if (known.size <= MAX_EVENT_TYPES) break;
    known.delete(oldest);
  }
}

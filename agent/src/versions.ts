import { PULLED_SEQUENCE } from "./state-keys.ts";
import type { EntityRef, StreamTables } from "./store/store.ts";

/**
 * The version that an entity will have when all of this agent's events that are on their way have arrived: what was pulled of it,
 * and own events that were not pulled yet.
 */
export function expectedVersion(tables: StreamTables, entity: EntityRef): number {
  const pulled = Number(tables.state(PULLED_SEQUENCE) ?? 0);
  return tables.entityVersion(entity) + tables.onTheirWay(entity, pulled);
}

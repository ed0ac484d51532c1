import type { EntityRef, NewOutboxRow, OutboxChange, OutboxRow, StreamTables } from "./store/store.ts";

/*
 * Conflicts that the agent itself finds, before the sequencer is asked.
 */

/** Reasons that it gives to rows in conflict. */
export const CONCURRENT = "concurrent";
export const FOLLOWS = "follows_conflict";

/**
 * Finds out whether an event that was just recorded follows on one in conflict: it must not be in the log before that one, and
 * would be if it was sent.
 */
export function markFollowing(tables: StreamTables, { eventId, agentId, entityType, entityId }: NewOutboxRow): void {
  // Most of the time nothing is in conflict, and no entity need be looked up.
  if (tables.outbox({ agentId, state: "conflict", limit: 1 }).length === 0) return;
  const [conflict] = tables.outbox({ entity: { entityType, entityId }, agentId, state: "conflict", limit: 1 });
  const [row] = tables.outbox({ eventId });
  if (conflict !== undefined && row !== undefined) tables.update(row.id, following(conflict));
}

/** What becomes of a row that follows on one in conflict. */
export function following({ eventId }: Pick<OutboxRow, "eventId">): OutboxChange {
  return { state: "conflict", reason: FOLLOWS, message: `Follows event ${eventId}, which is in conflict` };
}

/**
 * Finds own events of these entities that were never sent and whose expectation cannot come true any more, after others' events
 * were pulled. One that was sent is left to the sequencer, which may have it already.
 */
export function markConcurrent(tables: StreamTables, agentId: string, entities: Iterable<EntityRef>): void {
  // Most of the time nothing waits, and no entity need be looked up.
  if (tables.outbox({ agentId, state: "pending", limit: 1 }).length === 0) return;
  for (const entity of entities) {
    const current = tables.entityVersion(entity);
    const pending = tables.outbox({ entity, agentId, state: "pending" });
    const isLost = pending.findIndex(
      ({ baseVersion, pushedAt }) => pushedAt === null && baseVersion !== null && baseVersion < current,
    );
    if (isLost === -1) continue;
    for (const [index, row] of pending.slice(isLost).entries()) {
      if (row.baseVersion === null || row.pushedAt !== null) continue;
      const message = `Expects version ${row.baseVersion} of an entity that has version ${current}`;
      tables.update(row.id, { state: "conflict", reason: index === 0 ? CONCURRENT : FOLLOWS, message });
    }
  }
}

import type {
  AgentStore,
  EntityRef,
  OutboxQuery,
  OutboxRow,
  OutboxState,
  PulledRow,
  StreamRef,
  StreamTables,
  VerifiedBatch,
} from "./store.ts";

/** All of one stream. */
interface StreamMemory {
  nextId: number;
  readonly outbox: Map<number, OutboxRow>;
  /** Rows of the outbox by event id. */
  readonly outboxIds: Map<string, number>;
  /** By number, from the first event on. */
  readonly pulled: PulledRow[];
  /** Numbers by event id; an id has several only in a log that is not sound. */
  readonly pulledIds: Map<string, readonly number[]>;
  readonly batches: VerifiedBatch[];
  readonly entities: Map<string, number>;
  readonly state: Map<string, string>;
}

/**
 * A store that lasts as long as its process: for browsers and Workers, and for agents that only read. What was recorded and
 * not pushed is gone with it.
 */
export function memoryStore(): AgentStore {
  const streams = new Map<string, StreamMemory>();
  return {
    transaction: (stream, body) => {
      const undo: (() => void)[] = [];
      try {
        return body(tablesOf(memoryOf(streams, stream), undo));
      } catch (error) {
        for (const step of undo.toReversed()) step();
        throw error;
      }
    },
    close: () => streams.clear(),
  };
}

function memoryOf(streams: Map<string, StreamMemory>, { tenantId, storeId }: StreamRef): StreamMemory {
  const name = `${tenantId}/${storeId}`;
  const known = streams.get(name);
  if (known !== undefined) return known;
  const memory: StreamMemory = {
    nextId: 1,
    outbox: new Map(),
    outboxIds: new Map(),
    pulled: [],
    pulledIds: new Map(),
    batches: [],
    entities: new Map(),
    state: new Map(),
  };
  streams.set(name, memory);
  return memory;
}

/** @param undo takes, for each change, what reverts it */
function tablesOf(memory: StreamMemory, undo: (() => void)[]): StreamTables {
  const set = <Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void => {
    const before = map.get(key);
    undo.push(() => (before === undefined ? map.delete(key) : map.set(key, before)));
    map.set(key, value);
  };
  const add = <Item>(list: Item[], item: Item): void => {
    undo.push(() => list.pop());
    list.push(item);
  };
  return {
    append: (row) => {
      const id = memory.nextId++;
      set(memory.outboxIds, row.eventId, id);
      const later = { pushedAt: null, ackedAt: null, remoteSequence: null, receipt: null };
      set(memory.outbox, id, { ...row, ...later, id, state: "pending", reason: null, message: null });
    },
    outbox: (query) => {
      const ids = query.eventIds ?? (query.eventId === undefined ? undefined : [query.eventId]);
      const named =
        ids && Array.from(new Set(ids)).flatMap((id) => memory.outbox.get(memory.outboxIds.get(id) ?? 0) ?? []);
      const rows = named?.toSorted((a, b) => a.id - b.id) ?? memory.outbox.values();
      return first(rows, (row) => isAsked(row, query), query.limit);
    },
    onTheirWay: (entity, aboveSequence) => {
      let rows = 0;
      for (const row of memory.outbox.values()) {
        const { state, remoteSequence } = row;
        const isUnsettled = state === "pending" || state === "accepted";
        if (isUnsettled && (remoteSequence ?? Infinity) > aboveSequence && isOf(row, entity)) rows++;
      }
      return rows;
    },
    update: (id, change) => {
      const row = memory.outbox.get(id);
      if (row !== undefined) set(memory.outbox, id, { ...row, ...change });
    },
    counts: (agentId) => {
      const none = { pending: 0, accepted: 0, rejected: 0, conflict: 0, rebased: 0, dropped: 0 };
      const outbox: Record<OutboxState, number> = none;
      const own = Array.from(memory.outbox.values()).filter((row) => row.agentId === agentId);
      for (const { state } of own) outbox[state]++;
      return {
        outbox,
        unanswered: own.filter(({ state, pushedAt }) => state === "pending" && pushedAt !== null).length,
        quarantined: memory.pulled.filter(({ quarantine }) => quarantine !== null).length,
      };
    },
    prune: ({ ackedBefore, withRejected = false, withUnpulled = false }) => {
      const unsettled = Array.from(memory.outbox.values()).filter(({ state }) => UNSETTLED.has(state));
      const awaited = new Set(unsettled.map(({ replaces }) => replaces));
      const isDone = ({ state, eventId, remoteSequence }: OutboxRow): boolean => {
        if (state === "rejected") return withRejected;
        if (state === "rebased") return !awaited.has(eventId);
        if (state !== "accepted") return state === "dropped";
        if (withUnpulled) return true;
        const logged = memory.pulled[(remoteSequence ?? 0) - 1];
        return logged?.eventId === eventId && logged.quarantine === null;
      };
      const done = Array.from(memory.outbox.values()).filter(
        (row) => row.ackedAt !== null && row.ackedAt < ackedBefore && isDone(row),
      );
      for (const row of done) {
        undo.push(
          () => void memory.outbox.set(row.id, row),
          () => void memory.outboxIds.set(row.eventId, row.id),
        );
        memory.outbox.delete(row.id);
        memory.outboxIds.delete(row.eventId);
      }
      return done.length;
    },
    addPulled: (row) => {
      add(memory.pulled, row);
      set(memory.pulledIds, row.eventId, [...(memory.pulledIds.get(row.eventId) ?? []), row.sequenceNumber]);
    },
    pulled: ({ eventId, entity, isQuarantined, from = 1, limit }) => {
      // Numbers have no gaps, so an event's number says where it stands.
      const numbers = eventId === undefined ? undefined : (memory.pulledIds.get(eventId) ?? []);
      const rows = numbers?.map((number) => memory.pulled[number - 1] as PulledRow) ?? memory.pulled.slice(from - 1);
      const isWanted = (row: PulledRow): boolean =>
        row.sequenceNumber >= from &&
        (isQuarantined === undefined || row.quarantine !== null) &&
        (entity === undefined || isOf(row, entity));
      return first(rows, isWanted, limit);
    },
    pulledAmong: (eventIds) => Array.from(new Set(eventIds)).filter((id) => memory.pulledIds.has(id)),
    leaves: (from, to) => memory.pulled.slice(from - 1, to).map(({ leafHash }) => leafHash),
    addBatch: (batch) => add(memory.batches, batch),
    batchOf: (number) =>
      memory.batches.find(({ sequenceStart, sequenceEnd }) => sequenceStart <= number && number <= sequenceEnd),
    entityVersion: (entity) => memory.entities.get(nameOf(entity)) ?? 0,
    raiseEntityVersion: (entity, by) => {
      const name = nameOf(entity);
      set(memory.entities, name, (memory.entities.get(name) ?? 0) + by);
    },
    state: (key) => memory.state.get(key),
    setState: (key, value) => set(memory.state, key, value),
  };
}

/** What stands in the place of another row in such a state still has that one's place among conflicts. */
const UNSETTLED: ReadonlySet<OutboxState> = new Set(["pending", "conflict", "rebased"]);

function first<Row>(rows: Iterable<Row>, wants: (row: Row) => boolean, limit = Infinity): Row[] {
  const found: Row[] = [];
  for (const row of rows) {
    if (found.length >= limit) break;
    if (wants(row)) found.push(row);
  }
  return found;
}

function isAsked(row: OutboxRow, { eventId, agentId, state, entity, numbers, afterId = 0 }: OutboxQuery): boolean {
  const number = row.remoteSequence;
  return (
    row.id > afterId &&
    (eventId === undefined || row.eventId === eventId) &&
    (agentId === undefined || row.agentId === agentId) &&
    (state === undefined || row.state === state) &&
    (numbers === undefined || (number !== null && number >= numbers.from && number <= numbers.to)) &&
    (entity === undefined || isOf(row, entity))
  );
}

function isOf(row: EntityRef, { entityType, entityId }: EntityRef): boolean {
  return row.entityType === entityType && row.entityId === entityId;
}

function nameOf({ entityType, entityId }: EntityRef): string {
  return JSON.stringify([entityType, entityId]);
}

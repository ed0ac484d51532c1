import { isEmptyStore } from "../storage/migrate.ts";
import { integer, type SqlStore, type SqlValue } from "../storage/sql-store.ts";
import { uuidBytes } from "../ves/index.ts";
import { ENTITY_STRIDE } from "./entity-stride.ts";
import { EVENT_COLUMNS, eventFromRow } from "./event-row.ts";
import { headOf } from "./head.ts";
import type { EntityHistory, EventFilters, EventPage, PageRequest, StoredEvent } from "./messages.ts";
import type { StreamRef } from "../stream-ref.ts";

/**
 * A page holds at most this many bytes of payloads and bundles (but always one event), so that it fits an RPC message (32 MiB) and an
 * isolate's memory (128 MiB) even when every payload has the largest size.
 */
export const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** A filtered page looks at no more numbers than this; what lies beyond is the next page. About 10 ms of object time. */
export const MAX_SCANNED_EVENTS = 10_000;

/** What of an event can be long. */
export const EVENT_BYTES =
  "octet_length(payload) + COALESCE(octet_length(signature_bundle), 0) + octet_length(entity_id) + octet_length(event_type)";

/** The stream's head, 0 for a stream that was never written. */
export function readHead(store: SqlStore): number {
  return isEmptyStore(store) ? 0 : headOf(store);
}

/** Events from a number on, in order. `nextSequence` makes progress even when filters leave the page empty. */
export function readEvents(store: SqlStore, stream: StreamRef, request: PageRequest): EventPage {
  const from = Math.max(1, request.from);
  const head = readHead(store);
  const windowEnd = Math.min(head, request.to ?? head, from + MAX_SCANNED_EVENTS - 1);
  if (from > windowEnd) return { events: [], nextSequence: from, head };

  const { where, bindings } = selection(request, from, windowEnd);
  const candidates = store.exec(
    `SELECT sequence_number, ${EVENT_BYTES} AS bytes FROM events
      WHERE ${where} ORDER BY sequence_number LIMIT ?`,
    ...bindings,
    request.limit,
  );
  const numbers = withinPageBytes(
    candidates.map((row) => [integer(row["sequence_number"]), integer(row["bytes"])]),
    request.maxBytes,
  );
  const events = readNumbers(store, stream, numbers);

  const isCut = numbers.length === request.limit || numbers.length < candidates.length;
  return { events, nextSequence: isCut ? (numbers.at(-1) ?? from) + 1 : windowEnd + 1, head };
}

/** The first `limit` numbers of a range whose events the filters let through. The store must have its tables. */
export function matchingNumbers(
  store: SqlStore,
  filters: EventFilters,
  range: { readonly from: number; readonly to: number; readonly limit: number },
): number[] {
  const { where, bindings } = selection(filters, range.from, range.to);
  return store
    .exec(
      `SELECT sequence_number FROM events WHERE ${where} ORDER BY sequence_number LIMIT ?`,
      ...bindings,
      range.limit,
    )
    .map((row) => integer(row["sequence_number"]));
}

/** What picks the events of a range that the filters let through. */
function selection(
  { entityType, eventType, agentId }: EventFilters,
  from: number,
  to: number,
): { readonly where: string; readonly bindings: readonly SqlValue[] } {
  const filters: readonly (readonly [condition: string, value: SqlValue | undefined])[] = [
    ["entity_type = ?", entityType],
    ["event_type = ?", eventType],
    ["source_agent_id = ?", agentId === undefined ? undefined : uuidBytes(agentId)],
  ];
  const given = filters.flatMap(([condition, value]) => (value === undefined ? [] : [{ condition, value }]));
  return {
    where: ["sequence_number BETWEEN ? AND ?", ...given.map(({ condition }) => condition)].join(" AND "),
    bindings: [from, to, ...given.map(({ value }) => value)],
  };
}

/** One event by its id. */
export function readEvent(store: SqlStore, stream: StreamRef, eventId: string): StoredEvent | null {
  if (isEmptyStore(store)) return null;
  const [row] = store.exec(`SELECT ${EVENT_COLUMNS} FROM events WHERE event_id = ?`, uuidBytes(eventId));
  return row === undefined ? null : eventFromRow(row, stream);
}

/**
 * The events of one entity in order, `offset` skipped.
 *
 * Walks the entity's chain backwards from its last event: long steps down to the newest version wanted, short ones from
 * there to the oldest.
 */
export function readEntityHistory(
  store: SqlStore,
  stream: StreamRef,
  entity: { readonly type: string; readonly id: string; readonly offset: number; readonly limit: number },
): EntityHistory {
  if (isEmptyStore(store)) return { events: [], total: 0 };
  const [state] = store.exec(
    "SELECT version, last_sequence FROM entities WHERE entity_type = ? AND entity_id = ?",
    entity.type,
    entity.id,
  );
  const total = state === undefined ? 0 : integer(state["version"]);
  const oldest = entity.offset + 1;
  const newest = Math.min(total, entity.offset + entity.limit);
  if (state === undefined || oldest > newest) return { events: [], total };

  const rows = store.exec(
    // The stride stands in the text: a bound number arrives as a REAL, and the division must be one of integers.
    `WITH RECURSIVE walk (sequence_number, version, previous_sequence, skip_sequence, bytes) AS (
       SELECT sequence_number, entity_version, previous_sequence, skip_sequence, ${EVENT_BYTES}
         FROM events WHERE sequence_number = ?1
       UNION ALL
       SELECT e.sequence_number, e.entity_version, e.previous_sequence, e.skip_sequence, ${EVENT_BYTES}
         FROM walk JOIN events AS e ON e.sequence_number =
              CASE WHEN (walk.version - 1) / ${ENTITY_STRIDE} * ${ENTITY_STRIDE} >= ?3 THEN walk.skip_sequence ELSE walk.previous_sequence END
        WHERE walk.version > ?2)
     SELECT sequence_number, bytes FROM walk WHERE version BETWEEN ?2 AND ?3 ORDER BY version`,
    integer(state["last_sequence"]),
    oldest,
    newest,
  );
  const numbers = withinPageBytes(rows.map((row) => [integer(row["sequence_number"]), integer(row["bytes"])]));
  return { events: readNumbers(store, stream, numbers), total };
}

/** The leading numbers whose payloads together stay within a page; at least one. */
export function withinPageBytes(
  candidates: readonly (readonly [number: number, bytes: number])[],
  maxBytes: number = MAX_PAGE_BYTES,
): number[] {
  let bytes = 0;
  const beyond = candidates.findIndex(([, size], index) => (bytes += size) > maxBytes && index > 0);
  return (beyond === -1 ? candidates : candidates.slice(0, beyond)).map(([number]) => number);
}

function readNumbers(store: SqlStore, stream: StreamRef, numbers: readonly number[]): StoredEvent[] {
  return store
    .exec(
      `SELECT ${EVENT_COLUMNS} FROM json_each(?) AS wanted CROSS JOIN events ON sequence_number = wanted.value`,
      JSON.stringify(numbers),
    )
    .map((row) => eventFromRow(row, stream));
}

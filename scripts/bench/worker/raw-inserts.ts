import type { SqlValue } from "../../../src/storage/sql-store.ts";
import { eventBindings, INSERT_EVENT } from "../../../src/stream/event-row.ts";
import type { StorableEvent } from "../../../src/stream/messages.ts";
import { uuidBytes } from "../../../src/ves/index.ts";

/** The rows of one batch, ready to be bound: what is left is storage alone. */
export interface RawBatch {
  readonly events: readonly (readonly SqlValue[])[];
  readonly commands: readonly (readonly SqlValue[])[];
  readonly entities: readonly (readonly SqlValue[])[];
}

const INSERT_COMMAND = "INSERT INTO commands (command_id, sequence_number) VALUES (?, ?)";
const UPSERT_ENTITY = `INSERT INTO entities (entity_type, entity_id, version, last_sequence, skip_sequence) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (entity_type, entity_id) DO UPDATE
  SET version = excluded.version, last_sequence = excluded.last_sequence, skip_sequence = excluded.skip_sequence`;

/** The rows that appendEvents would write for these events, numbered from `head + 1` on. */
export function rawBatch(events: readonly StorableEvent[], head: number): RawBatch {
  const entities = new Map<string, { type: string; version: number; last: number | null }>();
  const commands: SqlValue[][] = [];
  const rows = events.map((event, index) => {
    const { entity_type: type, entity_id: id, command_id: commandId } = event.envelope;
    const sequenceNumber = head + index + 1;
    const entity = entities.get(id) ?? { type, version: 0, last: null };
    const place = { version: entity.version + 1, previousSequence: entity.last, skipSequence: null };
    entities.set(id, { type, version: place.version, last: sequenceNumber });
    if (commandId !== undefined) commands.push([uuidBytes(commandId), sequenceNumber]);
    return eventBindings(event, { sequenceNumber, sequencedAt: Date.now(), receiptKeyVersion: 1 }, place);
  });
  return {
    events: rows,
    commands,
    entities: Array.from(entities, ([id, { type, version, last }]) => [type, id, version, last, null]),
  };
}

export function insertRaw(storage: DurableObjectStorage, batch: RawBatch): void {
  // No savepoint: the writes of a turn are one commit, as they are for append.ts.
  for (const row of batch.events) storage.sql.exec(INSERT_EVENT, ...row);
  for (const row of batch.commands) storage.sql.exec(INSERT_COMMAND, ...row);
  for (const row of batch.entities) storage.sql.exec(UPSERT_ENTITY, ...row);
}

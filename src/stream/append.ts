import { streamMigrations } from "../../migrations/stream/index.ts";
import { isEmptyStore, migrate } from "../storage/migrate.ts";
import { blob, blobOrNull, integer, integerOrNull, type SqlRow, type SqlStore, text } from "../storage/sql-store.ts";
import { equalBytes, toHex, uuidBytes, uuidFromBytes } from "../ves/index.ts";
import { proofReader } from "./batches.ts";
import { ENTITY_STRIDE } from "./entity-stride.ts";
import { bundleText, type EntityPlace, eventBindings, INSERT_EVENT, placeOf } from "./event-row.ts";
import { headOf } from "./head.ts";
import type { AppendResult, EventOutcome, Place, Rejection, RejectionPhase, StorableEvent } from "./messages.ts";

/** A bound value may have 2 MB, and an entity's two names take up to 3,850 bytes of JSON, all control characters. */
const NAMES_PER_STATEMENT = 500;

/** An entity while a request is being decided: its stored version plus what the request has added. */
interface Entity {
  readonly type: string;
  readonly id: string;
  version: number;
  lastSequence: number | null;
  /** Number of its latest event whose version is a multiple of the stride. */
  skipSequence: number | null;
  changed: boolean;
}

/** What the log already holds of the ids that a request names. */
interface Known {
  /** Nothing was ever written: there are no tables yet. */
  readonly isEmpty: boolean;
  readonly head: number;
  readonly events: ReadonlyMap<string, SqlRow>;
  readonly commands: ReadonlySet<string>;
  readonly entities: ReadonlyMap<string, Entity>;
}

/** One event that gets a number, ready to be written. */
interface Accepted {
  readonly event: StorableEvent;
  readonly place: Place;
  readonly entity: EntityPlace;
}

/** The head after the request, and one outcome for each of its events, in its order. */
export interface Appended {
  readonly head: number;
  readonly outcomes: readonly EventOutcome[];
}

/** What a place holds beside its number. */
export type Stamp = Omit<Place, "sequenceNumber">;

/**
 * Decides every event of one request and writes the accepted ones, without a pause in between: all of it is in the log when
 * this returns, none of it when it throws. A request that has nothing to add writes nothing, so an unknown stream stays unknown.
 */
export function appendEvents(store: SqlStore, events: readonly StorableEvent[], stamp: Stamp): Appended {
  const known = lookUp(store, events);
  const { outcomes, accepted } = decide(events, known, () => stamp);
  writeAccepted(store, known, accepted);
  return { head: known.head + accepted.length, outcomes: withProofs(store, outcomes) };
}

/** The answer to a request that adds nothing to the log, or null when it would. Writes nothing. */
export function answerRepetition(store: SqlStore, events: readonly StorableEvent[]): AppendResult | null {
  const known = lookUp(store, events);
  const { outcomes, accepted } = decide(events, known, () => ({ sequencedAt: 0, receiptKeyVersion: 0 }));
  if (accepted.length > 0) return null;
  return { kind: "appended", head: known.head, outcomes: withProofs(store, outcomes) };
}

/**
 * Appends events that have their places already, each with its own stamp: all of them get the next numbers in their order,
 * or nothing is written. Answers with why one cannot follow, or null.
 */
export function appendStamped(
  store: SqlStore,
  events: readonly StorableEvent[],
  stamps: readonly Stamp[],
): Rejection | null {
  const known = lookUp(store, events);
  const { outcomes, accepted } = decide(events, known, (index) => {
    const stamp = stamps[index];
    if (stamp === undefined) throw new Error("every event has its stamp");
    return stamp;
  });
  for (const outcome of outcomes) if (outcome.kind === "rejected") return outcome.rejection;
  if (accepted.length < events.length) {
    return { reason: "duplicate_event_id", message: "An event is in the log already" };
  }
  writeAccepted(store, known, accepted);
  return null;
}

function writeAccepted(store: SqlStore, known: Known, accepted: readonly Accepted[]): void {
  if (accepted.length === 0) return;
  const head = known.head + accepted.length;
  store.transaction(() => {
    if (known.isEmpty) migrate(store, streamMigrations);
    write(store, accepted, known.entities);
    if (headOf(store) !== head) throw new Error(`the head is not ${head} after the append`);
  });
}

/** Gives repeated events the proofs that their receipts carry by now. */
function withProofs(store: SqlStore, outcomes: readonly EventOutcome[]): readonly EventOutcome[] {
  if (!outcomes.some(({ kind }) => kind === "replayed")) return outcomes;
  const proofOf = proofReader(store);
  return outcomes.map((outcome) =>
    outcome.kind === "replayed" ? { ...outcome, proof: proofOf(outcome.place.sequenceNumber) } : outcome,
  );
}

function decide(
  events: readonly StorableEvent[],
  known: Known,
  stampOf: (index: number) => Stamp,
): { readonly outcomes: EventOutcome[]; readonly accepted: Accepted[] } {
  const accepted: Accepted[] = [];
  const seenEvents = new Set<string>();
  const seenCommands = new Set<string>();

  const outcomes = events.map((event, index): EventOutcome => {
    const { event_id: eventId, command_id: commandId, base_version: baseVersion } = event.envelope;

    if (seenEvents.has(eventId)) {
      return rejected(1, "duplicate_event_id", `Event ${eventId} occurs more than once in this request`);
    }
    seenEvents.add(eventId);

    const stored = known.events.get(eventId);
    if (stored !== undefined) {
      return isSameEvent(event, stored)
        ? { kind: "replayed", place: placeOf(stored), proof: null }
        : rejected(1, "duplicate_event_id", `Event ${eventId} is already in the log with different contents`);
    }
    if (event.rejection !== null) return { kind: "rejected", rejection: event.rejection, phase: 1 };

    if (commandId !== undefined) {
      if (seenCommands.has(commandId)) {
        return rejected(1, "duplicate_command_id", `Command ${commandId} occurs more than once in this request`);
      }
      // Even if the event fails below: a command that this request has tried is not tried again by it.
      seenCommands.add(commandId);
      if (known.commands.has(commandId)) {
        return rejected(2, "duplicate_command_id", `Command ${commandId} was already used in this stream`);
      }
    }

    const entity = entityOf(event, known);
    if (baseVersion !== undefined && baseVersion !== entity.version) {
      return rejected(
        3,
        `version_conflict: expected ${baseVersion}, actual ${entity.version}`,
        `The event was made for version ${baseVersion} of ${entity.type} ${entity.id}, which is at version ${entity.version}`,
      );
    }

    const place = { sequenceNumber: known.head + accepted.length + 1, ...stampOf(index) };
    accepted.push({ event, place, entity: advance(entity, place.sequenceNumber) });
    return { kind: "accepted", place };
  });
  return { outcomes, accepted };
}

function rejected(phase: RejectionPhase, reason: string, message: string): EventOutcome {
  return { kind: "rejected", rejection: { reason, message }, phase };
}

/**
 * Whether `event` is the stored one again. The signing hash stands for every member that it covers; what it leaves out
 * (in version 1 also the command and the base version) is compared beside it.
 */
function isSameEvent(event: StorableEvent, stored: SqlRow): boolean {
  const { envelope } = event;
  const commandId = blobOrNull(stored["command_id"]);
  return (
    event.payloadIntact &&
    equalBytes(event.signingHash, blob(stored["event_signing_hash"])) &&
    equalBytes(envelope.agent_signature, blob(stored["agent_signature"])) &&
    (envelope.command_id ?? null) === (commandId === null ? null : uuidFromBytes(commandId)) &&
    (envelope.base_version ?? null) === stored["base_version"] &&
    (envelope.agent_signature_scheme ?? null) === stored["signature_scheme"] &&
    bundleText(envelope.agent_signature_bundle) === stored["signature_bundle"]
  );
}

/** Gives the entity its next version, held by the event with this number. */
function advance(entity: Entity, sequenceNumber: number): EntityPlace {
  const place = {
    version: entity.version + 1,
    previousSequence: entity.lastSequence,
    skipSequence: entity.skipSequence,
  };
  entity.version = place.version;
  entity.lastSequence = sequenceNumber;
  if (place.version % ENTITY_STRIDE === 0) entity.skipSequence = sequenceNumber;
  entity.changed = true;
  return place;
}

function lookUp(store: SqlStore, events: readonly StorableEvent[]): Known {
  const entities = new Map<string, Entity>();
  for (const { envelope } of events) {
    const { entity_type: type, entity_id: id } = envelope;
    const key = entityKey(type, id);
    if (!entities.has(key)) {
      entities.set(key, { type, id, version: 0, lastSequence: null, skipSequence: null, changed: false });
    }
  }
  if (isEmptyStore(store)) return { isEmpty: true, head: 0, events: new Map(), commands: new Set(), entities };

  // One statement for all ids of a kind, not one for each event.
  const eventIds = events.map((event) => toHex(uuidBytes(event.envelope.event_id)));
  const storedEvents = store.exec(
    `SELECT event_id, sequence_number, sequenced_at, receipt_key_version, event_signing_hash, agent_signature,
            command_id, base_version, signature_scheme, signature_bundle
       FROM json_each(?) AS wanted CROSS JOIN events ON event_id = unhex(wanted.value)`,
    JSON.stringify(eventIds),
  );

  const commandIds = events.flatMap(({ envelope }) =>
    envelope.command_id === undefined ? [] : [toHex(uuidBytes(envelope.command_id))],
  );
  const usedCommands =
    commandIds.length === 0
      ? []
      : store.exec(
          "SELECT command_id FROM json_each(?) AS wanted CROSS JOIN commands ON command_id = unhex(wanted.value)",
          JSON.stringify(commandIds),
        );

  const names = Array.from(entities.values(), ({ type, id }) => [type, id]);
  const storedEntities: SqlRow[] = [];
  for (let start = 0; start < names.length; start += NAMES_PER_STATEMENT) {
    const rows = store.exec(
      `SELECT entity_type, entity_id, version, last_sequence, skip_sequence
         FROM json_each(?) AS wanted
        CROSS JOIN entities ON entity_type = wanted.value ->> 0 AND entity_id = wanted.value ->> 1`,
      JSON.stringify(names.slice(start, start + NAMES_PER_STATEMENT)),
    );
    storedEntities.push(...rows);
  }
  for (const row of storedEntities) {
    const entity = entities.get(entityKey(text(row["entity_type"]), text(row["entity_id"])));
    if (entity === undefined) continue;
    entity.version = integer(row["version"]);
    entity.lastSequence = integer(row["last_sequence"]);
    entity.skipSequence = integerOrNull(row["skip_sequence"]);
  }

  return {
    isEmpty: false,
    head: headOf(store),
    events: new Map(storedEvents.map((row) => [uuidFromBytes(blob(row["event_id"])), row])),
    commands: new Set(usedCommands.map((row) => uuidFromBytes(blob(row["command_id"])))),
    entities,
  };
}

function entityOf(event: StorableEvent, known: Known): Entity {
  const entity = known.entities.get(entityKey(event.envelope.entity_type, event.envelope.entity_id));
  if (entity === undefined) throw new Error("every entity of the request was looked up");
  return entity;
}

/** The length makes it unambiguous where the type ends. */
function entityKey(type: string, id: string): string {
  return `${type.length}:${type}${id}`;
}

function write(store: SqlStore, accepted: readonly Accepted[], entities: ReadonlyMap<string, Entity>): void {
  for (const { event, place, entity } of accepted) {
    store.exec(INSERT_EVENT, ...eventBindings(event, place, entity));
    const commandId = event.envelope.command_id;
    if (commandId !== undefined) {
      store.exec(
        "INSERT INTO commands (command_id, sequence_number) VALUES (?, ?)",
        uuidBytes(commandId),
        place.sequenceNumber,
      );
    }
  }
  // Once for each entity, not for each event: a row written is a row paid for.
  for (const entity of entities.values()) {
    if (!entity.changed) continue;
    store.exec(
      `INSERT INTO entities (entity_type, entity_id, version, last_sequence, skip_sequence) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (entity_type, entity_id) DO UPDATE
         SET version = excluded.version, last_sequence = excluded.last_sequence, skip_sequence = excluded.skip_sequence`,
      entity.type,
      entity.id,
      entity.version,
      entity.lastSequence,
      entity.skipSequence,
    );
  }
}

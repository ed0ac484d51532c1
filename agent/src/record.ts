import { markFollowing } from "./conflict-marks.ts";
import { type Context, transaction } from "./context.ts";
import { type Draft, signDraft } from "./draft.ts";
import { encryptDraft } from "./encrypt-draft.ts";
import type { Recipient } from "./encryption/index.ts";
import { AgentError } from "./errors.ts";
import { keepRecipients } from "./known-recipients.ts";
import type { NewOutboxRow, StreamTables } from "./store/store.ts";
import { expectedVersion } from "./versions.ts";

/** An event that is signed and on disk. */
export interface RecordedEvent {
  readonly eventId: string;
  readonly baseVersion: number | null;
  /** As JSON, as it will go over the wire. */
  readonly envelope: string;
}

/** Signs events and stores them, in the order in which they were handed over. */
export interface Recorder {
  /**
   * @param replaces id of an event in conflict in whose place this one stands; null when there is none
   * @throws AgentError EVENT_EXISTS; NO_CONFLICT when that event is resolved already; INVALID_EVENT when it cannot be encrypted.
   * Nothing was stored then
   */
  readonly record: (draft: Draft, replaces: string | null) => Promise<RecordedEvent>;
  /** Returns when all that was handed over is on disk. */
  readonly settled: () => Promise<void>;
}

interface Item {
  readonly draft: Draft;
  readonly replaces: string | null;
  readonly resolve: (recorded: RecordedEvent) => void;
  readonly reject: (error: unknown) => void;
}

/** Most events of one transaction. */
const MAX_COMMIT = 256;

/**
 * Events that are handed over while earlier ones are being stored share the next transaction, and so its wait for the disk:
 * many callers at once are as fast as one with a list.
 */
export function createRecorder(context: Context): Recorder {
  const waiting: Item[] = [];
  let pumping: Promise<void> | undefined;

  const pump = async (): Promise<void> => {
    // One turn later, so that what is recorded in one go is stored in one go.
    await Promise.resolve();
    while (waiting.length > 0) await storeTogether(context, waiting.splice(0, MAX_COMMIT));
    pumping = undefined;
  };
  return {
    record: (draft, replaces) =>
      new Promise((resolve, reject) => {
        waiting.push({ draft, replaces, resolve, reject });
        pumping ??= pump();
      }),
    settled: async () => pumping,
  };
}

async function storeTogether(context: Context, handedOver: readonly Item[]): Promise<void> {
  try {
    let left: readonly Item[] = await encrypted(handedOver, context.vesVersion);
    while (left.length > 0) left = await storeFirst(context, left);
  } catch (error) {
    for (const { reject } of handedOver) reject(error);
  }
}

/**
 * Signs the items and stores them in one transaction, up to the first that cannot be stored, or of which the versions that were
 * signed are not the present ones any more, because another process recorded meanwhile.
 *
 * @returns those behind, which have to be signed again: they may have counted on what was not stored
 */
async function storeFirst(context: Context, handedOver: readonly Item[]): Promise<readonly Item[]> {
  const { items, versions } = transaction(context, (tables) => {
    const fresh = withoutTaken(tables, handedOver);
    return { items: fresh, versions: baseVersions(tables, fresh) };
  });
  const recordedAt = Date.now();
  const rows = await Promise.all(
    items.map(async ({ draft, replaces }, index): Promise<NewOutboxRow> => {
      const signed = await signDraft(draft, versions[index], context.vesVersion, context.key);
      return { ...signed, replaces, recordedAt };
    }),
  );
  const results = transaction(context, (tables) => {
    const present = baseVersions(tables, items);
    const stored: (AgentError | undefined)[] = [];
    for (const [index, row] of rows.entries()) {
      if (present[index] !== versions[index]) break;
      const error = storeRow(tables, row, items[index]?.draft.recipients ?? null);
      stored.push(error);
      if (error !== undefined) break;
    }
    return stored;
  });
  for (const [index, error] of results.entries()) {
    const { eventId, baseVersion, envelope } = rows[index] as NewOutboxRow;
    if (error === undefined) items[index]?.resolve({ eventId, baseVersion, envelope });
    else items[index]?.reject(error);
  }
  return items.slice(results.length);
}

/** The items whose ids no event has yet. The others are told. */
function withoutTaken(tables: StreamTables, items: readonly Item[]): Item[] {
  const ids = items.map(({ draft }) => draft.members.event_id);
  const recorded = tables.outbox({ eventIds: ids }).map(({ eventId }) => eventId);
  const taken = new Set([...recorded, ...tables.pulledAmong(ids)]);
  return items.filter(({ draft: { members }, reject }) => {
    const isTaken = taken.has(members.event_id);
    if (isTaken) reject(eventExists(members.event_id));
    return !isTaken;
  });
}

function eventExists(eventId: string): AgentError {
  return new AgentError("EVENT_EXISTS", `There is an event ${eventId} already`);
}

/** The items, with those payloads encrypted that are to be. One that cannot be is told, and left out. */
async function encrypted(items: readonly Item[], vesVersion: 1 | 2): Promise<Item[]> {
  const drafts = await Promise.allSettled(items.map(({ draft }) => encryptDraft(draft, vesVersion)));
  return items.flatMap((item, index) => {
    const result = drafts[index] as PromiseSettledResult<Draft>;
    if (result.status === "fulfilled") return [{ ...item, draft: result.value }];
    item.reject(result.reason);
    return [];
  });
}

/** What each of the items expects of its entity, earlier items of the same entity counted. */
function baseVersions(tables: StreamTables, items: readonly Item[]): (number | undefined)[] {
  const entities = new Map<string, { events: number; version?: number }>();
  return items.map(({ draft: { baseVersion, members } }) => {
    const entity = { entityType: members.entity_type, entityId: members.entity_id };
    const name = JSON.stringify(entity);
    const known = entities.get(name) ?? { events: 0 };
    entities.set(name, known);
    const earlier = known.events++;
    if (baseVersion !== "current") return baseVersion;
    known.version ??= expectedVersion(tables, entity);
    return known.version + earlier;
  });
}

/** Stores one event, or says why not. @param recipients whom it is encrypted to; null when it is not */
function storeRow(
  tables: StreamTables,
  row: NewOutboxRow,
  recipients: readonly Recipient[] | null,
): AgentError | undefined {
  if (tables.outbox({ eventId: row.eventId }).length > 0) return eventExists(row.eventId);
  const [replaced] = row.replaces === null ? [] : tables.outbox({ eventId: row.replaces });
  if (row.replaces !== null) {
    if (replaced?.state !== "conflict") {
      return new AgentError("NO_CONFLICT", `Event ${row.replaces} is not in conflict any more`);
    }
  }
  // Only what expects a version may have to be said again.
  const clash = recipients === null || row.baseVersion === null ? undefined : keepRecipients(tables, recipients);
  if (clash !== undefined) {
    return new AgentError("INVALID_EVENT", `encryptTo: another key was encrypted to before under the kid ${clash.kid}`);
  }
  if (replaced !== undefined) tables.update(replaced.id, { state: "rebased", ackedAt: row.recordedAt });
  tables.append(row);
  if (row.replaces === null && row.baseVersion !== null) markFollowing(tables, row);
  return undefined;
}

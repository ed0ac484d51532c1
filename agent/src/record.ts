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
  // First of all: what cannot be encrypted must not count as a version of its entity.
  const items = await encrypted(handedOver, context.vesVersion);
  try {
    const versions = transaction(context, (tables) => baseVersions(tables, items));
    const recordedAt = Date.now();
    const rows = await Promise.all(
      items.map(async ({ draft, replaces }, index): Promise<NewOutboxRow> => {
        const signed = await signDraft(draft, versions[index], context.vesVersion, context.key);
        return { ...signed, replaces, recordedAt };
      }),
    );
    const errors = transaction(context, (tables) =>
      rows.map((row, index) => storeRow(tables, row, items[index]?.draft.recipients ?? null)),
    );
    for (const [index, { resolve, reject }] of items.entries()) {
      const { eventId, baseVersion, envelope } = rows[index] as NewOutboxRow;
      const error = errors[index];
      if (error === undefined) resolve({ eventId, baseVersion, envelope });
      else reject(error);
    }
  } catch (error) {
    for (const { reject } of items) reject(error);
  }
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
  const next = new Map<string, number>();
  return items.map(({ draft: { baseVersion, members } }) => {
    const entity = { entityType: members.entity_type, entityId: members.entity_id };
    const name = JSON.stringify(entity);
    const known = next.get(name) ?? (baseVersion === "current" ? expectedVersion(tables, entity) : undefined);
    if (known !== undefined) next.set(name, known + 1);
    return baseVersion === "current" ? known : baseVersion;
  });
}

/** Stores one event, or says why not. @param recipients whom it is encrypted to; null when it is not */
function storeRow(
  tables: StreamTables,
  row: NewOutboxRow,
  recipients: readonly Recipient[] | null,
): AgentError | undefined {
  if (tables.outbox({ eventId: row.eventId }).length > 0) {
    return new AgentError("EVENT_EXISTS", `An event ${row.eventId} was recorded before`);
  }
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

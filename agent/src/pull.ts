import { leafHasher } from "../../src/ves/index.ts";
import { eventsAnswer } from "./answers.ts";
import { checkEvent, type Refreshed } from "./check-event.ts";
import { markConcurrent } from "./conflict-marks.ts";
import { type Context, streamQuery, transaction } from "./context.ts";
import { verifySealed } from "./sealed.ts";
import { AgentError } from "./errors.ts";
import { HEAD_SEQUENCE, LAST_SYNC_AT, PULLED_SEQUENCE, PUSHED_SEQUENCE, RECEIPT_CONTRADICTION } from "./state-keys.ts";
import type { EntityRef, OutboxRow, PulledRow, StreamTables } from "./store/store.ts";

/** What a pull has brought. */
export interface PullReport {
  /** Events that were new. */
  readonly pulled: number;
  /** Those among them that do not verify. They are kept with the reason, and given to nobody as events. */
  readonly quarantined: number;
  /** Sealed batches that were computed again. */
  readonly batches: number;
  /** Up to here the log was pulled. */
  readonly sequence: number;
}

type Page = Awaited<ReturnType<typeof fetchPage>>;

/** An event id stands in the log once. */
const TWIN = "its event id stands at an earlier number already";

/** The most that the sequencer gives at once. */
const PAGE_SIZE = 1_000;

/** A page on its way: asked for, and checked as soon as it is here. */
interface Stage {
  readonly page: Promise<Page>;
  readonly rows: Promise<PulledRow[]>;
}

/**
 * Brings the agent's copy of the log up to the head. Each page is checked, and stored together with how far the log was pulled,
 * so what was checked once is never checked again, and a crash costs one page. Then the batches that were sealed since are
 * computed again from their events.
 *
 * Two pages are on their way at a time: while one is stored, the sequencer makes the next one or its signatures are verified, on
 * other threads where there are any. What is wrong with a page is heard of when those before it are stored.
 *
 * @throws AgentError LOG_CONTRADICTION when the log has another event where a receipt says that an own one stands, or a batch is
 *   not what its events lead to, or as the API does; what was stored by then stays
 */
export async function pull(context: Context, signal: AbortSignal | undefined): Promise<PullReport> {
  let pulled = 0;
  let quarantined = 0;
  let stage: Stage | undefined = begin(context, pulledSequence(context) + 1, signal);
  while (stage !== undefined) {
    const page: Page = await stage.page;
    const next: Stage | undefined = page.hasMore
      ? begin(context, page.from + page.envelopes.length, signal)
      : undefined;
    const rows = await stage.rows;
    const stored = keepPage(context, rows, page);
    pulled += stored.length;
    quarantined += stored.filter(({ quarantine }) => quarantine !== null).length;
    stage = next;
  }
  const batches = await verifySealed(context, signal);
  return { pulled, quarantined, batches, sequence: pulledSequence(context) };
}

export function pulledSequence(context: Context): number {
  return transaction(context, (tables) => Number(tables.state(PULLED_SEQUENCE) ?? 0));
}

function begin(context: Context, from: number, signal: AbortSignal | undefined): Stage {
  const page = fetchPage(context, from, signal);
  const rows = page.then((fetched) => checkPage(context, fetched, signal));
  // Heard of when its turn comes.
  rows.catch(() => undefined);
  return { page, rows };
}

async function fetchPage(context: Context, from: number, signal: AbortSignal | undefined) {
  const promised = transaction(context, (tables) => Number(tables.state(PUSHED_SEQUENCE) ?? 0));
  const path = `/api/v1/ves/events?${streamQuery(context)}&from=${from}&limit=${PAGE_SIZE}`;
  const { events, head_sequence: head, has_more: hasMore } = await context.api.get(path, eventsAnswer, { signal });
  // A page that says there is more and brings nothing would be asked for without end.
  return {
    from,
    promised,
    envelopes: events.map(({ envelope }) => envelope),
    head,
    hasMore: hasMore && events.length > 0,
  };
}

function checkPage(context: Context, { from, envelopes }: Page, signal: AbortSignal | undefined): Promise<PulledRow[]> {
  const leafOf = leafHasher(context.identity);
  const refreshed: Refreshed = new Map();
  // All at once: signatures are verified on other threads where there are any.
  return Promise.all(
    envelopes.map((envelope, index) => checkEvent(context, envelope, from + index, leafOf, refreshed, signal)),
  );
}

/**
 * Stores a page, unless it contradicts a receipt. Then none of it is stored: the next pull finds the same until the sequencer
 * gives what it promised, and own rows, which may be the only copies, stay as they are.
 *
 * @throws AgentError LOG_CONTRADICTION; it stays written down in the status
 */
function keepPage(context: Context, rows: readonly PulledRow[], { head, promised }: Page): PulledRow[] {
  const { problem, stored } = transaction(context, (tables) => {
    const found =
      head < promised
        ? `The log ends at ${head}, and a receipt says that an own event stands at ${promised}`
        : promiseProblem(tables, context.identity.agentId, rows);
    // A page without events clears nothing up, as long as promises are open.
    const isClear = rows.length > 0 || promised <= Number(tables.state(PULLED_SEQUENCE) ?? 0);
    if (found !== undefined || isClear) tables.setState(RECEIPT_CONTRADICTION, found ?? "");
    const isSound = found === undefined;
    return { problem: found, stored: isSound ? storePage(tables, context.identity.agentId, rows, head) : [] };
  });
  if (problem !== undefined) throw new AgentError("LOG_CONTRADICTION", problem);
  return stored;
}

/** Why a page is not what receipts have promised, in a sentence, or `undefined`. */
function promiseProblem(tables: StreamTables, agentId: string, rows: readonly PulledRow[]): string | undefined {
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const numbers = { from: first.sequenceNumber, to: last.sequenceNumber };
  for (const { eventId, remoteSequence } of tables.outbox({ state: "accepted", numbers })) {
    const there = rows[(remoteSequence ?? 0) - first.sequenceNumber]?.eventId;
    if (there === eventId) continue;
    return `The log has event ${there} at ${remoteSequence}, where a receipt says that ${eventId} stands`;
  }
  const own = rows.filter((row) => row.agentId === agentId && row.quarantine === null);
  const accepted = tables.outbox({ eventIds: own.map(({ eventId }) => eventId), state: "accepted" });
  const promises = new Map(accepted.map(({ eventId, remoteSequence }) => [eventId, remoteSequence]));
  for (const { eventId, sequenceNumber } of own) {
    const promised = promises.get(eventId) ?? sequenceNumber;
    // One that stands where it should as well is here for the second time.
    const isTwin =
      promised < sequenceNumber &&
      (promised >= first.sequenceNumber || tables.pulled({ eventId, limit: 1 })[0]?.sequenceNumber === promised);
    if (promised === sequenceNumber || isTwin) continue;
    return `The log has event ${eventId} at ${sequenceNumber}, and its receipt says ${promised}`;
  }
  return undefined;
}

/** @returns the rows that were not there: another process may have stored some of them meanwhile */
function storePage(tables: StreamTables, agentId: string, rows: readonly PulledRow[], head: number): PulledRow[] {
  const before = Number(tables.state(PULLED_SEQUENCE) ?? 0);
  const stored: PulledRow[] = [];
  const added = rows.filter(({ sequenceNumber }) => sequenceNumber > before);
  const eventIds = added.map(({ eventId }) => eventId);
  const taken = new Set(tables.pulledAmong(eventIds));
  const own = new Map(tables.outbox({ eventIds }).map((row) => [row.eventId, row]));
  const entities = new Map<string, { readonly entity: EntityRef; events: number; isOthers: boolean }>();
  for (const given of added) {
    const row = taken.has(given.eventId) ? { ...given, quarantine: given.quarantine ?? TWIN } : given;
    taken.add(row.eventId);
    tables.addPulled(row);
    stored.push(row);
    const ownRow = row.agentId === agentId && row.quarantine === null ? own.get(row.eventId) : undefined;
    if (ownRow !== undefined) settleOwn(tables, ownRow, row.sequenceNumber);
    const name = JSON.stringify([row.entityType, row.entityId]);
    const touched = entities.get(name) ?? { entity: row, events: 0, isOthers: false };
    touched.events++;
    touched.isOthers ||= ownRow === undefined;
    entities.set(name, touched);
  }
  for (const { entity, events } of entities.values()) tables.raiseEntityVersion(entity, events);
  tables.setState(PULLED_SEQUENCE, String(Math.max(before, rows.at(-1)?.sequenceNumber ?? 0)));
  tables.setState(HEAD_SEQUENCE, String(Math.max(head, Number(tables.state(HEAD_SEQUENCE) ?? 0))));
  tables.setState(LAST_SYNC_AT, String(Date.now()));
  const others = Array.from(entities.values()).filter(({ isOthers }) => isOthers);
  markConcurrent(
    tables,
    agentId,
    others.map(({ entity }) => entity),
  );
  return stored;
}

/**
 * Notes where an own event stands; one that was accepted stands where its receipt says. One whose rejection was heard and which is
 * in the log nevertheless, because a copy of its request came late, is pushed again for its receipt.
 */
function settleOwn(tables: StreamTables, { id, state }: OutboxRow, remoteSequence: number): void {
  if (state === "accepted") return;
  const again = { state: "pending", reason: null, message: null, ackedAt: null, pushedAt: Date.now() } as const;
  tables.update(id, { remoteSequence, ...(state === "pending" ? {} : again) });
}

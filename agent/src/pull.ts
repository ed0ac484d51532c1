import { leafHasher } from "../../src/ves/index.ts";
import { eventsAnswer } from "./answers.ts";
import { checkEvent, type Refreshed } from "./check-event.ts";
import { markConcurrent } from "./conflicts.ts";
import { type Context, streamQuery, transaction } from "./context.ts";
import { verifySealed } from "./sealed.ts";
import { AgentError } from "./errors.ts";
import { HEAD_SEQUENCE, LAST_SYNC_AT, PULLED_SEQUENCE, RECEIPT_CONTRADICTION } from "./state-keys.ts";
import type { EntityRef, PulledRow, StreamTables } from "./store/store.ts";

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
    const stored = keepPage(context, rows, page.head);
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
  const path = `/api/v1/ves/events?${streamQuery(context)}&from=${from}&limit=${PAGE_SIZE}`;
  const { events, head_sequence: head, has_more: hasMore } = await context.api.get(path, eventsAnswer, { signal });
  // A page that says there is more and brings nothing would be asked for without end.
  return { from, envelopes: events.map(({ envelope }) => envelope), head, hasMore: hasMore && events.length > 0 };
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
function keepPage(context: Context, rows: readonly PulledRow[], head: number): PulledRow[] {
  const { problem, stored } = transaction(context, (tables) => {
    const found = promiseProblem(tables, context.identity.agentId, rows);
    tables.setState(RECEIPT_CONTRADICTION, found ?? "");
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
  for (const { eventId, sequenceNumber } of rows.filter((row) => row.agentId === agentId && row.quarantine === null)) {
    const promised = tables.outbox({ eventId, state: "accepted" })[0]?.remoteSequence ?? sequenceNumber;
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
  const versions = new Map<string, { entity: EntityRef; version: number; isOthers: boolean }>();
  for (const given of rows.filter(({ sequenceNumber }) => sequenceNumber > before)) {
    const row = withoutTwin(tables, given);
    tables.addPulled(row);
    stored.push(row);
    const name = JSON.stringify([row.entityType, row.entityId]);
    const known = versions.get(name) ?? { entity: row, version: tables.entityVersion(row), isOthers: false };
    const isOwn = row.agentId === agentId && row.quarantine === null && settleOwn(tables, row);
    versions.set(name, { ...known, version: known.version + 1, isOthers: known.isOthers || !isOwn });
  }
  for (const { entity, version } of versions.values()) tables.setEntityVersion(entity, version);
  tables.setState(PULLED_SEQUENCE, String(Math.max(before, rows.at(-1)?.sequenceNumber ?? 0)));
  tables.setState(HEAD_SEQUENCE, String(Math.max(head, Number(tables.state(HEAD_SEQUENCE) ?? 0))));
  tables.setState(LAST_SYNC_AT, String(Date.now()));
  const touched = Array.from(versions.values()).filter(({ isOthers }) => isOthers);
  markConcurrent(
    tables,
    agentId,
    touched.map(({ entity }) => entity),
  );
  return stored;
}

/** An event id stands in the log once. */
function withoutTwin(tables: StreamTables, row: PulledRow): PulledRow {
  if (row.quarantine !== null || tables.pulled({ eventId: row.eventId, limit: 1 }).length === 0) return row;
  return { ...row, quarantine: "its event id stands at an earlier number already" };
}

/**
 * Notes where an own event stands; one that was accepted stands where its receipt says. One whose rejection was heard and which is in the log nevertheless, because a copy of its
 * request came late, is pushed again for its receipt.
 *
 * @returns whether this store holds it
 */
function settleOwn(tables: StreamTables, { eventId, sequenceNumber }: PulledRow): boolean {
  const [row] = tables.outbox({ eventId });
  if (row === undefined) return false;
  if (row.state === "accepted") return true;
  tables.update(row.id, {
    remoteSequence: sequenceNumber,
    ...(row.state === "pending"
      ? {}
      : { state: "pending", reason: null, message: null, ackedAt: null, pushedAt: Date.now() }),
  });
  return true;
}

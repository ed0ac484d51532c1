import type { StreamRef } from "../../src/stream-ref.ts";
import { checkLog } from "./check-log.ts";
import { compareBatches, compareEvents, compareKeys } from "./compare.ts";
import type { CheckedEvent } from "./event-checks.ts";
import type { LoggedBatch, LogHead, LogSource, SourceName } from "./log-source.ts";
import { CHECKS, newTallies, type Tally, type Tallies } from "./tally.ts";

/** What was found out about one stream. */
export interface StreamReport {
  readonly stream: StreamRef;
  /** In the log; in the database when that is all that was looked at. */
  readonly events: number;
  readonly batches: number;
  readonly heads: Readonly<Record<SourceName, LogHead | null>>;
  /** Of each source that was read, in the order of the checks. */
  readonly tallies: readonly Tally[];
  /** What is no difference, and yet worth a look. Sentences. */
  readonly warnings: readonly string[];
}

/** The sources of one stream, at least one of them. */
export interface StreamSources {
  readonly log: LogSource | null;
  /** Opened before the log, so that everything in it must be in the log. */
  readonly database: LogSource | null;
}

/** A batch should be mirrored within seconds; after so long something stands in the way. */
export const LAG_BOUND_MS = 5 * 60_000;

/**
 * Checks a stream in each of its sources, and compares them where there are two.
 *
 * @param now milliseconds since the epoch
 * @param onChecked told of each page of events, of either source
 * @throws SourceError when a source cannot be read
 */
export async function checkStream(
  stream: StreamRef,
  { log, database }: StreamSources,
  now: number,
  onChecked: (events: number) => void,
): Promise<StreamReport> {
  const tallies = { log: newTallies("log"), database: newTallies("database") };
  const warnings: string[] = [];
  const checked = (source: LogSource): AsyncIterable<readonly CheckedEvent[]> =>
    counted(checkLog(source, tallies[source.name]), onChecked);

  if (log !== null && database !== null) {
    const mirror = withKeysOf(database, log, warnings);
    const { mirror: comparison } = tallies.database;
    compareKeys(log.agentKeys, database.agentKeys, comparison);
    await compareEvents(checked(log), checked(mirror), database.head.sealedSequence, comparison);
    await compareBatches(log, database, comparison);
    warnings.push(...(await lagWarnings(log, database, now)));
  } else {
    const [source] = [log, database].filter((given) => given !== null);
    if (source === undefined) throw new Error("a stream is checked in some source");
    const pages = checked(source)[Symbol.asyncIterator]();
    while ((await pages.next()).done !== true);
  }
  warnings.push(...unreadWarnings(tallies.database));
  const read = [log, database].filter((source) => source !== null).map(({ name }): Tallies => tallies[name]);
  const leading = read[0];
  return {
    stream,
    events: leading?.numbers.checked ?? 0,
    batches: leading?.batches.checked ?? 0,
    heads: { log: log?.head ?? null, database: database?.head ?? null },
    tallies: read.flatMap((of) => CHECKS.map((check) => of[check])),
    warnings,
  };
}

/** Payloads that nobody has looked at: only a database holds encrypted ones. */
function unreadWarnings({ unread }: Tallies): string[] {
  return Array.from(unread, ([keyId, events]) => {
    const what = events === 1 ? "1 payload" : `${events} payloads`;
    return `The content of ${what} in the database was not checked: encrypted under key ${keyId}, which was not given.`;
  });
}

/** Differences of all checks together. */
export function differencesOf({ tallies }: StreamReport): number {
  return tallies.reduce((sum, { differences }) => sum + differences, 0);
}

/** Keys are mirrored apart from events, and may come after them: those that are missing are taken from the log's side. */
function withKeysOf(database: LogSource, log: LogSource, warnings: string[]): LogSource {
  const missing = Array.from(log.agentKeys.keys()).filter((name) => !database.agentKeys.has(name));
  if (missing.length === 0) return database;
  warnings.push(`The database lacks ${missing.length} of the tenant's ${log.agentKeys.size} agent keys so far.`);
  return { ...database, agentKeys: new Map([...log.agentKeys, ...database.agentKeys]) };
}

/** Sealed batches that are not in the database long after they were sealed. */
async function lagWarnings(log: LogSource, database: LogSource, now: number): Promise<string[]> {
  const oldest = await firstBeyond(log, database.head.sealedSequence);
  if (oldest === undefined || now - Date.parse(oldest.committedAt) <= LAG_BOUND_MS) return [];
  const { sealedSequence } = log.head;
  return [
    `Events ${oldest.sequenceStart} to ${sealedSequence} are not in the database, though sealed since ${oldest.committedAt}.`,
  ];
}

async function firstBeyond(log: LogSource, sequenceNumber: number): Promise<LoggedBatch | undefined> {
  if (log.head.sealedSequence <= sequenceNumber) return undefined;
  for await (const page of log.batches()) {
    const batch = page.find(({ sequenceEnd }) => sequenceEnd > sequenceNumber);
    if (batch !== undefined) return batch;
  }
  return undefined;
}

async function* counted(
  pages: AsyncIterable<readonly CheckedEvent[]>,
  onPage: (events: number) => void,
): AsyncGenerator<readonly CheckedEvent[]> {
  for await (const page of pages) {
    onPage(page.length);
    yield page;
  }
}

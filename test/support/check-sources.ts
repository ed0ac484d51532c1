import { checkStream, type StreamReport } from "../../scripts/fsck/check-stream.ts";
import type { Alteration, LogSource, SourceName } from "../../scripts/fsck/log-source.ts";
import type { CheckName } from "../../scripts/fsck/tally.ts";
import { type LooseBatch, type LooseEvent, type LooseLog, mirrorOf } from "./sound-log.ts";

/*
 * Checks of logs in memory, for tests that damage them before.
 */

/** Odd, so that pages end in the midst of batches. */
const PAGE = 7;

/** What a test damages. */
export interface Sources {
  readonly log: LooseLog;
  readonly mirror: LooseLog;
  readonly alterations: Alteration[];
}

/** Each difference as `source check #number`, in the order of the checks, each once. */
export type Finding = `${SourceName} ${CheckName} ${`#${number}` | "-"}`;

/** Checks a copy of a log, and of its mirror, after some damage. */
export function check(options: {
  readonly base: LooseLog;
  readonly damage?: (sources: Sources) => unknown;
  readonly only?: "log" | "mirror";
  readonly receipts?: boolean;
  readonly now?: number;
}): Promise<StreamReport> {
  const log = structuredClone(options.base);
  const sources: Sources = { log, mirror: structuredClone(mirrorOf(log)), alterations: [] };
  options.damage?.(sources);
  const isRead = (which: "log" | "mirror"): boolean => options.only === undefined || options.only === which;
  return checkStream(
    log.stream,
    {
      log: isRead("log") ? sourceOf("log", log, options.receipts ?? true, []) : null,
      database: isRead("mirror") ? sourceOf("database", sources.mirror, false, sources.alterations) : null,
    },
    options.now ?? 0,
    () => undefined,
  );
}

function sourceOf(
  name: SourceName,
  log: LooseLog,
  hasReceipts: boolean,
  alterations: readonly Alteration[],
): LogSource {
  return {
    name,
    stream: log.stream,
    head: log.head,
    hasReceipts,
    events: () => pages(log.events),
    batches: () => pages(log.batches),
    agentKeys: log.agentKeys,
    sequencerKeys: log.sequencerKeys,
    alterations,
  };
}

async function* pages<Item>(items: readonly Item[]): AsyncGenerator<readonly Item[]> {
  for (let at = 0; at < items.length; at += PAGE) yield Promise.resolve(items.slice(at, at + PAGE));
}

export function findings({ tallies }: StreamReport): Finding[] {
  const all = tallies.flatMap(({ source, check: name, first }) =>
    first.map(({ sequenceNumber: number }) => `${source} ${name} ${number === null ? "-" : `#${number}`}` as Finding),
  );
  return Array.from(new Set(all));
}

export function event(log: LooseLog, number: number): LooseEvent {
  return log.events[number - 1] as LooseEvent;
}

export function batch(log: LooseLog, index: number): LooseBatch {
  return log.batches[index] as LooseBatch;
}

export function flip(bytes: Uint8Array | null): void {
  if (bytes !== null) bytes[0] = (bytes[0] ?? 0) ^ 1;
}

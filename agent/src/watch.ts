import { toHex } from "../../src/ves/index.ts";
import { type Context, transaction } from "./context.ts";
import { AgentError } from "./errors.ts";
import { createNews, LIVE_TIMES, type LiveTimes } from "./live-news.ts";
import { type LogEvent, logEvent } from "./log-event.ts";
import type { PullReport } from "./pull.ts";
import { type QuarantinedEvent, quarantinedEvent } from "./quarantine.ts";
import { mayPass, pause } from "./retry.ts";
import type { VerifiedBatch } from "./store/store.ts";

/** Where to begin. Who keeps both with what it has done goes on after a restart with nothing missed and nothing twice. */
export interface WatchOptions {
  /** Number of the first event. That after the head when absent, as the sequencer tells it then. */
  readonly from?: number;
  /** Batches are told that end beyond this number, which is below `from`; `from` − 1 when absent. */
  readonly proven?: number;
  readonly signal?: AbortSignal;
}

/** A sealed batch that was computed again from its events: each of them is proven to be in the log, at its place. */
export interface SealedBatch {
  readonly batchId: string;
  /** Numbers of its first event and its last: that is up to where events are proven. */
  readonly sequenceStart: number;
  readonly sequenceEnd: number;
  /** Hex. */
  readonly merkleRoot: string;
  /** State root after it, hex. */
  readonly stateRoot: string;
}

/**
 * What happens in the log.
 *
 * - `event`: a verified event
 * - `quarantined`: the event that stands there does not verify
 * - `batch`: comes after the last of its events
 */
export type Watched =
  | { readonly kind: "event"; readonly event: LogEvent }
  | { readonly kind: "quarantined"; readonly event: QuarantinedEvent }
  | { readonly kind: "batch"; readonly batch: SealedBatch };

/** Up to where everything was told. */
interface Position {
  sequence: number;
  proven: number;
}

/** Rows of one read of the store. */
const CHUNK = 500;

/**
 * What happens in the log from a number on, each event and batch once and in order, without end. All of it is read from the
 * agent's copy of the log, where pulling has brought and verified it; live subscriptions and long polls only say when to pull.
 *
 * @param pull brings the copy up to the head
 * @throws AgentError ABORTED, or as {@link createNews} and pulling do, but what passes by itself, which is waited out
 */
export async function* watchLog(
  context: Context,
  { from, proven }: WatchOptions,
  signal: AbortSignal,
  pull: () => Promise<PullReport>,
  times: LiveTimes = LIVE_TIMES,
): AsyncGenerator<Watched, never, void> {
  const news = createNews(context, signal, times);
  try {
    const first = from ?? (await pullPatiently(pull, times, signal)).sequence + 1;
    const position: Position = { sequence: first - 1, proven: proven ?? first - 1 };
    // The sequencer may be away for long, and what is in the store is verified.
    yield* stored(context, position);
    for (;;) {
      await pullPatiently(pull, times, signal);
      yield* stored(context, position);
      await news.next();
    }
  } finally {
    news.close();
  }
}

/** @throws AgentError INVALID_OPTIONS */
export function checkWatchOptions({ from = 1, proven }: WatchOptions): void {
  if (!Number.isSafeInteger(from) || from < 1) {
    throw new AgentError("INVALID_OPTIONS", `from: expected an integer from 1 on, got ${from}`);
  }
  if (proven !== undefined && !(Number.isSafeInteger(proven) && proven >= 0 && proven < from)) {
    throw new AgentError("INVALID_OPTIONS", `proven: expected an integer from 0 on and below from, got ${proven}`);
  }
}

async function pullPatiently(
  pull: () => Promise<PullReport>,
  { firstDelayMs, longestPauseMs }: LiveTimes,
  signal: AbortSignal,
): Promise<PullReport> {
  for (let failures = 0; ; failures++) {
    try {
      return await pull();
    } catch (error) {
      if (!mayPass(error)) throw error;
      await pause(Math.min(longestPauseMs, firstDelayMs * 2 ** failures) * (0.5 + Math.random() / 2), signal);
    }
  }
}

/** What the store has from the position on, which is moved before each step. */
async function* stored(context: Context, position: Position): AsyncGenerator<Watched, void, void> {
  for (;;) {
    const { rows, batch } = transaction(context, (tables) => {
      const next = tables.batchOf(position.proven + 1);
      if (next !== undefined && next.sequenceEnd <= position.sequence) return { rows: [], batch: next };
      const limit = Math.min(CHUNK, next === undefined ? CHUNK : next.sequenceEnd - position.sequence);
      return { rows: tables.pulled({ from: position.sequence + 1, limit }), batch: undefined };
    });
    if (batch !== undefined) {
      position.proven = batch.sequenceEnd;
      yield { kind: "batch", batch: sealedBatch(batch) };
    } else if (rows.length === 0) return;
    for (const row of rows) {
      position.sequence = row.sequenceNumber;
      yield row.quarantine === null
        ? { kind: "event", event: await logEvent(row, context.encryption.keyring) }
        : { kind: "quarantined", event: quarantinedEvent(row) };
    }
  }
}

function sealedBatch({ merkleRoot, newStateRoot, batchId, sequenceStart, sequenceEnd }: VerifiedBatch): SealedBatch {
  return { batchId, sequenceStart, sequenceEnd, merkleRoot: toHex(merkleRoot), stateRoot: toHex(newStateRoot) };
}

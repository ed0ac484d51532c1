import { type Context, transaction } from "./context.ts";
import { AgentError, throwIfAborted } from "./errors.ts";
import { type LogEvent, logEvent } from "./log-event.ts";
import { longPoll, UNREACHABLE_PAUSE_MS } from "./long-poll.ts";
import { pulledSequence } from "./pull.ts";
import { pause } from "./retry.ts";
import type { PulledRow } from "./store/store.ts";

/** An event id, or what tells the event that is waited for from others. */
export type WaitTarget = string | ((event: LogEvent) => boolean);

export interface WaitOptions {
  /** 30 seconds when absent. */
  readonly timeoutMs?: number;
  /** For a predicate: the number from which on events are looked at. What the agent has not pulled yet when absent. */
  readonly from?: number;
  readonly signal?: AbortSignal;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** Events that a predicate is asked about in one read of the store. */
const CHUNK = 500;

/**
 * Waits until a verified event is in the agent's copy of the log. The sequencer answers as soon as there is something new, so the
 * event is there some milliseconds after it was sequenced.
 *
 * @param pull brings the copy up to the head
 * @throws AgentError TIMEOUT or ABORTED, or what pulling throws but UNREACHABLE, which is waited out
 */
export async function waitForEvent(
  context: Context,
  target: WaitTarget,
  { timeoutMs = DEFAULT_TIMEOUT_MS, from, signal }: WaitOptions,
  pull: (signal: AbortSignal) => Promise<unknown>,
): Promise<LogEvent> {
  const deadline = Date.now() + timeoutMs;
  const timeout = AbortSignal.timeout(timeoutMs);
  const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  const search = { next: from ?? pulledSequence(context) + 1 };
  for (;;) {
    throwIfAborted(signal);
    const found = await (typeof target === "string" ? byId(context, target) : bySearch(context, target, search));
    if (found !== undefined) return found;
    try {
      await longPoll(context, deadline - Date.now(), either);
      await pull(either);
    } catch (error) {
      if (timeout.aborted && signal?.aborted !== true) {
        throw new AgentError("TIMEOUT", `The event did not come within ${timeoutMs} ms`, { cause: error });
      }
      if (!(error instanceof AgentError && error.code === "UNREACHABLE")) throw error;
      await pause(Math.min(UNREACHABLE_PAUSE_MS, Math.max(0, deadline - Date.now())), signal);
    }
  }
}

async function byId(context: Context, eventId: string): Promise<LogEvent | undefined> {
  const rows = transaction(context, (tables) => tables.pulled({ eventId }));
  const row = rows.find(isVerified);
  return row === undefined ? undefined : logEvent(row, context.encryption.keyring);
}

async function bySearch(
  context: Context,
  isWanted: (event: LogEvent) => boolean,
  search: { next: number },
): Promise<LogEvent | undefined> {
  for (;;) {
    const rows = transaction(context, (tables) => tables.pulled({ from: search.next, limit: CHUNK }));
    for (const row of rows) {
      search.next = row.sequenceNumber + 1;
      const event = isVerified(row) ? await logEvent(row, context.encryption.keyring) : undefined;
      if (event !== undefined && isWanted(event)) return event;
    }
    if (rows.length < CHUNK) return undefined;
  }
}

function isVerified({ quarantine }: PulledRow): boolean {
  return quarantine === null;
}

import { z } from "zod";
import { eventsAnswer } from "../answers.ts";
import { type Context, streamQuery } from "../context.ts";
import { AgentError } from "../errors.ts";
import { IDLE_PAUSE_MS, MAX_POLL_SECONDS, UNREACHABLE_PAUSE_MS } from "../long-poll.ts";
import { pause } from "../retry.ts";
import { type EventAnswer, eventAnswer } from "./events.ts";

/** Which event is waited for: one that has all of these. */
export interface Wanted {
  readonly entityType: string | undefined;
  readonly entityId: string | undefined;
  readonly eventType: string | undefined;
}

/** What came of waiting. */
export interface Waited {
  /** Null: none came in time. */
  readonly event: EventAnswer | null;
  /** Where to go on: nothing before it is left out. */
  readonly nextFrom: number;
}

const page = eventsAnswer.extend({ next_sequence: z.int().min(1) });

/** However short the time is, the log is looked at once. */
const MIN_LOOK_MS = 1_000;

/** The sequencer does not look at entities' ids, so pages may have to be looked through for one. */
const PAGE_EVENTS = 50;

/**
 * The first matching event from a number on, which may have to come yet.
 *
 * @param from those that come from now on, when absent
 * @throws AgentError but UNREACHABLE, which is waited out
 */
export async function waitForMatch(
  context: Context,
  wanted: Wanted,
  from: number | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Waited> {
  const deadline = Date.now() + timeoutMs;
  const timeout = AbortSignal.timeout(Math.max(timeoutMs, MIN_LOOK_MS));
  let next = from ?? (await headOf(context, signal)) + 1;
  for (;;) {
    try {
      const found = await readPage(context, wanted, next, deadline, AbortSignal.any([signal, timeout]));
      for (const { envelope } of found.events) {
        if (wanted.entityId !== undefined && envelope["entity_id"] !== wanted.entityId) continue;
        const event = await eventAnswer(context, envelope, signal);
        if (event.sequenceNumber < next || !isWanted(event, wanted)) {
          throw new AgentError("MALFORMED_ANSWER", `Event ${event.sequenceNumber} is not one that was asked for`);
        }
        return { event, nextFrom: event.sequenceNumber + 1 };
      }
      const isIdle = found.next_sequence <= next;
      next = Math.max(next, found.next_sequence);
      if (Date.now() >= deadline) return { event: null, nextFrom: next };
      if (isIdle) await pause(IDLE_PAUSE_MS, signal);
    } catch (error) {
      if (timeout.aborted && !signal.aborted) return { event: null, nextFrom: next };
      if (!(error instanceof AgentError && error.code === "UNREACHABLE")) throw error;
      await pause(UNREACHABLE_PAUSE_MS, signal);
    }
  }
}

function isWanted(event: EventAnswer, { entityType, entityId, eventType }: Wanted): boolean {
  const isOr = (wanted: string | undefined, name: string): boolean => wanted === undefined || wanted === name;
  return isOr(entityType, event.entityType) && isOr(entityId, event.entityId) && isOr(eventType, event.eventType);
}

async function headOf(context: Context, signal: AbortSignal): Promise<number> {
  const head = z.object({ head_sequence: z.int() });
  return (await context.api.get(`/api/v1/ves/head?${streamQuery(context)}`, head, { signal })).head_sequence;
}

function readPage(
  context: Context,
  { entityType, entityId, eventType }: Wanted,
  from: number,
  deadline: number,
  signal: AbortSignal,
): Promise<z.output<typeof page>> {
  const seconds = Math.min(MAX_POLL_SECONDS, Math.max(0, Math.ceil((deadline - Date.now()) / 1_000)));
  const query = new URLSearchParams({
    from: String(from),
    limit: String(entityId === undefined ? 1 : PAGE_EVENTS),
    wait: String(seconds),
    ...(entityType === undefined ? {} : { entity_type: entityType }),
    ...(eventType === undefined ? {} : { event_type: eventType }),
  });
  const path = `/api/v1/ves/events?${streamQuery(context)}&${query.toString()}`;
  return context.api.get(path, page, { signal, extraMs: seconds * 1_000 });
}

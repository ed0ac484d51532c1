import { eventsAnswer } from "./answers.ts";
import { type Context, streamQuery } from "./context.ts";
import { pulledSequence } from "./pull.ts";
import { mayPass, pause } from "./retry.ts";

/** The sequencer holds a question for 30 seconds at most. */
export const MAX_POLL_SECONDS = 25;

/** Before a sequencer that cannot be reached is asked again. */
export const UNREACHABLE_PAUSE_MS = 500;

/** Least time for a question that brings nothing: with very many readers waiting, the sequencer holds no more of them. */
export const IDLE_PAUSE_MS = 100;

/**
 * Returns when there is an event that was not pulled, or when the sequencer has held the question long enough, which is never at
 * once.
 *
 * @param ms for which it is held: 1 to 25 whole seconds, the next ones up
 * @throws AgentError as the API does
 */
export async function longPoll(context: Context, ms: number, signal: AbortSignal): Promise<void> {
  const seconds = Math.min(MAX_POLL_SECONDS, Math.max(1, Math.ceil(ms / 1_000)));
  const path = `/api/v1/ves/events?${streamQuery(context)}&after=${pulledSequence(context)}&limit=1&wait=${seconds}`;
  const startedAt = Date.now();
  try {
    const { events } = await context.api.get(path, eventsAnswer, { signal, extraMs: seconds * 1_000 });
    if (events.length > 0) return;
  } catch (error) {
    if (mayPass(error)) await idle(startedAt, signal);
    throw error;
  }
  await idle(startedAt, signal);
}

async function idle(startedAt: number, signal: AbortSignal): Promise<void> {
  await pause(Math.max(0, startedAt + IDLE_PAUSE_MS - Date.now()), signal);
}

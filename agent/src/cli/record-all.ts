import type { Progress } from "../../../scripts/lib/progress.ts";
import type { Agent } from "../agent.ts";
import { AgentError } from "../errors.ts";
import type { EventLine } from "./event-input.ts";

/** What became of events that were to be recorded. */
export interface Recorded {
  readonly recorded: readonly { readonly eventId: string; readonly baseVersion: number | null }[];
  readonly refused: readonly {
    readonly line: number;
    readonly code: string;
    readonly message: string;
    readonly error: Error;
  }[];
}

/** Events of one transaction. */
const CHUNK = 256;

/** Records what can be, in its order. @param signal ends it between two transactions */
export async function recordAll(
  agent: Agent,
  events: readonly EventLine[],
  { progress, signal }: { readonly progress: Progress; readonly signal: AbortSignal },
): Promise<Recorded> {
  const recorded: Recorded["recorded"][number][] = [];
  const refused: Recorded["refused"][number][] = [];
  if (events.length > CHUNK) progress.startEvents("Record", events.length);
  for (let start = 0; start < events.length && !signal.aborted; start += CHUNK) {
    const chunk = events.slice(start, start + CHUNK);
    const results = await Promise.allSettled(
      chunk.map(async ({ event }) => (event instanceof Error ? Promise.reject(event) : agent.record(event))),
    );
    for (const [index, result] of results.entries()) {
      if (result.status === "fulfilled") {
        const { eventId, baseVersion } = result.value;
        recorded.push({ eventId, baseVersion });
        continue;
      }
      const error = result.reason as Error;
      // What is no fault of the event's is one of the store's, and concerns all of them.
      const isOfEvent = error instanceof AgentError || chunk[index]?.event === error;
      if (!isOfEvent) throw error;
      const code = error instanceof AgentError ? error.code : "INVALID_EVENT";
      refused.push({ line: chunk[index]?.line ?? 0, code, message: error.message, error });
    }
    progress.advance(chunk.length);
  }
  progress.clear();
  return { recorded, refused };
}

import { readCount } from "../../../../scripts/lib/usage.ts";
import type { Agent } from "../../agent.ts";
import { AgentError } from "../../errors.ts";
import type { LogEvent } from "../../log-event.ts";
import { command } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { eventCells, eventJson } from "../event-json.ts";
import { NETWORK_HELP, NETWORK_OPTIONS, withAgent } from "../session.ts";
import { plain } from "../text.ts";

/** Events as they come. */
export const watch = command({
  name: "watch",
  summary: "print verified events as they come, until Ctrl-C",
  about: `Prints each event of the log as soon as it is pulled and verified, one in a line; with --json, one
JSON document in a line. A sequencer that is away is waited for. Ctrl-C ends it, with exit code 130.
`,
  optionsHelp: `  --from N              begin with event N of the log; with those that come from now on when not given
  --count N             end after so many
  --timeout SECONDS     end with exit code 3 when no event came for so long
${NETWORK_HELP}`,
  options: { from: { type: "string" }, count: { type: "string" }, timeout: { type: "string" }, ...NETWORK_OPTIONS },
  run: (call, { from, count, timeout, ...network }) => {
    const max = count === undefined ? Infinity : readCount("--count", count, 1, Number.MAX_SAFE_INTEGER);
    const patienceMs = timeout === undefined ? Infinity : readCount("--timeout", timeout, 1, 86_400) * 1_000;
    const first = from === undefined ? undefined : readCount("--from", from, 1, Number.MAX_SAFE_INTEGER);
    return withAgent(call, { network }, async (agent) => {
      const signal = call.interruption();
      const start = first ?? (await agent.pull({ signal })).sequence + 1;
      let printed = 0;
      call.progress.start("Wait");
      await follow(agent, { from: start, patienceMs, signal }, (event) => {
        call.progress.clear();
        process.stdout.write(call.isJson ? `${JSON.stringify(eventJson(event))}\n` : `${lineOf(event)}\n`);
        call.progress.start("Wait");
        return ++printed < max;
      });
      return { json: null, text: "", exitCode: signal.aborted ? EXIT.interrupted : EXIT.done };
    });
  },
});

interface Following {
  /** Number of the first event. */
  readonly from: number;
  /** How long it may take until the next event comes. */
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

/** Timers take no longer waits. */
const MAX_WAIT_MS = 3_600_000;

/**
 * Returns when `onEvent` or the signal says so.
 *
 * @param onEvent says whether to go on
 * @throws AgentError TIMEOUT, or as pulling does
 */
async function follow(
  agent: Agent,
  { from, patienceMs, signal }: Following,
  onEvent: (event: LogEvent) => boolean,
): Promise<void> {
  let next = from;
  let lastAt = Date.now();
  // The agent shows every event to the one who looks for one: all but the last are not the one.
  const isLast = (event: LogEvent): boolean => {
    next = event.sequenceNumber + 1;
    lastAt = Date.now();
    return !onEvent(event);
  };
  for (;;) {
    const remaining = lastAt + patienceMs - Date.now();
    try {
      const timeoutMs = Math.max(1, Math.min(remaining, MAX_WAIT_MS));
      await agent.waitFor(isLast, { from: next, timeoutMs, signal });
      return;
    } catch (error) {
      if (signal.aborted) return;
      const isEarly = error instanceof AgentError && error.code === "TIMEOUT" && Date.now() < lastAt + patienceMs;
      if (!isEarly) throw error;
    }
  }
}

function lineOf(event: LogEvent): string {
  return [String(event.sequenceNumber), ...eventCells(event)].map(plain).join("  ");
}

import { readCount } from "../../../../scripts/lib/usage.ts";
import { AgentError } from "../../errors.ts";
import type { LogEvent } from "../../log-event.ts";
import type { QuarantinedEvent } from "../../quarantine.ts";
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
JSON document in a line. What does not verify is told on standard error. A sequencer that is away is
waited for. Ctrl-C ends it, with exit code 130.
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
    return withAgent(call, { network, decrypts: true }, async (agent) => {
      const signal = call.interruption();
      const patience = patienceOf(patienceMs);
      let printed = 0;
      call.progress.start("Wait");
      try {
        const both = AbortSignal.any([signal, patience.signal]);
        for await (const watched of agent.watch({ ...(first === undefined ? {} : { from: first }), signal: both })) {
          if (watched.kind === "batch") continue;
          call.progress.clear();
          if (watched.kind === "quarantined") process.stderr.write(`${plain(warningOf(watched.event))}\n`);
          else {
            process.stdout.write(`${call.isJson ? JSON.stringify(eventJson(watched.event)) : lineOf(watched.event)}\n`);
            if (++printed === max) break;
          }
          patience.renew();
          call.progress.start("Wait");
        }
      } catch (error) {
        if (patience.signal.aborted && !signal.aborted) throw new AgentError("TIMEOUT", "No event came in time");
        if (!signal.aborted) throw error;
      } finally {
        patience.end();
      }
      return { json: null, text: "", exitCode: signal.aborted ? EXIT.interrupted : EXIT.done };
    });
  },
});

/** Aborts its signal when it was not renewed for so many milliseconds. */
function patienceOf(ms: number) {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = (): void => clearTimeout(timer);
  const renew = (): void => {
    end();
    if (ms !== Infinity) timer = setTimeout(() => controller.abort(), ms);
  };
  renew();
  return { signal: controller.signal, renew, end };
}

function warningOf({ sequenceNumber, reason }: QuarantinedEvent): string {
  return `Event ${sequenceNumber} does not verify: ${reason}. stateset-sync doctor lists all that do not.`;
}

function lineOf(event: LogEvent): string {
  return [String(event.sequenceNumber), ...eventCells(event)].map(plain).join("  ");
}

import { resolve } from "node:path";
import { readCount } from "../../../../scripts/lib/usage.ts";
import { command } from "../command.ts";
import { writeFile } from "../files.ts";
import { NETWORK_HELP, NETWORK_OPTIONS, withAgent } from "../session.ts";
import { lines } from "../text.ts";

const DEFAULT_TIMEOUT_S = 15;

/** All that shows that an event is in the log. */
export const proof = command({
  name: "proof",
  summary: "gather the proof that an event is in the log",
  about: `Gathers the event, its receipt, its place in a sealed batch and its agent's keys, and verifies them.
What comes of it is one JSON document, to be kept or handed on: stateset-sync verify checks it
without asking anybody. It is printed, or written with --out.
`,
  args: ["EVENT_ID"],
  optionsHelp: `  --out PATH            write it into this file
  --timeout SECONDS     how long to wait until the event's batch is sealed; ${DEFAULT_TIMEOUT_S} when not given
${NETWORK_HELP}`,
  options: { out: { type: "string" }, timeout: { type: "string" }, ...NETWORK_OPTIONS },
  run: (call, { out, timeout, ...network }, [eventId = ""]) =>
    withAgent(call, { network }, async (agent) => {
      const seconds = timeout === undefined ? DEFAULT_TIMEOUT_S : readCount("--timeout", timeout, 0, 86_400);
      const signal = call.interruption();
      call.progress.start("Wait");
      const evidence = await agent.proof(eventId, { timeoutMs: seconds * 1_000, signal });
      const text = `${JSON.stringify(evidence, null, 2)}\n`;
      if (out === undefined) return { json: evidence, text };
      const file = resolve(out);
      writeFile(file, text);
      const { sequence_number: sequenceNumber, batch_id: batchId } = evidence.inclusion;
      return {
        json: { eventId: evidence.receipt.eventId, sequenceNumber, batchId, file },
        text: lines(`The proof of event ${sequenceNumber} is in ${file}`),
      };
    }),
});

import { readCount } from "../../../../scripts/lib/usage.ts";
import { counted } from "../../../../scripts/lib/text.ts";
import { command } from "../command.ts";
import { withAgent } from "../session.ts";
import { lines } from "../text.ts";

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 30;
const MAX_DAYS = 36_500;

/** Removes what is done with. */
export const prune = command({
  name: "prune",
  summary: "remove own events that are done with from the agent's store",
  about: `Removes own events that were settled some time ago: accepted ones that the copy of the log holds,
verified, at the numbers that their receipts say, with those receipts; and those that were rebased or
dropped. The copy of the log stays whole. Needs no network: what was not pulled stays.
`,
  optionsHelp: `  --older-than DAYS     settled so many days ago; ${DEFAULT_DAYS} when not given
  --rejected            also what the sequencer refused: it is nowhere else
`,
  options: { "older-than": { type: "string" }, rejected: { type: "boolean" } },
  run: (call, options) => {
    const given = options["older-than"];
    const days = given === undefined ? DEFAULT_DAYS : readCount("--older-than", given, 0, MAX_DAYS);
    return withAgent(call, {}, (agent) => {
      const removed = agent.prune(days * DAY_MS, { withRejected: options.rejected === true });
      const { outbox } = agent.status();
      const remaining = Object.values(outbox).reduce((sum, rows) => sum + rows, 0);
      return {
        json: { removed, remaining },
        text: lines(`Removed ${counted(removed, "event")}; ${counted(remaining, "own event")} left.`),
      };
    });
  },
});

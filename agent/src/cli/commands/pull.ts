import { counted } from "../../../../scripts/lib/text.ts";
import { command } from "../command.ts";
import { EXIT, gravest } from "../exit-codes.ts";
import { NETWORK_HELP, NETWORK_OPTIONS, withAgent } from "../session.ts";
import { showWork } from "../show-work.ts";
import { coloured, lines } from "../text.ts";

/** Brings the agent's copy of the log up to the head. */
export const pull = command({
  name: "pull",
  summary: "bring the copy of the log up to the head, and verify all of it",
  about: `Reads the events that are new, verifies each, and computes the batches that were sealed since again.
What does not verify is kept in quarantine, and given to nobody as an event.

Exit code 1 when something that came does not verify, 4 when conflicts wait.
`,
  optionsHelp: NETWORK_HELP,
  options: NETWORK_OPTIONS,
  run: (call, network) =>
    withAgent(call, { network }, async (agent) => {
      const { pulledSequence: before } = agent.status();
      const measure = () => {
        const { pulledSequence, headSequence } = agent.status();
        return { done: pulledSequence - before, total: Math.max(0, headSequence - before) };
      };
      const signal = call.interruption();
      const report = await showWork(call.progress, "Pull", measure, () => agent.pull({ signal }));
      const conflicts = agent.status().outbox.conflict;
      const { pulled, quarantined, batches, sequence } = report;
      return {
        json: { ...report, conflicts },
        text: lines(
          `Pulled ${counted(pulled, "event")}, up to ${sequence}, and verified ${counted(batches, "sealed batch")}.`,
          quarantined === 0
            ? null
            : coloured("bad", `${counted(quarantined, "event")} in quarantine: stateset-sync doctor says why.`),
          conflicts === 0 ? null : `${counted(conflicts, "conflict")}: stateset-sync conflicts`,
        ),
        exitCode: gravest([quarantined > 0 ? EXIT.unsound : EXIT.done, conflicts > 0 ? EXIT.conflicts : EXIT.done]),
      };
    }),
});

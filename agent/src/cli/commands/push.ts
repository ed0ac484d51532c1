import { counted } from "../../../../scripts/lib/text.ts";
import type { Outcome } from "../../outcomes.ts";
import { command } from "../command.ts";
import { toldError } from "../command-error.ts";
import { EXIT, gravest } from "../exit-codes.ts";
import { NETWORK_HELP, NETWORK_OPTIONS, withAgent } from "../session.ts";
import { showWork } from "../show-work.ts";
import { coloured, columns, lines } from "../text.ts";

/** Sends what was recorded. */
export const push = command({
  name: "push",
  summary: "send what was recorded, in its order",
  about: `Sends the events that were recorded and are not answered yet, in the order of recording, and
verifies their receipts. The same again repeats what was not answered, and never sequences an event
twice.

Exit code 1 when events are rejected, 3 when it ended before all were sent, 4 when conflicts wait.
`,
  optionsHelp: NETWORK_HELP,
  options: NETWORK_OPTIONS,
  run: (call, network) =>
    withAgent(call, { network }, async (agent) => {
      const { pending: total } = agent.status().outbox;
      const measure = () => ({ done: total - agent.status().outbox.pending, total });
      const signal = call.interruption();
      const { outcomes, stopped } = await showWork(call.progress, "Push", measure, () => agent.push({ signal }));
      const { outbox } = agent.status();
      const told = stopped === null ? null : toldError(stopped);
      const refused = outcomes.filter((outcome) => outcome.kind === "rejected");
      const codes = [
        told?.exitCode ?? EXIT.done,
        refused.some(({ advice }) => advice !== "resolve") ? EXIT.unsound : EXIT.done,
        outbox.conflict > 0 ? EXIT.conflicts : EXIT.done,
      ];
      return {
        json: {
          outcomes: outcomes.map(outcomeJson),
          stopped: told === null ? null : { code: told.code, message: told.message },
          pending: outbox.pending,
          conflicts: outbox.conflict,
        },
        text: lines(
          `Pushed ${counted(outcomes.filter(isSequenced).length, "event")}.`,
          refused.length === 0 ? null : coloured("bad", `${counted(refused.length, "event")} refused:`),
          refused.length === 0 ? null : columns(refused.map(({ eventId, message }) => ["", eventId, message])),
          outbox.pending === 0 ? null : `${counted(outbox.pending, "event")} still to be sent.`,
          outbox.conflict === 0 ? null : `${counted(outbox.conflict, "conflict")}: stateset-sync conflicts`,
        ),
        trouble: told?.message,
        exitCode: gravest(codes),
      };
    }),
});

function isSequenced({ kind }: Outcome): boolean {
  return kind === "accepted" || kind === "replayed";
}

function outcomeJson(outcome: Outcome) {
  if (outcome.kind === "rejected" || outcome.kind === "unknown") return outcome;
  const { receipt: _receipt, ...rest } = outcome;
  return rest;
}

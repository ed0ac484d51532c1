import { UsageError } from "../../../../scripts/lib/usage.ts";
import { counted } from "../../../../scripts/lib/text.ts";
import type { Agent } from "../../agent.ts";
import type { Conflict } from "../../conflicts.ts";
import { AgentError } from "../../errors.ts";
import { command } from "../command.ts";
import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";
import { withAgent } from "../session.ts";
import { lines } from "../text.ts";

/** Ends conflicts. */
export const resolve = command({
  name: "resolve",
  summary: "end a conflict: say the event again of the present version, or drop it",
  about: `Ends the conflict of one event, or with --all those of all, in the order of recording. Needs no
network: --rebase says the same of the version that the agent has pulled, under a new event id, to
be pushed.
`,
  optionalArgs: ["EVENT_ID"],
  optionsHelp: `  --rebase              say the same of the present version
  --drop                give it up
  --all                 all conflicts
`,
  options: { rebase: { type: "boolean" }, drop: { type: "boolean" }, all: { type: "boolean" } },
  run: (call, options, [eventId]) => {
    if ((options.rebase === true) === (options.drop === true)) throw new UsageError("Give --rebase or --drop.");
    if ((options.all === true) === (eventId !== undefined)) throw new UsageError("Give EVENT_ID or --all.");
    const resolution = options.rebase === true ? "rebase" : "drop";
    return withAgent(call, { signs: resolution === "rebase", decrypts: resolution === "rebase" }, async (agent) => {
      const chosen = agent.conflicts().filter((conflict) => eventId === undefined || conflict.eventId === eventId);
      if (eventId !== undefined && chosen.length === 0) {
        throw new AgentError("NO_CONFLICT", `Event ${eventId} is not in conflict`);
      }
      if (resolution === "rebase") requirePulled(chosen);
      const resolved = await resolveAll(agent, chosen, resolution);
      const remaining = agent.status().outbox.conflict;
      return {
        json: { resolution, resolved, remaining },
        text: lines(
          ...resolved.map(({ eventId: id, replacement }) =>
            replacement === null ? `Dropped ${id}` : `Rebased ${id} as ${replacement}`,
          ),
          resolved.length === 0 ? "There are no conflicts." : null,
          remaining === 0 ? null : `${counted(remaining, "conflict")} left.`,
        ),
      };
    });
  },
});

/**
 * What was refused because of events that were not pulled yet would be refused again.
 *
 * @throws CommandError PULL_FIRST
 */
function requirePulled(conflicts: readonly Conflict[]): void {
  const early = conflicts.find(
    ({ kind, baseVersion, currentVersion }) => kind === "version" && currentVersion <= baseVersion,
  );
  if (early === undefined) return;
  const message = `What came in between of ${early.entityType} ${early.entityId} is not pulled: run stateset-sync pull first.`;
  throw new CommandError("PULL_FIRST", message, EXIT.unsound);
}

async function resolveAll(agent: Agent, conflicts: readonly Conflict[], resolution: "rebase" | "drop") {
  const resolved: { readonly eventId: string; readonly replacement: string | null }[] = [];
  for (const { eventId } of conflicts) {
    resolved.push({ eventId, replacement: await agent.resolve(eventId, resolution) });
  }
  return resolved;
}

import { command } from "../command.ts";
import { conflictJson } from "../conflict-json.ts";
import { EXIT } from "../exit-codes.ts";
import { withAgent } from "../session.ts";
import { columns, lines, shortJson } from "../text.ts";

/** What waits for a decision. */
export const conflicts = command({
  name: "conflicts",
  summary: "list own events that expect another version of their entity",
  about: `Lists the agent's own events that expect another version of their entity than the present one, in
the order of recording. Each waits for stateset-sync resolve. Needs no network.

Exit code 4 when there are any.
`,
  run: (call) =>
    withAgent(call, {}, (agent) => {
      const found = agent.conflicts();
      const rows = found.map(({ eventId, kind, entityType, entityId, baseVersion, currentVersion, event }) => [
        eventId,
        kind,
        `${entityType} ${entityId}`,
        `expects ${baseVersion}, is ${currentVersion}`,
        event.event_type,
        shortJson(event.payload ?? null),
      ]);
      return {
        json: { conflicts: found.map(conflictJson) },
        text: lines(found.length === 0 ? "There are no conflicts." : columns(rows)),
        exitCode: found.length === 0 ? EXIT.done : EXIT.conflicts,
      };
    }),
});

import { command } from "../command.ts";
import { eventCells, eventJson } from "../event-json.ts";
import { withAgent } from "../session.ts";
import { columns, lines } from "../text.ts";

/** What happened to an entity. */
export const history = command({
  name: "history",
  summary: "list what happened to an entity, from the copy of the log",
  about: `Lists the events of an entity in the log's order, as far as the log was pulled, and then the agent's
own that are not in it yet, with their state. Needs no network.
`,
  args: ["ENTITY_TYPE", "ENTITY_ID"],
  run: (call, _options, [entityType = "", entityId = ""]) =>
    withAgent(call, { decrypts: true }, async (agent) => {
      const { events, unsequenced, version } = await agent.history(entityType, entityId);
      const rows = [
        ...events.map((event) => [String(event.sequenceNumber), ...eventCells(event)]),
        ...unsequenced.map((event) => [event.state, ...eventCells(event)]),
      ];
      return {
        json: { entityType, entityId, version, events: events.map(eventJson), unsequenced: unsequenced.map(eventJson) },
        text: lines(rows.length === 0 ? "Nothing is known of it." : columns(rows)),
      };
    }),
});

import { z } from "zod";
import { eventField } from "../events.ts";
import { DATA_NOTICE, DATA_WARNING, entityIdField, entityTypeField, eventTypeField, noticeField } from "../fields.ts";
import { sequenceField, timeoutField } from "../fields.ts";
import { defineTool, READS } from "../tool.ts";
import { waitForMatch } from "../wait.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_TIMEOUT_MS = 300_000;

export const waitForEvent = defineTool({
  name: "stateset_wait_for_event",
  title: "Wait for an event",
  description: `Waits until an event is in the log that has all of the given names, and answers it, verified. Without \`from\` only
events count that come after the call. When none comes in time, \`event\` is null; call again with \`from\` set to \`nextFrom\`, and
nothing in between is missed. ${DATA_WARNING}`,
  annotations: READS,
  input: z.strictObject({
    entityType: entityTypeField.optional(),
    entityId: entityIdField.optional(),
    eventType: eventTypeField.optional(),
    from: sequenceField.optional().describe("First number that is looked at; what comes from now on when absent"),
    timeoutMs: timeoutField(DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS),
  }),
  output: z.object({
    notice: noticeField,
    event: eventField.nullable().describe("Null: none came in time"),
    nextFrom: z.int().describe("`from` of the next call"),
  }),
  run: ({ context, waits }, { from, timeoutMs, entityType, entityId, eventType }, signal) =>
    waits(async () => ({
      notice: DATA_NOTICE,
      ...(await waitForMatch(context, { entityType, entityId, eventType }, from, timeoutMs, signal)),
    })),
});

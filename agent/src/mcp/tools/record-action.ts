import { z } from "zod";
import { uuidField } from "../../../../src/ves/index.ts";
import { receiptForm } from "../../answers.ts";
import { isEventTypeAllowed } from "../event-types.ts";
import { entityIdField, entityTypeField, eventTypeField } from "../fields.ts";
import { payloadField } from "../payload-field.ts";
import { recordAction as record } from "../record-action.ts";
import { defineTool } from "../tool.ts";
import { ToolError } from "../tool-error.ts";

export const recordAction = defineTool({
  name: "stateset_record_action",
  title: "Record an action",
  description: `Signs an action as an event and puts it into the log, for good: nothing is ever removed from it. Answers when the
sequencer's receipt has verified. Make up one commandId for each action, and repeat a call that failed with the very same
arguments: it is recorded once, and the answer is the same. Give baseVersion (currentVersion of the entity's history) where the
action is right only if nothing happened to the entity meanwhile.`,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
  input: z.strictObject({
    entityType: entityTypeField,
    entityId: entityIdField,
    eventType: eventTypeField,
    payload: payloadField.describe("What happened: a JSON object of at most 1 MiB"),
    commandId: z.string().max(64).describe("A UUID made up for this action; the same one when the call is repeated"),
    baseVersion: z.int().min(0).optional().describe("Version that the entity must have; any when absent"),
  }),
  output: z.object({
    eventId: z.string(),
    commandId: z.string(),
    sequenceNumber: z.int().describe("Number of the event in the log"),
    isReplay: z.boolean().describe("Whether an earlier call had recorded this very action"),
    receipt: receiptForm.describe("Signed by the sequencer, and verified"),
  }),
  run: async (kit, input, signal) => {
    if (!isEventTypeAllowed(kit.allowedEventTypes, input.eventType)) {
      const allowed = kit.allowedEventTypes.join(", ");
      throw new ToolError("EVENT_TYPE_NOT_ALLOWED", `This server records only events of these types: ${allowed}`);
    }
    const commandId = uuidField.safeParse(input.commandId);
    if (!commandId.success) throw new ToolError("INVALID_INPUT", "commandId: expected a UUID");
    const action = { ...input, commandId: commandId.data, baseVersion: input.baseVersion };
    const { receipt, isReplay } = await record(kit, action, signal);
    const { eventId, sequenceNumber } = receipt;
    return { eventId, commandId: action.commandId, sequenceNumber, isReplay, receipt };
  },
});

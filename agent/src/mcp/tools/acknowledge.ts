import { z } from "zod";
import { cursorField } from "../cursor.ts";
import { defineTool } from "../tool.ts";

export const acknowledge = defineTool({
  name: "stateset_acknowledge",
  title: "Acknowledge events",
  description: `Notes at the sequencer that this server's agent has dealt with the log up to this number. A number below the present one
changes nothing; one above the head is refused. The log itself does not change.`,
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
  input: z.strictObject({ sequenceNumber: z.int().min(0).describe("Number of the last event that was dealt with") }),
  output: cursorField,
  run: ({ context }, { sequenceNumber }, signal) => {
    const { tenantId, storeId, agentId } = context.identity;
    const body = JSON.stringify({ tenantId, storeId, sequenceNumber });
    return context.api.send("PUT", `/api/v1/ves/cursors/${agentId}`, body, cursorField, { signal });
  },
});

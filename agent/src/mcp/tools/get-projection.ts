import { z } from "zod";
import { AgentError } from "../../errors.ts";
import { entityPath } from "../entity-path.ts";
import { DATA_NOTICE, DATA_WARNING, entityIdField, entityTypeField, noticeField } from "../fields.ts";
import { defineTool, READS } from "../tool.ts";
import { ToolError } from "../tool-error.ts";

const answer = z.object({ version: z.int(), updated_at: z.string(), document: z.unknown() });
const history = z.object({ current_version: z.int() });

export const getProjection = defineTool({
  name: "stateset_get_projection",
  title: "State of an entity",
  description: `The present state of an entity as one document, which the sequencer computes from the entity's events. No signature
covers it: what has to be certain is read with stateset_get_entity_history. ${DATA_WARNING}`,
  annotations: READS,
  input: z.strictObject({ entityType: entityTypeField, entityId: entityIdField }),
  output: z.object({
    notice: noticeField,
    entityType: z.string(),
    entityId: z.string(),
    version: z.int().describe("How many of the entity's events are in it"),
    updatedAt: z.string().describe("When the last of them was sequenced"),
    document: z.unknown(),
  }),
  run: async ({ context }, entity, signal) => {
    try {
      const path = entityPath("/api/v1/projections", entity, context);
      const { version, updated_at: updatedAt, document } = await context.api.get(path, answer, { signal });
      return { notice: DATA_NOTICE, ...entity, version, updatedAt, document };
    } catch (error) {
      if (!(error instanceof AgentError && error.code === "NOT_FOUND")) throw error;
      const path = `${entityPath("/api/v1/ves/entities", entity, context)}&limit=1`;
      const { current_version: version } = await context.api.get(path, history, { signal });
      if (version === 0) throw new ToolError("NOT_FOUND", "The entity has no events");
      throw new ToolError(
        "PROJECTION_NOT_SERVED",
        `The sequencer serves no projection of this entity, of version ${version}`,
      );
    }
  },
});

import { z } from "zod";
import { entityPath } from "../entity-path.ts";
import { AgentError } from "../../errors.ts";
import { eventAnswer, eventField, fitting } from "../events.ts";
import { DATA_NOTICE, DATA_WARNING, entityIdField, entityTypeField, noticeField } from "../fields.ts";
import { defineTool, READS } from "../tool.ts";

const DEFAULT_LIMIT = 20;
/** The most that the sequencer gives at once. */
const MAX_LIMIT = 100;

const answer = z.object({
  events: z.array(z.object({ envelope: z.looseObject({}) })),
  total: z.int(),
  current_version: z.int(),
});

export const getEntityHistory = defineTool({
  name: "stateset_get_entity_history",
  title: "History of an entity",
  description: `The events of one entity (an order, a product, a customer …) in their order, oldest first, with its current version.
Every event's signature is verified. An entity without events has version 0. ${DATA_WARNING}`,
  annotations: READS,
  input: z.strictObject({
    entityType: entityTypeField,
    entityId: entityIdField,
    from: z.int().min(0).default(0).describe("Events to skip, from the oldest; 0 when absent"),
    limit: z.int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT).describe(`Events wanted, ${DEFAULT_LIMIT} when absent`),
  }),
  output: z.object({
    notice: noticeField,
    entityType: z.string(),
    entityId: z.string(),
    currentVersion: z.int().describe("What the next event of this entity gives as baseVersion"),
    events: z.array(eventField),
    nextFrom: z.int().nullable().describe("`from` of the next call; null when there are no more"),
  }),
  run: async ({ context }, { entityType, entityId, from, limit }, signal) => {
    const path = `${entityPath("/api/v1/ves/entities", { entityType, entityId }, context)}&from=${from}&limit=${limit}`;
    const page = await context.api.get(path, answer, { signal });
    const checked = await Promise.all(page.events.map(({ envelope }) => eventAnswer(context, envelope, signal)));
    if (checked.some((event) => event.entityType !== entityType || event.entityId !== entityId)) {
      throw new AgentError("MALFORMED_ANSWER", "The history holds an event of another entity");
    }
    const events = fitting(checked);
    const next = from + events.length;
    return {
      notice: DATA_NOTICE,
      entityType,
      entityId,
      currentVersion: page.current_version,
      events: [...events],
      nextFrom: events.length > 0 && next < page.total ? next : null,
    };
  },
});

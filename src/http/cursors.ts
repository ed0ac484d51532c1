import { z } from "zod";
import { requireAgentOrAdmin, requirePermission } from "../access/principal.ts";
import { RequestError } from "../errors.ts";
import type { Cursor } from "../stream/messages.ts";
import { streamStub } from "../stream/stream-client.ts";
import { storeExists } from "../tenant/agent-directory.ts";
import { uuidField } from "../ves/index.ts";
import type { AppContext } from "./context.ts";
import { endpoint } from "./endpoint.ts";
import { agentParams, head, streamQuery, timeOrNull, timeText, uuidText } from "./schemas.ts";

const cursorResponse = z.object({
  tenantId: uuidText,
  storeId: uuidText,
  agentId: uuidText,
  acknowledgedSequence: z.int(),
  headSequence: head,
  lag: z.int(),
  updatedAt: timeText.nullable(),
});

/** How far an agent has acknowledged a stream. */
export const cursorEndpoints = [
  endpoint({
    method: "GET",
    path: "/api/v1/ves/cursors/{agent_id}",
    tag: "Cursors",
    summary: "How far an agent has acknowledged a stream",
    params: agentParams,
    query: streamQuery,
    response: cursorResponse,
    handle: async (c, { params, query }) => {
      const place = { tenantId: query.tenant_id, storeId: query.store_id, agentId: params.agent_id };
      requireCursorAccess(c, place);
      const exists = await storeExists(c.env, place.tenantId, place.storeId);
      if (!exists) return cursorJson(place, { acknowledgedSequence: 0, head: 0, updatedAt: null });
      return cursorJson(place, await streamStub(c.env, place).cursor(place.agentId));
    },
  }),
  endpoint({
    method: "PUT",
    path: "/api/v1/ves/cursors/{agent_id}",
    tag: "Cursors",
    summary: "Acknowledge a stream up to a number",
    description: "A number below the present one changes nothing.",
    params: agentParams,
    body: z.object({ tenantId: uuidField, storeId: uuidField, sequenceNumber: z.int().min(0) }),
    response: cursorResponse,
    handle: async (c, { params, body }) => {
      const place = { tenantId: body.tenantId, storeId: body.storeId, agentId: params.agent_id };
      requireCursorAccess(c, place);
      const exists = await storeExists(c.env, place.tenantId, place.storeId);
      const result = exists
        ? await streamStub(c.env, place).advanceCursor(place.agentId, body.sequenceNumber)
        : noStreamYet(body.sequenceNumber);
      if (result.kind === "beyond_head") {
        const message = `sequenceNumber ${body.sequenceNumber} lies above the head, ${result.head}`;
        throw new RequestError("INVALID_FIELD_VALUE", message);
      }
      return cursorJson(place, result.cursor);
    },
  }),
];

interface CursorPlace {
  readonly tenantId: string;
  readonly storeId: string;
  readonly agentId: string;
}

function noStreamYet(sequenceNumber: number): { kind: "beyond_head"; head: 0 } | { kind: "cursor"; cursor: Cursor } {
  if (sequenceNumber > 0) return { kind: "beyond_head", head: 0 };
  return { kind: "cursor", cursor: { acknowledgedSequence: 0, head: 0, updatedAt: null } };
}

function requireCursorAccess(c: AppContext, { tenantId, storeId, agentId }: CursorPlace): void {
  requirePermission(c.get("principal"), "read", tenantId, storeId);
  requireAgentOrAdmin(c.get("principal"), tenantId, agentId);
}

function cursorJson(place: CursorPlace, cursor: Cursor): z.output<typeof cursorResponse> {
  return {
    tenantId: place.tenantId,
    storeId: place.storeId,
    agentId: place.agentId,
    acknowledgedSequence: cursor.acknowledgedSequence,
    headSequence: cursor.head,
    lag: cursor.head - cursor.acknowledgedSequence,
    updatedAt: timeOrNull(cursor.updatedAt),
  };
}

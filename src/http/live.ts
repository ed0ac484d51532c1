import { z } from "zod";
import { credentialOf, offeredProtocols } from "../access/credentials.ts";
import { forbidden, type Principal } from "../access/principal.ts";
import { RequestError, unavailable } from "../errors.ts";
import { liveRequest } from "../stream/live-request.ts";
import type { LiveCredential, LiveRequest } from "../stream/live-subscription.ts";
import { uuidField } from "../ves/index.ts";
import { commitmentResponse } from "./commitment-json.ts";
import type { AppContext } from "./context.ts";
import { endpoint } from "./endpoint.ts";
import {
  entityTypeParam,
  envelopeResponse,
  eventTypeParam,
  head,
  hexText,
  numberParam,
  sequenceNumber,
  streamQuery,
} from "./schemas.ts";
import { existingStream, fromParam, streamOf } from "./stream-reads.ts";

/** The subprotocol of docs/live.md. It need not be named, but by whoever names another one. */
const SUBPROTOCOL = "ves.v1";

const liveQuery = streamQuery.extend({
  from: fromParam.describe("First number wanted; 0 and nothing mean 1"),
  proven: numberParam(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe("Proofs are known up to this number, which is below `from`; when absent, up to `from`"),
  entity_type: entityTypeParam.optional(),
  event_type: eventTypeParam.optional(),
  agent_id: uuidField.optional(),
});

const position = z.int().min(0);

/** What the server says. */
export const liveMessage = z
  .discriminatedUnion("type", [
    z
      .object({
        type: z.literal("subscribed"),
        from: sequenceNumber.describe("First number that will be sent, if it passes the filters"),
        proven: position.describe("Proofs beyond this number will be sent"),
        head_sequence: head,
        sealed_sequence: z.int().describe("Events up to here lie in sealed batches"),
      })
      .meta({ id: "LiveSubscribed" }),
    z
      .object({
        type: z.literal("events"),
        sequence: sequenceNumber.describe(
          "Everything wanted up to here was sent: to be acknowledged, and to resume after",
        ),
        head_sequence: head,
        events: z.array(
          z.object({
            envelope: envelopeResponse,
            payload_omitted: z
              .literal(true)
              .optional()
              .describe("The event is too long for a message: GET /api/v1/ves/events/{event_id} has its payload"),
          }),
        ),
      })
      .meta({ id: "LiveEvents" }),
    z
      .object({
        type: z.literal("batch"),
        proven: sequenceNumber.describe(
          "Everything wanted up to here is proven: to be acknowledged, and to resume after",
        ),
        commitment: commitmentResponse,
        proofs: z
          .array(
            z.object({
              sequence_number: sequenceNumber,
              leaf_index: z.int().min(0).describe("Place in the batch, from 0"),
              leaf_hash: hexText,
              proof_path: z.array(hexText).describe("Siblings from the leaf to the root"),
            }),
          )
          .nullable()
          .describe("Null: all events of the batch were sent, and its root follows from them"),
      })
      .meta({ id: "LiveBatch" }),
  ])
  .meta({ id: "LiveMessage" });

/** Events as they come, over a WebSocket that ends in the stream's object. */
export const liveEndpoints = [
  endpoint({
    method: "GET",
    path: "/api/v1/ves/live",
    tag: "Events",
    summary: "Events and proofs as they come, over a WebSocket",
    description:
      "Each event once and in order from a number on, and each batch when it seals. docs/live.md describes the messages of " +
      "both sides, acknowledgements and how to resume. Pages offer the subprotocols `ves.v1` and `ves.key.<base64url of the " +
      "key or token>`, because they cannot set headers.",
    query: liveQuery,
    response: liveMessage,
    isWebSocket: true,
    errors: [404, 426],
    handle: async (c, { query }) => {
      const stream = await existingStream(c, streamOf(query));
      checkUpgrade(c);
      if (stream === null) throw noStream();
      const from = Math.max(1, query.from ?? 1);
      const { entity_type: entityType, event_type: eventType, agent_id: agentId, proven = from - 1 } = query;
      if (proven >= from) throw new RequestError("INVALID_FIELD_VALUE", "proven: expected a number below from");
      const request: LiveRequest = {
        from,
        proven,
        filters: { entityType, eventType, agentId },
        credential: liveCredential(c),
      };
      const { status, webSocket } = await stream.fetch(liveRequest(request));
      if (status === 404) throw noStream();
      if (webSocket === null) throw unavailable("The stream has as many subscribers as it may have");
      if (offeredProtocols(c.req.raw.headers).length > 0) c.header("sec-websocket-protocol", SUBPROTOCOL);
      // Among them are those of the caller's limits; Hono itself makes no answer with a socket.
      const { headers } = c.body(null);
      return new Response(null, { status: 101, webSocket, headers });
    },
  }),
];

/** @throws RequestError UPGRADE_REQUIRED, INVALID_FIELD_VALUE, INSUFFICIENT_PERMISSIONS */
function checkUpgrade(c: AppContext): void {
  if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
    const headers = { upgrade: "websocket" };
    throw new RequestError("UPGRADE_REQUIRED", "This is a WebSocket: send Upgrade: websocket", { headers });
  }
  const offered = offeredProtocols(c.req.raw.headers);
  if (offered.length > 0 && !offered.includes(SUBPROTOCOL)) {
    throw new RequestError(
      "INVALID_FIELD_VALUE",
      `Sec-WebSocket-Protocol: expected ${SUBPROTOCOL} among the subprotocols`,
    );
  }
  if (!isAllowedOrigin(c)) throw forbidden("Pages of this origin may not subscribe");
}

/** Browsers apply CORS to no WebSocket, so the same rule is applied here. Who sends no origin is no browser. */
function isAllowedOrigin(c: AppContext): boolean {
  const origin = c.req.header("origin");
  if (origin === undefined || origin === new URL(c.req.url).origin) return true;
  const allowed = c.get("config").corsOrigins ?? [];
  return allowed.includes("*") || allowed.includes(origin);
}

function liveCredential(c: AppContext): LiveCredential {
  const principal: Principal = c.get("principal");
  const { expiresAt, credentialId, tenantId } = principal;
  // The bootstrap administrator's key is in no registry, and changes only with a deployment, which ends every socket.
  const isApiKey = tenantId !== null && credentialOf(c.req.raw.headers).kind === "key";
  return { expiresAt, apiKeyHash: isApiKey ? credentialId : null };
}

function noStream(): RequestError {
  return new RequestError("RESOURCE_NOT_FOUND", "There is no such stream yet: it begins with its first event");
}

import { z } from "zod";
import { issueReceipt } from "../ingest/receipt.ts";
import { toHex, uuidField, ZERO_32 } from "../ves/index.ts";
import { endpoint } from "./endpoint.ts";
import { envelopeJson } from "./event-json.ts";
import {
  entityTypeParam,
  envelopeResponse,
  eventTypeParam,
  head,
  hexText,
  numberParam,
  receiptResponse,
  streamQuery,
  timeText,
} from "./schemas.ts";
import {
  DEFAULT_LIMIT,
  entityParams,
  entityQuery,
  eventParams,
  fromParam,
  historyCounts,
  historyMembers,
  pageQuery,
  readEvent,
  readHead,
  readHistory,
  readPage,
  streamOf,
} from "./stream-reads.ts";

const MAX_WAIT_SECONDS = 30;

const vesPageQuery = pageQuery.extend({
  entity_type: entityTypeParam.optional(),
  event_type: eventTypeParam.optional(),
  agent_id: uuidField.optional(),
  after: fromParam.describe("Last number already known: the same as from = after + 1"),
  wait: numberParam(0, MAX_WAIT_SECONDS)
    .optional()
    .describe("Seconds to wait for an event when there is none yet, at most 30"),
});

const headResponse = z.object({
  head_sequence: head,
  sealed_sequence: z.int().describe("Events up to here lie in sealed batches"),
  anchored_sequence: z.int().describe("Events up to here are anchored on chain"),
  state_root: hexText.describe("State root of the latest sealed batch; zeros before the first"),
  latest_commitment: z.null().describe("The latest sealed batch"),
});

const eventsResponse = z.object({
  events: z.array(z.object({ envelope: envelopeResponse })),
  count: z.int(),
  next_sequence: z.int().describe("Where to continue"),
  head_sequence: head,
  has_more: z.boolean(),
});

const eventResponse = z.object({ envelope: envelopeResponse, sequenced_at: timeText });

const historyRow = z.object({
  envelope: envelopeResponse,
  event_id: z.string(),
  sequence_number: z.int(),
  event_type: z.string(),
  source_agent: z.string(),
  created_at: z.string(),
  payload: z.unknown(),
});

const historyResponse = z.object({
  ...historyMembers,
  events: z.array(historyRow),
  current_version: z.int().describe("What the next event of this entity gives as base_version"),
});

/** Reads of the log. */
export const streamEndpoints = [
  endpoint({
    method: "GET",
    path: "/api/v1/ves/head",
    tag: "Events",
    summary: "The stream's head",
    query: streamQuery,
    response: headResponse,
    handle: async (c, { query }) => ({
      head_sequence: await readHead(c, query),
      sealed_sequence: 0,
      anchored_sequence: 0,
      state_root: toHex(ZERO_32),
      latest_commitment: null,
    }),
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/ves/events",
    tag: "Events",
    summary: "Events in order, from a number on",
    description:
      "With filters a page may be short or even empty while `has_more` is true: continue at `next_sequence`.",
    query: vesPageQuery,
    response: eventsResponse,
    handle: async (c, { query }) => {
      const page = await readPage(c, query, {
        from: query.after === undefined ? (query.from ?? 1) : query.after + 1,
        limit: query.limit ?? DEFAULT_LIMIT,
        entityType: query.entity_type,
        eventType: query.event_type,
        agentId: query.agent_id,
        waitMs: (query.wait ?? 0) * 1_000,
      });
      return {
        events: page.events.map((event) => ({ envelope: envelopeJson(event) })),
        count: page.events.length,
        next_sequence: page.nextSequence,
        head_sequence: page.head,
        has_more: page.nextSequence <= page.head,
      };
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/ves/events/{event_id}",
    tag: "Events",
    summary: "One event by its id",
    params: eventParams,
    query: streamQuery,
    response: eventResponse,
    errors: [404],
    handle: async (c, { params, query }) => {
      const envelope = envelopeJson(await readEvent(c, query, params.event_id));
      return { envelope, sequenced_at: envelope.sequenced_at };
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/ves/receipts/{event_id}",
    tag: "Events",
    summary: "The receipt of an event, the same as when it was accepted",
    params: eventParams,
    query: streamQuery,
    response: receiptResponse,
    errors: [404],
    handle: async (c, { params, query }) => {
      const event = await readEvent(c, query, params.event_id);
      const signed = { eventId: event.envelope.event_id, signingHash: event.signingHash };
      return issueReceipt(c.get("config").receiptKeys, streamOf(query), signed, event);
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/ves/entities/{entity_type}/{entity_id}",
    tag: "Entities",
    summary: "The history of one entity",
    params: entityParams,
    query: entityQuery,
    response: historyResponse,
    handle: async (c, { params, query }) => {
      const history = await readHistory(c, query, params);
      return {
        ...historyCounts(history, query.from ?? 0, params),
        current_version: history.total,
        events: history.events.map((event) => {
          const envelope = envelopeJson(event);
          const { event_id, sequence_number, event_type, source_agent, created_at } = envelope;
          const payload = envelope.payload ?? envelope.payload_encrypted;
          return { envelope, event_id, sequence_number, event_type, source_agent, created_at, payload };
        }),
      };
    },
  }),
];

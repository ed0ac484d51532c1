import { z } from "zod";
import { toHex, uuidField, ZERO_32 } from "../ves/index.ts";
import { commitmentJson, commitmentResponse } from "./commitment-json.ts";
import { endpoint } from "./endpoint.ts";
import { envelopeJson } from "./event-json.ts";
import { readProofIfSealed } from "./proof-reads.ts";
import { receiptJson, receiptOf, receiptResponse } from "./receipt-json.ts";
import {
  entityTypeParam,
  envelopeResponse,
  eventTypeParam,
  head,
  hexText,
  numberParam,
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
  readHistory,
  readPage,
  readState,
  readStoredEvent,
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
  receipts: z.enum(["true", "false"]).optional().describe("With true, each row carries the event's receipt"),
});

const headResponse = z.object({
  head_sequence: head,
  sealed_sequence: z.int().describe("Events up to here lie in sealed batches"),
  anchored_sequence: z.int().describe("Events up to here are anchored on chain"),
  state_root: hexText.describe("State root of the latest sealed batch; zeros before the first"),
  latest_commitment: commitmentResponse.nullable().describe("The latest sealed batch"),
  mirrored_sequence: z.int().describe("Events up to here are in Postgres too"),
  frozen: z.string().nullable().describe("Why the stream takes no writes; null when it does"),
});

const eventsResponse = z.object({
  events: z.array(
    z.object({
      envelope: envelopeResponse,
      receipt: receiptResponse.optional().describe("Without its proof, which has routes of its own"),
    }),
  ),
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
    handle: async (c, { query }) => {
      const state = await readState(c, query);
      const batch = state.latestBatch;
      return {
        head_sequence: state.head,
        sealed_sequence: batch?.sequenceEnd ?? 0,
        anchored_sequence: state.anchoredSequence,
        state_root: toHex(batch?.newStateRoot ?? ZERO_32),
        latest_commitment: batch === null ? null : commitmentJson({ stream: streamOf(query), batch }),
        mirrored_sequence: state.mirroredSequence,
        frozen: state.frozenReason,
      };
    },
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
      const withReceipts = query.receipts === "true";
      return {
        events: await Promise.all(
          page.events.map(async (event) => ({
            envelope: envelopeJson(event),
            ...(withReceipts ? { receipt: await receiptOf(c, streamOf(query), event) } : {}),
          })),
        ),
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
    summary: "The receipt of an event, the same as when it was accepted, and the proof of it once its batch is sealed",
    params: eventParams,
    query: streamQuery,
    response: receiptResponse,
    errors: [404],
    handle: async (c, { params, query }) => {
      const [event, proof] = await Promise.all([
        readStoredEvent(c, query, params.event_id),
        readProofIfSealed(c, params.event_id, query),
      ]);
      return receiptJson(await receiptOf(c, streamOf(query), event), proof);
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

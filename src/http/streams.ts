import { z } from "zod";
import { requirePermission } from "../access/principal.ts";
import { RequestError } from "../errors.ts";
import { issueReceipt } from "../ingest/receipt.ts";
import type { EntityHistory, EventPage, PageRequest, SequencedEvent } from "../stream/messages.ts";
import { type StreamStub, streamStub } from "../stream/stream-client.ts";
import type { StreamRef } from "../stream/stream-ref.ts";
import { storeExists } from "../tenant/agent-directory.ts";
import { toHex, uuidField, ZERO_32 } from "../ves/index.ts";
import type { AppContext } from "./context.ts";
import { endpoint } from "./endpoint.ts";
import { envelopeJson, legacyEnvelopeJson } from "./event-json.ts";
import {
  entityIdParam,
  entityTypeParam,
  envelopeResponse,
  eventTypeParam,
  head,
  hexText,
  legacyEnvelopeResponse,
  limitParam,
  numberParam,
  receiptResponse,
  streamQuery,
  timeText,
} from "./schemas.ts";

/** Rows of a page of events, and of an entity's history, unless another number is asked for. */
const DEFAULT_LIMIT = 100;
const MAX_EVENTS = 1_000;
const MAX_HISTORY = 100;
const MAX_WAIT_SECONDS = 30;
/** How often a reader waiting for the first event of a store looks whether the store exists by now. */
const UNKNOWN_STORE_POLL_MS = 500;

const NO_EVENTS: EventPage = { events: [], nextSequence: 1, head: 0 };
const NO_HISTORY: EntityHistory = { events: [], total: 0 };

const fromParam = numberParam(0, Number.MAX_SAFE_INTEGER).optional();

const pageQuery = streamQuery.extend({
  from: fromParam.describe("First number wanted; 0 and nothing mean 1"),
  limit: limitParam(1, MAX_EVENTS).optional().describe("Rows wanted, 100 when absent, at most 1000"),
});

const vesPageQuery = pageQuery.extend({
  entity_type: entityTypeParam.optional(),
  event_type: eventTypeParam.optional(),
  agent_id: uuidField.optional(),
  after: fromParam.describe("Last number already known: the same as from = after + 1"),
  wait: numberParam(0, MAX_WAIT_SECONDS)
    .optional()
    .describe("Seconds to wait for an event when there is none yet, at most 30"),
});

const entityParams = z.object({ entity_type: entityTypeParam, entity_id: entityIdParam });
const entityQuery = streamQuery.extend({
  from: fromParam.describe("Rows to skip"),
  limit: limitParam(0, MAX_HISTORY).optional().describe("Rows wanted, at most 100; 0 and nothing mean 100"),
});
const eventParams = z.object({ event_id: uuidField });

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
  entity_type: z.string(),
  entity_id: z.string(),
  events: z.array(historyRow),
  count: z.int(),
  total: z.int(),
  current_version: z.int().describe("What the next event of this entity gives as base_version"),
  has_more: z.boolean(),
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

const legacyRow = z.object({ envelope: legacyEnvelopeResponse, sequenced_at: timeText });

/** The same reads under the names and shapes of the older family. */
export const legacyStreamEndpoints = [
  endpoint({
    method: "GET",
    path: "/api/v1/head",
    tag: "Older family",
    summary: "The stream's head",
    successor: "/api/v1/ves/head",
    query: streamQuery,
    response: z.object({ head_sequence: head }),
    handle: async (c, { query }) => ({ head_sequence: await readHead(c, query) }),
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/events",
    tag: "Older family",
    summary: "Events in order, from a number on",
    successor: "/api/v1/ves/events",
    query: pageQuery,
    response: z.object({
      events: z.array(legacyRow),
      count: z.int(),
      head_sequence: head,
      has_more: z.boolean(),
    }),
    handle: async (c, { query }) => {
      const limit = query.limit ?? DEFAULT_LIMIT;
      const page = await readPage(c, query, { from: query.from ?? 1, limit, waitMs: 0 });
      return {
        events: page.events.map(legacyRowJson),
        count: page.events.length,
        head_sequence: page.head,
        has_more: page.nextSequence <= page.head,
      };
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/events/{event_id}",
    tag: "Older family",
    summary: "One event by its id",
    successor: "/api/v1/ves/events/{event_id}",
    params: eventParams,
    query: streamQuery,
    response: legacyRow,
    errors: [404],
    handle: async (c, { params, query }) => legacyRowJson(await readEvent(c, query, params.event_id)),
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/entities/{entity_type}/{entity_id}",
    tag: "Older family",
    summary: "The history of one entity",
    successor: "/api/v1/ves/entities/{entity_type}/{entity_id}",
    params: entityParams,
    query: entityQuery,
    response: historyResponse.omit({ current_version: true }).extend({ events: z.array(legacyRow) }),
    handle: async (c, { params, query }) => {
      const history = await readHistory(c, query, params);
      return { ...historyCounts(history, query.from ?? 0, params), events: history.events.map(legacyRowJson) };
    },
  }),
];

function legacyRowJson(event: SequencedEvent): z.output<typeof legacyRow> {
  const envelope = legacyEnvelopeJson(event);
  return { envelope, sequenced_at: envelope.sequenced_at };
}

function historyCounts(history: EntityHistory, offset: number, entity: z.output<typeof entityParams>) {
  return {
    entity_type: entity.entity_type,
    entity_id: entity.entity_id,
    count: history.events.length,
    total: history.total,
    has_more: history.events.length > 0 && offset + history.events.length < history.total,
  };
}

type StreamQuery = z.output<typeof streamQuery>;

function streamOf(query: StreamQuery): StreamRef {
  return { tenantId: query.tenant_id, storeId: query.store_id };
}

/**
 * The stream's object, or null for a store that was never written to: asking its object would create it here, near a
 * reader, where its first writer should place it.
 */
async function readableStream(c: AppContext, query: StreamQuery): Promise<StreamStub | null> {
  requirePermission(c.get("principal"), "read", query.tenant_id, query.store_id);
  const exists = await storeExists(c.env, query.tenant_id, query.store_id);
  return exists ? streamStub(c.env, streamOf(query)) : null;
}

async function readHead(c: AppContext, query: StreamQuery): Promise<number> {
  return (await readableStream(c, query))?.head() ?? 0;
}

async function readPage(
  c: AppContext,
  query: StreamQuery,
  { waitMs, ...page }: PageRequest & { readonly waitMs: number },
): Promise<EventPage> {
  const deadline = Date.now() + waitMs;
  let stream = await readableStream(c, query);
  while (stream === null && Date.now() < deadline) {
    await scheduler.wait(Math.min(UNKNOWN_STORE_POLL_MS, deadline - Date.now()));
    stream = await readableStream(c, query);
  }
  if (stream === null) return { ...NO_EVENTS, nextSequence: Math.max(1, page.from) };
  const remaining = deadline - Date.now();
  return remaining > 0 ? stream.waitForEvents(page, remaining) : stream.events(page);
}

async function readEvent(c: AppContext, query: StreamQuery, eventId: string): Promise<SequencedEvent> {
  const stream = await readableStream(c, query);
  const event = (await stream?.event(eventId)) ?? null;
  if (event === null) throw new RequestError("EVENT_NOT_FOUND", `Event ${eventId} is not in this stream`);
  return event;
}

async function readHistory(
  c: AppContext,
  query: z.output<typeof entityQuery>,
  entity: z.output<typeof entityParams>,
): Promise<EntityHistory> {
  const stream = await readableStream(c, query);
  if (stream === null) return NO_HISTORY;
  const limit = query.limit || MAX_HISTORY;
  return stream.entityHistory({ type: entity.entity_type, id: entity.entity_id, offset: query.from ?? 0, limit });
}

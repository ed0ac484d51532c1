import { z } from "zod";
import type { SequencedEvent } from "../stream/messages.ts";
import { endpoint } from "./endpoint.ts";
import { legacyEnvelopeJson } from "./event-json.ts";
import { head, legacyEnvelopeResponse, sequenceNumber, streamQuery, timeText } from "./schemas.ts";
import {
  DEFAULT_LIMIT,
  entityParams,
  entityQuery,
  eventParams,
  historyCounts,
  historyMembers,
  pageQuery,
  readEvent,
  readHead,
  readHistory,
  readPage,
} from "./stream-reads.ts";

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
      next_sequence: sequenceNumber.describe(
        "Where to continue: a page of long payloads may hold fewer rows than asked for",
      ),
      head_sequence: head,
      has_more: z.boolean(),
    }),
    handle: async (c, { query }) => {
      const limit = query.limit ?? DEFAULT_LIMIT;
      const page = await readPage(c, query, { from: query.from ?? 1, limit, waitMs: 0 });
      return {
        events: page.events.map(legacyRowJson),
        count: page.events.length,
        next_sequence: page.nextSequence,
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
    response: z.object({ ...historyMembers, events: z.array(legacyRow) }),
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

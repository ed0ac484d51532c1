import { z } from "zod";
import { type Permission, requirePermission } from "../access/principal.ts";
import { RequestError } from "../errors.ts";
import type {
  EntityHistory,
  EventPage,
  PageRequest,
  SequencedEvent,
  StoredEvent,
  StreamState,
} from "../stream/messages.ts";
import { type StreamStub, streamStub } from "../stream/stream-client.ts";
import type { StreamRef } from "../stream-ref.ts";
import { storeExists } from "../tenant/agent-directory.ts";
import { uuidField } from "../ves/index.ts";
import type { AppContext } from "./context.ts";
import { openEvent, openEvents } from "./open-events.ts";
import { entityIdParam, entityTypeParam, limitParam, numberParam, streamQuery } from "./schemas.ts";

/*
 * What both families of reads ask for, and how it is read.
 */

/** Rows of a page of events, and of an entity's history, unless another number is asked for. */
export const DEFAULT_LIMIT = 100;
export const MAX_EVENTS = 1_000;
const MAX_HISTORY = 100;
/** How often a reader waiting for the first event of a store looks whether the store exists by now. */
const UNKNOWN_STORE_POLL_MS = 500;

const NO_EVENTS: EventPage<never> = { events: [], nextSequence: 1, head: 0 };
const NO_HISTORY: EntityHistory<never> = { events: [], total: 0 };
const NO_STATE: StreamState = {
  head: 0,
  latestBatch: null,
  anchoredSequence: 0,
  mirroredSequence: 0,
  frozenReason: null,
};

export const fromParam = numberParam(0, Number.MAX_SAFE_INTEGER).optional();

export const pageQuery = streamQuery.extend({
  from: fromParam.describe("First number wanted; 0 and nothing mean 1"),
  limit: limitParam(1, MAX_EVENTS).optional().describe("Rows wanted, 100 when absent, at most 1000"),
});

export const entityParams = z.object({ entity_type: entityTypeParam, entity_id: entityIdParam });
export const entityQuery = streamQuery.extend({
  from: fromParam.describe("Rows to skip"),
  limit: limitParam(0, MAX_HISTORY).optional().describe("Rows wanted, at most 100; 0 and nothing mean 100"),
});
/** Members that the answers about an entity's history have in both families. */
export const historyMembers = {
  entity_type: z.string(),
  entity_id: z.string(),
  count: z.int(),
  total: z.int(),
  has_more: z.boolean(),
};

export const eventParams = z.object({ event_id: uuidField });

export function historyCounts(
  history: EntityHistory<SequencedEvent>,
  offset: number,
  entity: z.output<typeof entityParams>,
) {
  return {
    entity_type: entity.entity_type,
    entity_id: entity.entity_id,
    count: history.events.length,
    total: history.total,
    has_more: history.events.length > 0 && offset + history.events.length < history.total,
  };
}

export type StreamQuery = z.output<typeof streamQuery>;

export function streamOf(query: StreamQuery): StreamRef {
  return { tenantId: query.tenant_id, storeId: query.store_id };
}

/**
 * The stream's object, or null for a store that was never written to: asking its object would create it here, near a
 * reader, where its first writer should place it.
 *
 * @throws RequestError INSUFFICIENT_PERMISSIONS
 */
export async function existingStream(
  c: AppContext,
  stream: StreamRef,
  permission: Permission = "read",
): Promise<StreamStub | null> {
  requirePermission(c.get("principal"), permission, stream.tenantId, stream.storeId);
  const exists = await storeExists(c.env, stream.tenantId, stream.storeId);
  return exists ? streamStub(c.env, stream) : null;
}

export async function readHead(c: AppContext, query: StreamQuery): Promise<number> {
  return (await existingStream(c, streamOf(query)))?.head() ?? 0;
}

export async function readState(c: AppContext, query: StreamQuery): Promise<StreamState> {
  return (await existingStream(c, streamOf(query)))?.state() ?? NO_STATE;
}

export async function readPage(
  c: AppContext,
  query: StreamQuery,
  { waitMs, ...page }: PageRequest & { readonly waitMs: number },
): Promise<EventPage<SequencedEvent>> {
  const deadline = Date.now() + waitMs;
  let stream = await existingStream(c, streamOf(query));
  while (stream === null && Date.now() < deadline) {
    await scheduler.wait(Math.min(UNKNOWN_STORE_POLL_MS, deadline - Date.now()));
    stream = await existingStream(c, streamOf(query));
  }
  if (stream === null) return { ...NO_EVENTS, nextSequence: Math.max(1, page.from) };
  const remaining = deadline - Date.now();
  const found = await (remaining > 0 ? stream.waitForEvents(page, remaining) : stream.events(page));
  return { ...found, events: await openEvents(c, found.events) };
}

export async function readEvent(c: AppContext, query: StreamQuery, eventId: string): Promise<SequencedEvent> {
  return openEvent(c, await readStoredEvent(c, query, eventId));
}

/** As {@link readEvent}, for who does not need the payload, and so no key. */
export async function readStoredEvent(c: AppContext, query: StreamQuery, eventId: string): Promise<StoredEvent> {
  const stream = await existingStream(c, streamOf(query));
  const event = (await stream?.event(eventId)) ?? null;
  if (event === null) throw new RequestError("EVENT_NOT_FOUND", `Event ${eventId} is not in this stream`);
  return event;
}

export async function readHistory(
  c: AppContext,
  query: z.output<typeof entityQuery>,
  entity: z.output<typeof entityParams>,
): Promise<EntityHistory<SequencedEvent>> {
  const stream = await existingStream(c, streamOf(query));
  if (stream === null) return NO_HISTORY;
  const limit = query.limit || MAX_HISTORY;
  const found = await stream.entityHistory({
    type: entity.entity_type,
    id: entity.entity_id,
    offset: query.from ?? 0,
    limit,
  });
  return { ...found, events: await openEvents(c, found.events) };
}

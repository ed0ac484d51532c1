import type { LogEvent, UnsequencedEvent } from "../log-event.ts";
import { shortJson } from "./text.ts";

/** An event for `--json`: all of it but the signed form, which a proof has. */
export function eventJson<Event extends LogEvent | UnsequencedEvent>(event: Event): Omit<Event, "envelope"> {
  const { envelope: _envelope, ...rest } = event;
  return rest;
}

/** The cells of an event's line. */
export function eventCells(event: Pick<LogEvent, "eventType" | "entityType" | "entityId" | "createdAt" | "payload">) {
  const { eventType, entityType, entityId, createdAt, payload } = event;
  return [createdAt, eventType, `${entityType} ${entityId}`, shortJson(payload)];
}

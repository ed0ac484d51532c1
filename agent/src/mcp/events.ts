import { z } from "zod";
import { leafHasher } from "../../../src/ves/index.ts";
import { loggedEvent } from "../answers.ts";
import { checkEvent, type Refreshed } from "../check-event.ts";
import type { Context } from "../context.ts";
import { AgentError } from "../errors.ts";
import type { PulledRow } from "../store/store.ts";

/** An event of the log, as tools answer it. */
export const eventField = z.object({
  sequenceNumber: z.int(),
  sequencedAt: z.string().describe("By the sequencer's clock; no signature covers it"),
  eventId: z.string(),
  entityType: z.string(),
  entityId: z.string(),
  eventType: z.string(),
  agentId: z.string().describe("Who recorded it"),
  isOwn: z.boolean().describe("Whether this server's own agent did"),
  commandId: z.string().nullable().describe("Signed, but for events of VES version 1"),
  baseVersion: z.int().nullable().describe("Version of the entity that it expected; signed as commandId is"),
  createdAt: z.string().describe("By the agent's clock, as it was signed"),
  verified: z
    .boolean()
    .describe("Whether the payload is what was signed, under a key that was the agent's at that time"),
  problem: z.string().nullable().describe("Why it does not verify"),
  payloadState: z
    .enum(["present", "encrypted", "too-long", "unverified"])
    .describe("Why `payload` is null: only its recipients can read it, it is too long to show, or it does not verify"),
  payload: z.unknown(),
});

export type EventAnswer = z.output<typeof eventField>;

/** Characters of a payload that is shown. A model's context holds some hundred thousand. */
const MAX_PAYLOAD_CHARACTERS = 32_768;

/** Characters of all events of an answer. */
const MAX_EVENTS_CHARACTERS = 131_072;

/**
 * Verifies an envelope that the sequencer gave, as pulling does.
 *
 * @param raw what stands in `envelope`
 * @throws AgentError MALFORMED_ANSWER, or as reading an agent's keys does
 */
export async function checkedRow(context: Context, raw: object, signal: AbortSignal): Promise<PulledRow> {
  const { sequence_number: number } = raw as { sequence_number?: unknown };
  if (typeof number !== "number") throw new AgentError("MALFORMED_ANSWER", "An event of the answer has no number");
  const refreshed: Refreshed = new Map();
  return checkEvent(context, raw, number, leafHasher(context.identity), refreshed, signal);
}

/** Verifies an envelope, and says of it what a tool answers. @throws AgentError as {@link checkedRow} */
export async function eventAnswer(context: Context, raw: object, signal: AbortSignal): Promise<EventAnswer> {
  const row = await checkedRow(context, raw, signal);
  const { command_id, base_version, created_at, payload_kind, payload } = loggedEvent.parse(raw);
  const payloadState =
    row.quarantine !== null
      ? "unverified"
      : payload_kind === 1
        ? "encrypted"
        : JSON.stringify(payload).length > MAX_PAYLOAD_CHARACTERS
          ? "too-long"
          : "present";
  return {
    sequenceNumber: row.sequenceNumber,
    sequencedAt: row.sequencedAt,
    eventId: row.eventId,
    entityType: row.entityType,
    entityId: row.entityId,
    eventType: row.eventType,
    agentId: row.agentId,
    isOwn: row.agentId === context.identity.agentId,
    commandId: command_id ?? null,
    baseVersion: base_version ?? null,
    createdAt: created_at,
    verified: row.quarantine === null,
    problem: row.quarantine,
    payloadState,
    payload: payloadState === "present" ? payload : null,
  };
}

/** The first events, as many as an answer may hold; at least one. */
export function fitting(events: readonly EventAnswer[]): readonly EventAnswer[] {
  let characters = 0;
  const end = events.findIndex((event, index) => {
    characters += JSON.stringify(event).length;
    return index > 0 && characters > MAX_EVENTS_CHARACTERS;
  });
  return end < 0 ? events : events.slice(0, end);
}

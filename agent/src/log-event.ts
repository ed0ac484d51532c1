import type { JsonValue, WireEnvelope } from "../../src/ves/index.ts";
import type { OutboxRow, OutboxState, PulledRow } from "./store/store.ts";

/** A verified event of the log. */
export interface LogEvent {
  readonly sequenceNumber: number;
  /** RFC 3339, by the sequencer's clock; no signature covers it. */
  readonly sequencedAt: string;
  readonly eventId: string;
  readonly entityType: string;
  readonly entityId: string;
  readonly eventType: string;
  readonly agentId: string;
  /** RFC 3339, by the agent's clock, as it was signed. */
  readonly createdAt: string;
  /** Null for an encrypted one. */
  readonly payload: JsonValue;
  /** All of it, as it was signed. */
  readonly envelope: WireEnvelope;
}

/** An own event that is not in the part of the log that was pulled. */
export interface UnsequencedEvent extends Omit<LogEvent, "sequenceNumber" | "sequencedAt"> {
  readonly state: OutboxState;
  /** Why it was rejected or is in conflict. */
  readonly reason: string | null;
}

export function logEvent(row: PulledRow): LogEvent {
  const { sequenceNumber, sequencedAt } = row;
  return { sequenceNumber, sequencedAt, ...contentOf(row, row.envelope) };
}

export function unsequencedEvent(row: OutboxRow): UnsequencedEvent {
  return { state: row.state, reason: row.reason, ...contentOf(row, row.envelope) };
}

function contentOf(row: OutboxRow | PulledRow, text: string) {
  const envelope = JSON.parse(text) as WireEnvelope;
  return {
    eventId: row.eventId,
    entityType: row.entityType,
    entityId: row.entityId,
    eventType: row.eventType,
    agentId: row.agentId,
    createdAt: envelope.created_at,
    payload: envelope.payload ?? null,
    envelope,
  };
}

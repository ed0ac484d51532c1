import type { WireEnvelope } from "../../src/ves/index.ts";
import type { EncryptionKeyring } from "./encryption/index.ts";
import { type ReadPayload, readPayload } from "./read-payload.ts";
import type { OutboxRow, OutboxState, PulledRow } from "./store/store.ts";

/** A verified event of the log. */
export interface LogEvent extends ReadPayload {
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
  /** All of it, as it was signed: what is encrypted is so here. */
  readonly envelope: WireEnvelope;
}

/** An own event that is not in the part of the log that was pulled. */
export interface UnsequencedEvent extends Omit<LogEvent, "sequenceNumber" | "sequencedAt"> {
  readonly state: OutboxState;
  /** Why it was rejected or is in conflict. */
  readonly reason: string | null;
}

/** @param keyring what its payload is decrypted with, if it is encrypted */
export async function logEvent(row: PulledRow, keyring: EncryptionKeyring): Promise<LogEvent> {
  const { sequenceNumber, sequencedAt } = row;
  return { sequenceNumber, sequencedAt, ...(await contentOf(row, keyring)) };
}

/** @param keyring as for {@link logEvent} */
export async function unsequencedEvent(row: OutboxRow, keyring: EncryptionKeyring): Promise<UnsequencedEvent> {
  return { state: row.state, reason: row.reason, ...(await contentOf(row, keyring)) };
}

async function contentOf(row: OutboxRow | PulledRow, keyring: EncryptionKeyring) {
  const envelope = JSON.parse(row.envelope) as WireEnvelope;
  const { eventId, entityType, entityId, eventType, agentId } = row;
  const read = await readPayload(envelope, keyring);
  return { eventId, entityType, entityId, eventType, agentId, createdAt: envelope.created_at, ...read, envelope };
}

import { envelopeSchema, toWireEnvelope, type WireEnvelope } from "../../src/ves/index.ts";
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
  /**
   * The event in its wire form, with the members that VES knows and no others; what is encrypted is so here. The agent's signature
   * covers all of them but `agent_signature_scheme` and `agent_signature_bundle`; in events of version 1 `command_id` and
   * `base_version`; and in `payload_encrypted` what its hash leaves out (VES 2.4), such as the names of the ciphers.
   */
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
  const signed = envelopeSchema.parse(JSON.parse(row.envelope));
  const { eventId, entityType, entityId, eventType, agentId } = row;
  const read = await readPayload(signed, keyring);
  const envelope = toWireEnvelope(signed);
  return { eventId, entityType, entityId, eventType, agentId, createdAt: signed.created_at, ...read, envelope };
}

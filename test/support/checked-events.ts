import type { Rejection, StorableEvent } from "../../src/stream/messages.ts";
import { canonicalJson, type JsonValue, payloadPlainHash, sha256, utf8, ZERO_32 } from "../../src/ves/index.ts";

export interface EventShape {
  readonly eventId: string;
  readonly entityType?: string;
  readonly entityId?: string;
  readonly eventType?: string;
  readonly agentId?: string;
  readonly payload?: JsonValue;
  readonly commandId?: string | undefined;
  readonly baseVersion?: number | undefined;
  readonly rejection?: Rejection;
}

/**
 * An event as the Worker hands it to a stream. The log does not look at signatures, so a hash over the members stands
 * for the signing hash here; events that are really signed are pushed in the tests of the HTTP API.
 */
export function checkedEvent(shape: EventShape): StorableEvent {
  const payloadText = canonicalJson(shape.payload ?? { n: 1 });
  const members = JSON.stringify([shape.eventId, shape.entityType, shape.entityId, shape.eventType, payloadText]);
  return {
    envelope: {
      ves_version: 1,
      event_id: shape.eventId,
      source_agent_id: shape.agentId ?? "00000000-0000-4000-8000-0000000000aa",
      agent_key_id: 1,
      entity_type: shape.entityType ?? "order",
      entity_id: shape.entityId ?? "o1",
      event_type: shape.eventType ?? "order.created",
      created_at: "2026-01-01T00:00:00Z",
      payload_kind: 0,
      payload_plain_hash: payloadPlainHash(payloadText),
      payload_cipher_hash: ZERO_32,
      agent_signature: new Uint8Array(64).fill(7),
      ...(shape.commandId === undefined ? {} : { command_id: shape.commandId }),
      ...(shape.baseVersion === undefined ? {} : { base_version: shape.baseVersion }),
    },
    payload: payloadText,
    payloadIntact: true,
    signingHash: sha256(utf8(members)),
    rejection: shape.rejection ?? null,
  };
}

/** A UUID that is the same for the same number. */
export function uuid(kind: number, n: number): string {
  return `${kind.toString(16).padStart(8, "0")}-0000-4000-8000-${n.toString(16).padStart(12, "0")}`;
}

import type { StoredPayload } from "../at-rest/stored-payload.ts";
import type { SqlRow, SqlValue } from "../storage/sql-store.ts";
import { blob, blobOrNull, integer, integerOrNull, text, textOrNull } from "../storage/sql-store.ts";
import {
  type EncryptedPayload,
  type JsonValue,
  type SignatureBundle,
  uuidBytes,
  uuidFromBytes,
  ZERO_32,
} from "../ves/index.ts";
import type { Place, SequencedEvent, StorableEvent, StoredEvent } from "./messages.ts";
import type { StreamRef } from "../stream-ref.ts";

/** The columns of `events`, in the order in which {@link eventBindings} gives their values. */
const COLUMNS = [
  "sequence_number",
  "event_id",
  "sequenced_at",
  "receipt_key_version",
  "ves_version",
  "source_agent_id",
  "agent_key_id",
  "entity_type",
  "entity_id",
  "entity_version",
  "previous_sequence",
  "skip_sequence",
  "event_type",
  "created_at",
  "payload_kind",
  "payload",
  "payload_plain_hash",
  "payload_cipher_hash",
  "event_signing_hash",
  "agent_signature",
  "signature_scheme",
  "signature_bundle",
  "command_id",
  "base_version",
] as const;

export const EVENT_COLUMNS = COLUMNS.join(", ");
export const INSERT_EVENT = `INSERT INTO events (${EVENT_COLUMNS}) VALUES (${COLUMNS.map(() => "?").join(", ")})`;

/** Where an event stands among those of its entity. */
export interface EntityPlace {
  readonly version: number;
  readonly previousSequence: number | null;
  readonly skipSequence: number | null;
}

/** The values of one row of `events`, in the order of {@link INSERT_EVENT}. */
export function eventBindings(event: StorableEvent, place: Place, entity: EntityPlace): SqlValue[] {
  const { envelope } = event;
  return [
    place.sequenceNumber,
    uuidBytes(envelope.event_id),
    place.sequencedAt,
    place.receiptKeyVersion,
    envelope.ves_version,
    uuidBytes(envelope.source_agent_id),
    envelope.agent_key_id,
    envelope.entity_type,
    envelope.entity_id,
    entity.version,
    entity.previousSequence,
    entity.skipSequence,
    envelope.event_type,
    envelope.created_at,
    envelope.payload_kind,
    event.payload,
    envelope.payload_plain_hash,
    envelope.payload_kind === 0 ? null : envelope.payload_cipher_hash,
    event.signingHash,
    envelope.agent_signature,
    envelope.agent_signature_scheme ?? null,
    bundleText(envelope.agent_signature_bundle),
    envelope.command_id === undefined ? null : uuidBytes(envelope.command_id),
    envelope.base_version ?? null,
  ];
}

/** Members in the order they were sent, so that the bundle is given back, and compared, as it came. */
export function bundleText(bundle: SignatureBundle | undefined): string | null {
  return bundle === undefined ? null : JSON.stringify(bundle);
}

/** The place that a stored event has. */
export function placeOf(row: SqlRow): Place {
  return {
    sequenceNumber: integer(row["sequence_number"]),
    sequencedAt: integer(row["sequenced_at"]),
    receiptKeyVersion: integer(row["receipt_key_version"]),
  };
}

/** A row of `events` as the event it holds. Tenant and store are the object's own and not repeated in each row. */
export function eventFromRow(row: SqlRow, { tenantId, storeId }: StreamRef): StoredEvent {
  const scheme = integerOrNull(row["signature_scheme"]);
  const bundle = textOrNull(row["signature_bundle"]);
  const commandId = blobOrNull(row["command_id"]);
  const baseVersion = integerOrNull(row["base_version"]);
  const envelope: StoredEvent["envelope"] = {
    ves_version: integer(row["ves_version"]),
    event_id: uuidFromBytes(blob(row["event_id"])),
    tenant_id: tenantId,
    store_id: storeId,
    source_agent_id: uuidFromBytes(blob(row["source_agent_id"])),
    agent_key_id: integer(row["agent_key_id"]),
    entity_type: text(row["entity_type"]),
    entity_id: text(row["entity_id"]),
    event_type: text(row["event_type"]),
    created_at: text(row["created_at"]),
    payload_kind: integer(row["payload_kind"]) === 0 ? 0 : 1,
    payload_plain_hash: blob(row["payload_plain_hash"]),
    payload_cipher_hash: blobOrNull(row["payload_cipher_hash"]) ?? ZERO_32,
    agent_signature: blob(row["agent_signature"]),
    ...(scheme === null ? {} : { agent_signature_scheme: scheme }),
    ...(bundle === null ? {} : { agent_signature_bundle: JSON.parse(bundle) as SignatureBundle }),
    ...(commandId === null ? {} : { command_id: uuidFromBytes(commandId) }),
    ...(baseVersion === null ? {} : { base_version: baseVersion }),
  };
  return {
    ...placeOf(row),
    envelope,
    payload: storedPayload(row),
    signingHash: blob(row["event_signing_hash"]),
    entityVersion: integer(row["entity_version"]),
  };
}

/** The payload of a row. */
export function storedPayload({ payload = null }: SqlRow): StoredPayload {
  return typeof payload === "string" ? payload : blob(payload);
}

/** A stored event with its content. @param payloadText what its payload says when it is opened */
export function withContent({ payload, envelope, ...event }: StoredEvent, payloadText: string): SequencedEvent {
  const content = JSON.parse(payloadText) as JsonValue;
  const member =
    envelope.payload_kind === 0 ? { payload: content } : { payload_encrypted: content as EncryptedPayload };
  return { ...event, envelope: { ...envelope, ...member } };
}

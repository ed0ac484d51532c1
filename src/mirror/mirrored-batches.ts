import { openPayload } from "../at-rest/open-payload.ts";
import type { PayloadKeyring } from "../at-rest/payload-keyrings.ts";
import type { Batch, Place, StorableEvent } from "../stream/messages.ts";
import type { StreamRef } from "../stream-ref.ts";
import {
  contentProblem,
  type EncryptedPayload,
  type Envelope,
  eventSigningHash,
  type JsonValue,
  type SignatureBundle,
  ZERO_32,
} from "../ves/index.ts";
import type { Connection } from "./postgres.ts";

/** An event as Postgres holds it, with the place that it had. Its signing hash is computed again, not read. */
export interface MirroredEvent {
  readonly event: StorableEvent;
  readonly place: Place;
  /** The key that its payload is encrypted under, when that is not there; `payloadIntact` says nothing then. */
  readonly missingKeyId: string | null;
}

interface CommitmentRow {
  readonly sequence_start: string;
  readonly sequence_end: string;
  readonly batch_id: string;
  readonly merkle_root: Buffer;
  readonly prev_state_root: Buffer;
  readonly new_state_root: Buffer;
  readonly committed_at: string;
}

/** `bigint` columns come as text. */
interface EventRow {
  readonly sequence_number: string;
  readonly event_id: string;
  readonly sequenced_at: string;
  readonly receipt_key_version: number;
  readonly ves_version: number;
  readonly source_agent_id: string;
  readonly agent_key_id: string;
  readonly entity_type: string;
  readonly entity_id: string;
  readonly event_type: string;
  readonly created_at: string;
  readonly payload_kind: number;
  readonly payload: string | null;
  readonly payload_encrypted: Buffer | null;
  readonly payload_plain_hash: Buffer;
  readonly payload_cipher_hash: Buffer | null;
  readonly agent_signature: Buffer;
  readonly signature_scheme: number | null;
  readonly signature_bundle: string | null;
  readonly command_id: string | null;
  readonly base_version: string | null;
}

/** The column as milliseconds since the epoch, under its own name. */
export const milliseconds = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::bigint AS ${column}`;

/** The batch that begins at a number, or null when Postgres holds none. */
export async function readMirroredBatch(
  connection: Connection,
  { tenantId, storeId }: StreamRef,
  sequenceStart: number,
): Promise<Batch | null> {
  const { rows } = await connection.query<CommitmentRow>(
    `SELECT sequence_start, sequence_end, batch_id, merkle_root, prev_state_root, new_state_root, ${milliseconds("committed_at")}
       FROM ves_commitments WHERE tenant_id = $1 AND store_id = $2 AND sequence_start = $3`,
    [tenantId, storeId, sequenceStart],
  );
  const [row] = rows;
  return row === undefined
    ? null
    : {
        batchId: row.batch_id,
        sequenceStart: Number(row.sequence_start),
        sequenceEnd: Number(row.sequence_end),
        merkleRoot: new Uint8Array(row.merkle_root),
        prevStateRoot: new Uint8Array(row.prev_state_root),
        newStateRoot: new Uint8Array(row.new_state_root),
        committedAt: Number(row.committed_at),
      };
}

/**
 * The events of a batch in order, as far as Postgres holds them. A batch is bounded, so all of it fits in memory. Payloads are
 * opened to see whether they are what was signed, and given as they are.
 */
export async function readMirroredEvents(
  connection: Connection,
  stream: StreamRef,
  batch: Pick<Batch, "sequenceStart" | "sequenceEnd">,
  keyring: PayloadKeyring,
): Promise<MirroredEvent[]> {
  const { rows } = await connection.query<EventRow>(
    `SELECT sequence_number, event_id, ${milliseconds("sequenced_at")}, receipt_key_version, ves_version, source_agent_id,
            agent_key_id, entity_type, entity_id, event_type, created_at, payload_kind, payload,
            payload_encrypted, payload_plain_hash, payload_cipher_hash, agent_signature, signature_scheme, signature_bundle, command_id,
            base_version
       FROM ves_events WHERE tenant_id = $1 AND store_id = $2 AND sequence_number BETWEEN $3 AND $4
      ORDER BY sequence_number`,
    [stream.tenantId, stream.storeId, batch.sequenceStart, batch.sequenceEnd],
  );
  return Promise.all(rows.map((row) => mirroredEvent(row, stream, keyring)));
}

async function mirroredEvent(row: EventRow, stream: StreamRef, keyring: PayloadKeyring): Promise<MirroredEvent> {
  const envelope: Omit<Envelope, "payload" | "payload_encrypted"> = {
    ves_version: row.ves_version,
    event_id: row.event_id,
    tenant_id: stream.tenantId,
    store_id: stream.storeId,
    source_agent_id: row.source_agent_id,
    agent_key_id: Number(row.agent_key_id),
    entity_type: row.entity_type,
    entity_id: row.entity_id,
    event_type: row.event_type,
    created_at: row.created_at,
    payload_kind: row.payload_kind === 0 ? 0 : 1,
    payload_plain_hash: new Uint8Array(row.payload_plain_hash),
    payload_cipher_hash: row.payload_cipher_hash === null ? ZERO_32 : new Uint8Array(row.payload_cipher_hash),
    agent_signature: new Uint8Array(row.agent_signature),
    ...(row.signature_scheme === null ? {} : { agent_signature_scheme: row.signature_scheme }),
    ...(row.signature_bundle === null
      ? {}
      : { agent_signature_bundle: JSON.parse(row.signature_bundle) as SignatureBundle }),
    ...(row.command_id === null ? {} : { command_id: row.command_id }),
    ...(row.base_version === null ? {} : { base_version: Number(row.base_version) }),
  };
  const { tenant_id, store_id, ...stored } = envelope;
  // A copy: the driver's buffer is a part of what it has received.
  const payload = row.payload ?? new Uint8Array(row.payload_encrypted ?? []);
  // Text is taken over whatever the mode: it was stored so before.
  const opened = await openPayload({ ...keyring, readsText: true }, stream, envelope, payload);
  return {
    event: {
      envelope: stored,
      payload,
      payloadIntact: opened.kind === "opened" && isIntact(envelope, opened.text),
      signingHash: eventSigningHash(envelope),
      rejection: null,
    },
    place: {
      sequenceNumber: Number(row.sequence_number),
      sequencedAt: Number(row.sequenced_at),
      receiptKeyVersion: row.receipt_key_version,
    },
    missingKeyId: opened.kind === "missing_key" ? opened.keyId : null,
  };
}

function isIntact(envelope: Omit<Envelope, "payload" | "payload_encrypted">, payloadText: string): boolean {
  const content = JSON.parse(payloadText) as JsonValue;
  return envelope.payload_kind === 0
    ? contentProblem({ ...envelope, payload: content }, payloadText) === undefined
    : contentProblem({ ...envelope, payload_encrypted: content as EncryptedPayload }) === undefined;
}

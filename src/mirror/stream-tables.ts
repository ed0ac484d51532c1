import { fromHex } from "../ves/index.ts";
import type { Batch } from "../stream/messages.ts";
import type { StreamRef } from "../stream/stream-ref.ts";
import type { Connection } from "./postgres.ts";

/** What Postgres holds of a stream: where its last batch ends, and whether somebody has changed its rows. */
export interface MirrorTip {
  /** 0 when no batch is there. */
  readonly sequenceEnd: number;
  /** Null when no batch is there. */
  readonly stateRoot: Uint8Array | null;
  /** Lowest number at which a row was changed or deleted by hand; null when none was. */
  readonly alteredAt: number | null;
}

const TIP = `
  SELECT (SELECT json_build_object('end', sequence_end, 'root', encode(new_state_root, 'hex')) FROM ves_commitments
           WHERE tenant_id = $1 AND store_id = $2 ORDER BY sequence_start DESC LIMIT 1) AS last,
         (SELECT min(sequence_number) FROM ves_alterations WHERE tenant_id = $1 AND store_id = $2) AS altered`;

/** Numbers, ids and hashes come as JSON texts that the types below read: hex after \\x for bytes, 32 digits for a UUID. */
const EVENT_RECORD = `
  sequence_number bigint, event_id uuid, sequenced_at bigint, receipt_key_version integer, ves_version integer,
  source_agent_id uuid, agent_key_id bigint, entity_type text, entity_id text, entity_version bigint, event_type text,
  created_at text, payload_kind smallint, payload text, payload_plain_hash bytea, payload_cipher_hash bytea,
  event_signing_hash bytea, agent_signature bytea, signature_scheme integer, signature_bundle text, command_id uuid,
  base_version bigint`;

const INSERT_EVENTS = `
  INSERT INTO ves_events (tenant_id, store_id, sequence_number, event_id, sequenced_at, receipt_key_version,
         ves_version, source_agent_id, agent_key_id, entity_type, entity_id, entity_version, event_type, created_at,
         payload_kind, payload, payload_plain_hash, payload_cipher_hash, event_signing_hash, agent_signature,
         signature_scheme, signature_bundle, command_id, base_version)
  SELECT $1, $2, sequence_number, event_id, timestamptz 'epoch' + sequenced_at * interval '1 millisecond',
         receipt_key_version, ves_version, source_agent_id, agent_key_id, entity_type, entity_id, entity_version,
         event_type, created_at, payload_kind, payload, payload_plain_hash, payload_cipher_hash, event_signing_hash,
         agent_signature, signature_scheme, signature_bundle, command_id, base_version
    FROM json_to_recordset($3) AS event (${EVENT_RECORD})`;

const INSERT_COMMITMENT = `
  INSERT INTO ves_commitments (tenant_id, store_id, sequence_start, sequence_end, batch_id, ves_version, leaf_count,
         merkle_root, prev_state_root, new_state_root, committed_at)
  VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9, timestamptz 'epoch' + $10::bigint * interval '1 millisecond')`;

export async function readTip(connection: Connection, { tenantId, storeId }: StreamRef): Promise<MirrorTip> {
  const { rows } = await connection.query<{ last: { end: number; root: string } | null; altered: string | null }>(TIP, [
    tenantId,
    storeId,
  ]);
  const { last, altered } = rows[0] ?? { last: null, altered: null };
  return {
    sequenceEnd: last?.end ?? 0,
    stateRoot: last === null ? null : fromHex(last.root),
    alteredAt: altered === null ? null : Number(altered),
  };
}

/** @param events JSON array of the rows, as `mirror-rows.ts` writes it */
export async function insertEvents(connection: Connection, stream: StreamRef, events: string): Promise<void> {
  await connection.query(INSERT_EVENTS, [stream.tenantId, stream.storeId, events]);
}

export async function insertCommitment(connection: Connection, stream: StreamRef, batch: Batch): Promise<void> {
  await connection.query(INSERT_COMMITMENT, [
    stream.tenantId,
    stream.storeId,
    batch.sequenceStart,
    batch.sequenceEnd,
    batch.batchId,
    batch.sequenceEnd - batch.sequenceStart + 1,
    ...[batch.merkleRoot, batch.prevStateRoot, batch.newStateRoot].map((hash) => Buffer.from(hash)),
    batch.committedAt,
  ]);
}

/** Lists the stream among the frozen ones, for whoever watches over all streams. */
export async function noteFrozen(connection: Connection, stream: StreamRef, reason: string): Promise<void> {
  await connection.query(
    `INSERT INTO ves_frozen_streams (tenant_id, store_id, reason) VALUES ($1, $2, $3)
       ON CONFLICT (tenant_id, store_id) DO UPDATE SET reason = excluded.reason`,
    [stream.tenantId, stream.storeId, reason],
  );
}

export async function noteThawed(connection: Connection, stream: StreamRef): Promise<void> {
  await connection.query("DELETE FROM ves_frozen_streams WHERE tenant_id = $1 AND store_id = $2", [
    stream.tenantId,
    stream.storeId,
  ]);
}

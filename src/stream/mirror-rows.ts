import { type SqlStore, text } from "../storage/sql-store.ts";

/*
 * Rows for Postgres as JSON arrays. SQLite writes the JSON itself, several times as fast as JavaScript would.
 */

const bytes = (column: string): string => `'\\x' || hex(${column})`;
const nullable = (column: string, written: string): string => `iif(${column} IS NULL, NULL, ${written})`;

/** How each column of `events` is written. */
export const EVENT_MEMBERS = {
  sequence_number: "sequence_number",
  event_id: "hex(event_id)",
  sequenced_at: "sequenced_at",
  receipt_key_version: "receipt_key_version",
  ves_version: "ves_version",
  source_agent_id: "hex(source_agent_id)",
  agent_key_id: "agent_key_id",
  entity_type: "entity_type",
  entity_id: "entity_id",
  entity_version: "entity_version",
  event_type: "event_type",
  created_at: "created_at",
  payload_kind: "payload_kind",
  payload: "iif(typeof(payload) = 'text', payload, NULL)",
  payload_encrypted: `iif(typeof(payload) = 'blob', ${bytes("payload")}, NULL)`,
  payload_plain_hash: bytes("payload_plain_hash"),
  payload_cipher_hash: nullable("payload_cipher_hash", bytes("payload_cipher_hash")),
  event_signing_hash: bytes("event_signing_hash"),
  agent_signature: bytes("agent_signature"),
  signature_scheme: "signature_scheme",
  signature_bundle: "signature_bundle",
  command_id: nullable("command_id", "hex(command_id)"),
  base_version: "base_version",
};

/** How each column of `batches` but the tree is written. */
export const COMMITMENT_MEMBERS = {
  sequence_start: "sequence_start",
  sequence_end: "sequence_end",
  batch_id: "hex(batch_id)",
  ves_version: "1",
  leaf_count: "sequence_end - sequence_start + 1",
  merkle_root: bytes("merkle_root"),
  prev_state_root: bytes("prev_state_root"),
  new_state_root: bytes("new_state_root"),
  committed_at: "committed_at",
};

/** What of an event is written when its payload was encrypted under another key. */
const PAYLOAD_MEMBERS = {
  sequence_number: EVENT_MEMBERS.sequence_number,
  event_signing_hash: EVENT_MEMBERS.event_signing_hash,
  payload_encrypted: EVENT_MEMBERS.payload_encrypted,
};

const EVENTS = `SELECT ${arrayOf(EVENT_MEMBERS)} AS rows FROM events WHERE sequence_number BETWEEN ? AND ?`;
const COMMITMENTS = `SELECT ${arrayOf(COMMITMENT_MEMBERS)} AS rows FROM batches WHERE sequence_start BETWEEN ? AND ?`;

const PAYLOADS = `SELECT ${arrayOf(PAYLOAD_MEMBERS)} AS rows FROM events
   WHERE sequence_number BETWEEN ? AND ? AND substr(payload, 1, 12) = ?`;

/** The batches that lie between two numbers, and their events. */
export function mirrorRows(store: SqlStore, start: number, end: number) {
  return {
    events: text(store.exec(EVENTS, start, end)[0]?.["rows"]),
    commitments: text(store.exec(COMMITMENTS, start, end)[0]?.["rows"]),
  };
}

/** The payloads between two numbers that begin with `prefix`, which is 12 bytes long. */
export function payloadRows(store: SqlStore, start: number, end: number, prefix: Uint8Array): string {
  return text(store.exec(PAYLOADS, start, end, prefix)[0]?.["rows"]);
}

function arrayOf(members: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(members).map(([name, written]) => `'${name}', ${written}`);
  return `json_group_array(json_object(${pairs.join(", ")}))`;
}

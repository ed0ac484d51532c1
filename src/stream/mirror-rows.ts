import { integer, type SqlStore, text } from "../storage/sql-store.ts";
import type { Batch } from "./messages.ts";
import { STORED_BYTES } from "./read.ts";

/** Long payloads are sent in pieces of about this many bytes, so that a batch of them fits an isolate's memory. */
const MAX_CHUNK_BYTES = 4 * 1024 * 1024;

const bytes = (column: string): string => `'\\x' || hex(${column})`;
const nullable = (column: string, written: string): string => `iif(${column} IS NULL, NULL, ${written})`;

/** How each column of `events` is written for Postgres to read: SQLite writes the JSON itself, ten times as fast. */
const MEMBERS = {
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
  payload: "payload",
  payload_plain_hash: bytes("payload_plain_hash"),
  payload_cipher_hash: nullable("payload_cipher_hash", bytes("payload_cipher_hash")),
  event_signing_hash: bytes("event_signing_hash"),
  agent_signature: bytes("agent_signature"),
  signature_scheme: "signature_scheme",
  signature_bundle: "signature_bundle",
  command_id: nullable("command_id", "hex(command_id)"),
  base_version: "base_version",
};

const ROWS = `SELECT json_group_array(json_object(${Object.entries(MEMBERS)
  .map(([name, written]) => `'${name}', ${written}`)
  .join(", ")})) AS rows FROM events WHERE sequence_number BETWEEN ? AND ?`;

/** The events of a batch as JSON arrays for Postgres, in order, each read when it is asked for. */
export function* mirrorRows(store: SqlStore, batch: Batch): Generator<string> {
  const sizes = store.exec(
    `SELECT sequence_number, ${STORED_BYTES} AS bytes FROM events WHERE sequence_number BETWEEN ? AND ? ORDER BY sequence_number`,
    batch.sequenceStart,
    batch.sequenceEnd,
  );
  let start = batch.sequenceStart;
  let chunk = 0;
  for (const row of sizes) {
    const size = integer(row["bytes"]);
    const sequenceNumber = integer(row["sequence_number"]);
    if (chunk > 0 && chunk + size > MAX_CHUNK_BYTES) {
      yield text(store.exec(ROWS, start, sequenceNumber - 1)[0]?.["rows"]);
      start = sequenceNumber;
      chunk = 0;
    }
    chunk += size;
  }
  yield text(store.exec(ROWS, start, batch.sequenceEnd)[0]?.["rows"]);
}

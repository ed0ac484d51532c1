import { fromHex, toHex } from "../ves/index.ts";
import type { StreamRef } from "../stream-ref.ts";
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

/** In one statement what is read and what is written see the same state, and all of it takes effect or nothing. */
const TIP = `
  SELECT (SELECT json_build_object('end', sequence_end, 'root', encode(new_state_root, 'hex')) FROM ves_commitments
           WHERE tenant_id = $1 AND store_id = $2 ORDER BY sequence_start DESC LIMIT 1) AS last,
         (SELECT min(sequence_number) FROM ves_alterations WHERE tenant_id = $1 AND store_id = $2) AS altered`;

/** Numbers, ids and hashes come as JSON texts that these types read: hex after \\x for bytes, 32 digits for a UUID. */
export const EVENT_COLUMNS = {
  sequence_number: "bigint",
  event_id: "uuid",
  sequenced_at: "bigint",
  receipt_key_version: "integer",
  ves_version: "integer",
  source_agent_id: "uuid",
  agent_key_id: "bigint",
  entity_type: "text",
  entity_id: "text",
  entity_version: "bigint",
  event_type: "text",
  created_at: "text",
  payload_kind: "smallint",
  payload: "text",
  payload_encrypted: "bytea",
  payload_plain_hash: "bytea",
  payload_cipher_hash: "bytea",
  event_signing_hash: "bytea",
  agent_signature: "bytea",
  signature_scheme: "integer",
  signature_bundle: "text",
  command_id: "uuid",
  base_version: "bigint",
};
export const COMMITMENT_COLUMNS = {
  sequence_start: "bigint",
  sequence_end: "bigint",
  batch_id: "uuid",
  ves_version: "integer",
  leaf_count: "integer",
  merkle_root: "bytea",
  prev_state_root: "bytea",
  new_state_root: "bytea",
  committed_at: "bigint",
};

/** Columns that are times come as milliseconds since the epoch. */
const TIMES = ["sequenced_at", "committed_at"];

/** Writes only onto the tip that is expected. */
const WRITE = `
  WITH tip AS MATERIALIZED (${TIP}),
  matching AS MATERIALIZED (
    SELECT 1 FROM tip
     WHERE altered IS NULL AND coalesce((last ->> 'end')::bigint, 0) = $3 AND coalesce(last ->> 'root', $4) = $4
  ),
  events AS (${insertion("ves_events", EVENT_COLUMNS, "$5")}),
  commitments AS (${insertion("ves_commitments", COMMITMENT_COLUMNS, "$6")})
  SELECT last, altered, EXISTS (SELECT 1 FROM matching) AS written FROM tip`;

function insertion(table: string, columns: Readonly<Record<string, string>>, rows: string): string {
  const names = Object.keys(columns);
  const values = names.map((name) =>
    TIMES.includes(name) ? `timestamptz 'epoch' + ${name} * interval '1 millisecond'` : name,
  );
  const record = Object.entries(columns).map((column) => column.join(" "));
  return `
    INSERT INTO ${table} (tenant_id, store_id, ${names.join(", ")})
    SELECT $1, $2, ${values.join(", ")} FROM json_to_recordset(${rows}) AS row (${record.join(", ")})
     WHERE EXISTS (SELECT 1 FROM matching)`;
}

interface TipRow {
  readonly last: { readonly end: number; readonly root: string } | null;
  readonly altered: string | null;
}

export async function readTip(connection: Connection, { tenantId, storeId }: StreamRef): Promise<MirrorTip> {
  const { rows } = await connection.query<TipRow>(TIP, [tenantId, storeId]);
  return tipOf(rows[0]);
}

export async function countBatches(connection: Connection, { tenantId, storeId }: StreamRef): Promise<number> {
  const { rows } = await connection.query<{ batches: string }>(
    "SELECT count(*) AS batches FROM ves_commitments WHERE tenant_id = $1 AND store_id = $2",
    [tenantId, storeId],
  );
  return Number(rows[0]?.batches);
}

export interface WriteResult {
  /** The tip that was found. */
  readonly tip: MirrorTip;
  readonly isWritten: boolean;
  /** What Postgres says of a row that is there already though it is of no batch up to the tip; null when there is none. */
  readonly foreignRow: string | null;
}

/** SQLSTATE of a unique violation. */
const UNIQUE_VIOLATION = "23505";

/**
 * Writes batches with their events onto the tip that ends at `after` with that state root, 0 and zeros for none.
 *
 * @param rows JSON arrays, as `mirror-rows.ts` writes them
 * @throws when Postgres fails: nothing was written then, unless only the answer was lost
 */
export async function writeBatches(
  connection: Connection,
  stream: StreamRef,
  after: { readonly sequenceEnd: number; readonly stateRoot: Uint8Array },
  rows: { readonly events: string; readonly commitments: string },
): Promise<WriteResult> {
  const { tenantId, storeId } = stream;
  const values = [tenantId, storeId, after.sequenceEnd, toHex(after.stateRoot), rows.events, rows.commitments];
  try {
    const { rows: answer } = await connection.query<TipRow & { written: boolean }>(WRITE, values);
    return { tip: tipOf(answer[0]), isWritten: answer[0]?.written === true, foreignRow: null };
  } catch (error) {
    const { code, detail } = error as { code?: string; detail?: string };
    if (code !== UNIQUE_VIOLATION) throw error;
    // An attempt whose answer was lost may have taken effect during this one: then the tip has moved.
    return { tip: await readTip(connection, stream), isWritten: false, foreignRow: detail ?? String(error) };
  }
}

function tipOf(row: TipRow | undefined): MirrorTip {
  const { last, altered } = row ?? { last: null, altered: null };
  return {
    sequenceEnd: last?.end ?? 0,
    stateRoot: last === null ? null : fromHex(last.root),
    alteredAt: altered === null ? null : Number(altered),
  };
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

import type { StreamRef } from "../stream-ref.ts";
import type { Connection } from "./postgres.ts";

/** How many payloads between two numbers are under each key, by its id in hex. @param noKey what stands for text */
export async function countPayloadKeys(
  connection: Connection,
  { tenantId, storeId }: StreamRef,
  range: { readonly start: number; readonly end: number },
  noKey: string,
): Promise<Record<string, number>> {
  const { rows } = await connection.query<{ key_id: string; events: string }>(
    `SELECT coalesce(encode(substring(payload_encrypted FROM 5 FOR 8), 'hex'), $5) AS key_id, count(*) AS events
       FROM ves_events WHERE tenant_id = $1 AND store_id = $2 AND sequence_number BETWEEN $3 AND $4 GROUP BY 1`,
    [tenantId, storeId, range.start, range.end, noKey],
  );
  return Object.fromEntries(rows.map(({ key_id, events }) => [key_id, Number(events)]));
}

/**
 * Replaces payloads that are not under the key yet. Only of rows that hold the very event: whatever else stands at its
 * number is somebody else's.
 *
 * @param rows JSON array, as `mirror-rows.ts` writes it
 * @param prefix what payloads under the key begin with
 * @returns how many
 */
export async function replacePayloads(
  connection: Connection,
  { tenantId, storeId }: StreamRef,
  rows: string,
  prefix: Uint8Array,
): Promise<number> {
  const { rowCount } = await connection.query(
    `UPDATE ves_events AS event SET payload = NULL, payload_encrypted = row.payload_encrypted
       FROM json_to_recordset($3) AS row (sequence_number bigint, event_signing_hash bytea, payload_encrypted bytea)
      WHERE event.tenant_id = $1 AND event.store_id = $2 AND event.sequence_number = row.sequence_number
        AND event.event_signing_hash = row.event_signing_hash
        AND substring(event.payload_encrypted FROM 1 FOR 12) IS DISTINCT FROM $4`,
    [tenantId, storeId, rows, Buffer.from(prefix)],
  );
  return rowCount ?? 0;
}

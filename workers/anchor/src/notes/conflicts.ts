import type { Connection } from "../../../../src/mirror/postgres.ts";
import type { StreamRef } from "../../../../src/stream-ref.ts";

export async function readConflicts(connection: Connection): Promise<StreamRef[]> {
  const { rows } = await connection.query<{ tenant_id: string; store_id: string }>(
    "SELECT tenant_id, store_id FROM ves_anchor_conflicts",
  );
  return rows.map((row) => ({ tenantId: row.tenant_id, storeId: row.store_id }));
}

/** Notes that the contract holds another history of the stream; null: that it does not. */
export async function noteConflict(
  connection: Connection,
  { tenantId, storeId }: StreamRef,
  reason: string | null,
): Promise<void> {
  await (reason === null
    ? connection.query("DELETE FROM ves_anchor_conflicts WHERE tenant_id = $1 AND store_id = $2", [tenantId, storeId])
    : connection.query(
        `INSERT INTO ves_anchor_conflicts (tenant_id, store_id, reason) VALUES ($1, $2, $3)
           ON CONFLICT (tenant_id, store_id) DO UPDATE SET reason = excluded.reason`,
        [tenantId, storeId, reason],
      ));
}

import type { StreamRef } from "../stream-ref.ts";
import { PATIENCE_MS, withPostgres } from "./postgres.ts";

/**
 * The stream that a batch is of. A batch is here once it is mirrored, moments after it was sealed.
 *
 * @param tenantId whose batches alone are looked at; null: all
 * @returns null for a batch that is not here
 * @throws when Postgres cannot be asked
 */
export async function findStreamOfBatch(
  hyperdrive: Hyperdrive,
  batchId: string,
  tenantId: string | null,
): Promise<StreamRef | null> {
  const { rows } = await withPostgres(
    hyperdrive,
    (connection) =>
      connection.query<{ tenant_id: string; store_id: string }>(
        `SELECT tenant_id, store_id FROM ves_commitments
          WHERE batch_id = $1 AND ($2::uuid IS NULL OR tenant_id = $2)`,
        [batchId, tenantId],
      ),
    PATIENCE_MS,
  );
  const [row] = rows;
  return row === undefined ? null : { tenantId: row.tenant_id, storeId: row.store_id };
}

import { IN_SCOPE, type Scope } from "./health.ts";
import { PATIENCE_MS, withPostgres } from "./postgres.ts";

/** How the anchoring Worker fared lately. */
export interface AnchorRuns {
  readonly lastRunAt: Date | null;
  readonly lastSuccessAt: Date | null;
  /** Of the last run; null when it went well. */
  readonly lastError: string | null;
  /** Some batch of the scope was refused, and waits to be tried again. */
  readonly isRefused: boolean;
}

/** How many batches of the scope stand where, and how many of its streams are in conflict with the contract. */
export interface AnchorCounts {
  readonly pending: number;
  readonly submitted: number;
  readonly anchored: number;
  readonly conflicts: number;
}

/** What of the scope is not anchored. */
export interface AnchorBacklog {
  readonly batches: number;
  /** Seconds since the oldest of them was committed; 0 when there is none. */
  readonly oldestSeconds: number;
}

interface RunsRow {
  readonly last_run_at: Date | null;
  readonly last_success_at: Date | null;
  readonly last_error: string | null;
  readonly is_refused: boolean;
}

/** @throws when Postgres cannot be asked */
export async function readAnchorRuns(hyperdrive: Hyperdrive, { tenantId, storeIds }: Scope): Promise<AnchorRuns> {
  const { rows } = await withPostgres(
    hyperdrive,
    (connection) =>
      connection.query<RunsRow>(
        `SELECT last_run_at, last_success_at, last_error,
                EXISTS (SELECT 1 FROM ves_anchors WHERE status <> 'anchored' AND failures > 0 AND ${IN_SCOPE}) AS is_refused
           FROM ves_anchor_state`,
        [tenantId, storeIds],
      ),
    PATIENCE_MS,
  );
  const [row] = rows;
  return {
    lastRunAt: row?.last_run_at ?? null,
    lastSuccessAt: row?.last_success_at ?? null,
    lastError: row?.last_error ?? null,
    isRefused: row?.is_refused ?? false,
  };
}

/** @throws when Postgres cannot be asked */
export async function readAnchorCounts(hyperdrive: Hyperdrive, { tenantId, storeIds }: Scope): Promise<AnchorCounts> {
  const { rows } = await withPostgres(
    hyperdrive,
    (connection) =>
      connection.query<AnchorCounts>(
        `SELECT count(*) FILTER (WHERE status = 'pending')::integer AS pending,
                count(*) FILTER (WHERE status = 'submitted')::integer AS submitted,
                count(*) FILTER (WHERE status = 'anchored')::integer AS anchored,
                (SELECT count(*)::integer FROM ves_anchor_conflicts WHERE ${IN_SCOPE}) AS conflicts
           FROM ves_anchors WHERE ${IN_SCOPE}`,
        [tenantId, storeIds],
      ),
    PATIENCE_MS,
  );
  return rows[0] ?? { pending: 0, submitted: 0, anchored: 0, conflicts: 0 };
}

/** @throws when Postgres cannot be asked */
export async function readAnchorBacklog(hyperdrive: Hyperdrive, { tenantId, storeIds }: Scope): Promise<AnchorBacklog> {
  const { rows } = await withPostgres(
    hyperdrive,
    (connection) =>
      connection.query<{ batches: number; seconds: number }>(
        // A stream's first one is its oldest, so that of each stream one commitment is looked at.
        `WITH oldest AS (
           SELECT DISTINCT ON (tenant_id, store_id) tenant_id, store_id, sequence_start FROM ves_anchors
            WHERE status <> 'anchored' AND ${IN_SCOPE} ORDER BY tenant_id, store_id, sequence_start
         )
         SELECT (SELECT count(*)::integer FROM ves_anchors WHERE status <> 'anchored' AND ${IN_SCOPE}) AS batches,
                (SELECT greatest(0, extract(epoch FROM now() - min(committed_at)))::float8
                   FROM oldest JOIN ves_commitments USING (tenant_id, store_id, sequence_start)) AS seconds`,
        [tenantId, storeIds],
      ),
    PATIENCE_MS,
  );
  const [row] = rows;
  return { batches: row?.batches ?? 0, oldestSeconds: row?.seconds ?? 0 };
}

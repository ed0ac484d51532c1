import { integer, integerOrNull, type SqlRow, type SqlStore } from "../storage/sql-store.ts";
import { uuidBytes } from "../ves/index.ts";

/** How far a stream is: what it reports of itself, whole each time, so that the last report is the truth. */
export interface StreamLag {
  readonly head: number;
  readonly sealedSequence: number;
  /** Null in a deployment without a mirror. */
  readonly mirroredSequence: number | null;
  /** When the first unsealed event was sequenced, in milliseconds since the epoch; null when there is none. */
  readonly unsealedSince: number | null;
  /** The same of the first sealed event that is not mirrored. */
  readonly unmirroredSince: number | null;
}

/** Whose streams are asked for; null: all. */
export interface StreamScope {
  readonly tenantId: string | null;
  readonly storeIds: readonly string[] | null;
}

/** The streams of a scope together. Times are milliseconds since the epoch. */
export interface LagSum {
  readonly streams: number;
  readonly events: number;
  readonly unsealed: number;
  readonly unsealedSince: number | null;
  readonly unmirrored: number;
  readonly unmirroredSince: number | null;
  readonly unmirroredStreams: number;
}

/** Of no stream. */
export const NO_LAG: LagSum = {
  streams: 0,
  events: 0,
  unsealed: 0,
  unsealedSince: null,
  unmirrored: 0,
  unmirroredSince: null,
  unmirroredStreams: 0,
};

/** Takes a stream's report. A head never falls: a stream that was lost and is being rebuilt is still as long as it was. */
export function noteLag(store: SqlStore, stream: { tenantId: string; storeId: string }, lag: StreamLag): void {
  store.exec(
    `INSERT INTO streams (tenant_id, store_id, head, sealed_sequence, mirrored_sequence, unsealed_since, unmirrored_since)
     VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (tenant_id, store_id) DO UPDATE SET head = MAX(head, excluded.head),
       sealed_sequence = excluded.sealed_sequence, mirrored_sequence = excluded.mirrored_sequence,
       unsealed_since = excluded.unsealed_since, unmirrored_since = excluded.unmirrored_since`,
    uuidBytes(stream.tenantId),
    uuidBytes(stream.storeId),
    lag.head,
    lag.sealedSequence,
    lag.mirroredSequence,
    lag.unsealedSince,
    lag.unmirroredSince,
  );
}

/** Looks at every stream of the scope: at a row for each, without an index to keep. */
export function sumLag(store: SqlStore, { tenantId, storeIds }: StreamScope): LagSum {
  const conditions = [
    ...(tenantId === null ? [] : ["tenant_id = ?"]),
    ...(storeIds === null ? [] : ["lower(hex(store_id)) IN (SELECT replace(value, '-', '') FROM json_each(?))"]),
  ];
  const [row] = store.exec(
    `SELECT COUNT(*) AS streams, COALESCE(SUM(head), 0) AS events,
            COALESCE(SUM(head - sealed_sequence) FILTER (WHERE unsealed_since IS NOT NULL), 0) AS unsealed,
            MIN(unsealed_since) AS unsealed_since,
            COALESCE(SUM(sealed_sequence - mirrored_sequence) FILTER (WHERE unmirrored_since IS NOT NULL), 0) AS unmirrored,
            MIN(unmirrored_since) AS unmirrored_since, COUNT(unmirrored_since) AS unmirrored_streams
       FROM streams ${conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`}`,
    ...(tenantId === null ? [] : [uuidBytes(tenantId)]),
    ...(storeIds === null ? [] : [JSON.stringify(storeIds)]),
  );
  return row === undefined ? NO_LAG : sumOf(row);
}

/** The sums of several shards as one. */
export function addLag(sums: readonly LagSum[]): LagSum {
  return sums.reduce(
    (a, b) => ({
      streams: a.streams + b.streams,
      events: a.events + b.events,
      unsealed: a.unsealed + b.unsealed,
      unsealedSince: earlier(a.unsealedSince, b.unsealedSince),
      unmirrored: a.unmirrored + b.unmirrored,
      unmirroredSince: earlier(a.unmirroredSince, b.unmirroredSince),
      unmirroredStreams: a.unmirroredStreams + b.unmirroredStreams,
    }),
    NO_LAG,
  );
}

function sumOf(row: SqlRow): LagSum {
  return {
    streams: integer(row["streams"]),
    events: integer(row["events"]),
    unsealed: integer(row["unsealed"]),
    unsealedSince: integerOrNull(row["unsealed_since"]),
    unmirrored: integer(row["unmirrored"]),
    unmirroredSince: integerOrNull(row["unmirrored_since"]),
    unmirroredStreams: integer(row["unmirrored_streams"]),
  };
}

function earlier(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

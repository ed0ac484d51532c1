import type { Connection } from "../../../../src/mirror/postgres.ts";
import type { AnchorNote } from "../../../../src/stream/messages.ts";
import type { StreamRef } from "../../../../src/stream-ref.ts";
import { nameOf } from "../batch.ts";

/** Streams that are told in one round, and batches of each that they are told of. */
const STREAMS_AT_ONCE = 100;
const NOTES_PER_STREAM = 50;

/** What a stream's object is to be told. */
export interface Untold {
  readonly stream: StreamRef;
  readonly notes: readonly AnchorNote[];
}

/**
 * Some of what is to be told, each time from another place among the streams: one whose object always fails must not keep the
 * others from hearing.
 *
 * @param start streams of this tenant and of those after it
 */
export async function readUntold(connection: Connection, start: string): Promise<Untold[]> {
  const { rows } = await connection.query<{
    tenant_id: string;
    store_id: string;
    batch_id: string;
    sequence_start: string;
    revision: number;
    chain_id: string | null;
    tx_hash: Buffer | null;
    block_number: string | null;
    anchored_at: Date | null;
  }>(
    `WITH RECURSIVE streams AS (
       (SELECT tenant_id, store_id, 1 AS place FROM ves_anchors WHERE told_revision < revision AND tenant_id >= $1
         ORDER BY tenant_id, store_id, sequence_start LIMIT 1)
       UNION ALL
       SELECT n.tenant_id, n.store_id, s.place + 1 FROM streams s CROSS JOIN LATERAL (
         SELECT a.tenant_id, a.store_id FROM ves_anchors a
          WHERE a.told_revision < a.revision AND (a.tenant_id, a.store_id) > (s.tenant_id, s.store_id)
          ORDER BY a.tenant_id, a.store_id, a.sequence_start LIMIT 1) n
        WHERE s.place < ${STREAMS_AT_ONCE})
     SELECT note.* FROM streams s CROSS JOIN LATERAL (
       SELECT tenant_id, store_id, batch_id, sequence_start, revision, chain_id, tx_hash, block_number, anchored_at
         FROM ves_anchors a
        WHERE a.tenant_id = s.tenant_id AND a.store_id = s.store_id AND a.told_revision < a.revision
        ORDER BY a.sequence_start LIMIT ${NOTES_PER_STREAM}) note
      ORDER BY tenant_id, store_id, sequence_start`,
    [start],
  );
  const notes = rows.map((row) => ({
    stream: { tenantId: row.tenant_id, storeId: row.store_id },
    note: {
      batchId: row.batch_id,
      sequenceStart: Number(row.sequence_start),
      revision: row.revision,
      anchor:
        row.anchored_at === null
          ? null
          : {
              chainId: Number(row.chain_id),
              txHash: row.tx_hash === null ? null : new Uint8Array(row.tx_hash),
              blockNumber: row.block_number === null ? null : Number(row.block_number),
              anchoredAt: row.anchored_at.getTime(),
            },
    },
  }));
  const streams = Map.groupBy(notes, ({ stream }) => nameOf(stream));
  return [...streams.values()].flatMap((group) => {
    const [first] = group;
    return first === undefined ? [] : [{ stream: first.stream, notes: group.map(({ note }) => note) }];
  });
}

/** Needs no lease: it says what was told, and a later revision is told again. */
export async function markTold(connection: Connection, notes: readonly AnchorNote[]): Promise<void> {
  await connection.query(
    `UPDATE ves_anchors a SET told_revision = row.revision
       FROM json_to_recordset($1) AS row (batch_id uuid, revision integer)
      WHERE a.batch_id = row.batch_id AND a.told_revision < row.revision`,
    [JSON.stringify(notes.map(({ batchId, revision }) => ({ batch_id: batchId, revision })))],
  );
}

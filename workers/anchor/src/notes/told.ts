import type { Connection } from "../../../../src/mirror/postgres.ts";
import type { AnchorNote } from "../../../../src/stream/messages.ts";
import type { StreamRef } from "../../../../src/stream/stream-ref.ts";

/** Batches that are told of in one round. */
const ROUND_LIMIT = 1_000;

/** What a stream's object is to be told. */
export interface Untold {
  readonly stream: StreamRef;
  readonly notes: readonly AnchorNote[];
}

export async function readUntold(connection: Connection): Promise<Untold[]> {
  const { rows } = await connection.query<{
    tenant_id: string;
    store_id: string;
    batch_id: string;
    sequence_start: string;
    revision: number;
    status: string;
    chain_id: string | null;
    tx_hash: Buffer | null;
    block_number: string | null;
    anchored_at: Date | null;
  }>(
    `SELECT tenant_id, store_id, batch_id, sequence_start, revision, chain_id, tx_hash, block_number, anchored_at
       FROM ves_anchors WHERE told_revision < revision ORDER BY tenant_id, store_id, sequence_start LIMIT $1`,
    [ROUND_LIMIT],
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
  const streams = Map.groupBy(notes, ({ stream }) => `${stream.tenantId}/${stream.storeId}`);
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

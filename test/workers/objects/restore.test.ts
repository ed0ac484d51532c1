import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";
import {
  anchorAt,
  append,
  commit,
  event,
  expectMirrored,
  newStream,
  postgres,
  postgresUnseen,
  request,
  streamAt,
  type TestStream,
  untilMirrored,
} from "./streams.ts";

const THIS = "WHERE tenant_id = $1 AND store_id = $2";
const ids = ({ tenantId, storeId }: TestStream): [string, string] => [tenantId, storeId];

/** A stream of 60 events in three batches, mirrored; and all that its tables hold. */
async function mirroredStream(): Promise<{ stream: TestStream; tables: unknown }> {
  const stream = newStream();
  for (const end of [10, 25, 60]) {
    const start = (await stream.object.head()) + 1;
    await append(stream, start, end);
    await commit(stream, start, end);
  }
  await untilMirrored(stream, 60);
  return { stream, tables: await tablesOf(stream) };
}

function tablesOf({ stub }: TestStream): Promise<unknown> {
  return runInDurableObject(stub, (_, { storage }) =>
    ["events", "entities", "commands", "batches", "mirror_state", "anchors"].map((table) =>
      storage.sql.exec(`SELECT * FROM ${table} ORDER BY 1, 2`).toArray(),
    ),
  );
}

async function lose(stream: TestStream): Promise<void> {
  await runInDurableObject(stream.stub, (_, state) => state.storage.deleteAll());
  await evictDurableObject(stream.stub);
}

describe("restore", { timeout: 20_000 }, () => {
  test("an object that was lost is rebuilt the same to the byte, and goes on", async () => {
    const { stream, tables } = await mirroredStream();
    await lose(stream);
    expect(await stream.object.restore()).toEqual({ kind: "restored", restoredSequence: 60, totalSequence: 60 });
    expect(await tablesOf(stream)).toEqual(tables);
    expect(await stream.object.append(request([event(stream, 60)], { isNewStore: false }))).toMatchObject({
      outcomes: [{ kind: "replayed", place: { sequenceNumber: 60 } }],
    });
    await append(stream, 61, 62);
    await commit(stream, 61, 62);
    await untilMirrored(stream, 62);
    await expectMirrored(stream, 62);
    expect(await stream.object.restore()).toEqual({ kind: "refused", refusal: { kind: "not_empty", head: 62 } });
  });

  test("a restore that was cut off takes no writes until the next call completes it", async () => {
    const { stream, tables } = await mirroredStream();
    await lose(stream);
    // As it is after the first batch.
    await postgresUnseen(
      `UPDATE ves_commitments SET sequence_start = 1000 + sequence_start,
      sequence_end = 1000 + sequence_end ${THIS} AND sequence_start IN (11, 26)`,
      ...ids(stream),
    );
    expect(await stream.object.restore()).toMatchObject({
      refusal: { kind: "unverified", reason: "Postgres holds no batch that begins at 11" },
    });
    const refused = { kind: "frozen", reason: expect.stringMatching(/being restored from Postgres, 10 of/) as string };
    expect(await stream.object.append(request([event(stream, 11)], { isNewStore: false }))).toEqual(refused);
    await evictDurableObject(stream.stub);
    const again = streamAt(stream);
    expect(await again.object.append(request([event(stream, 11)]))).toEqual(refused);
    await postgresUnseen(
      `UPDATE ves_commitments SET sequence_start = sequence_start - 1000,
      sequence_end = sequence_end - 1000 ${THIS} AND sequence_start > 1000`,
      ...ids(stream),
    );
    expect(await again.object.restore()).toMatchObject({ kind: "restored" });
    expect(await tablesOf(again)).toEqual(tables);
  });

  test("calls at once restore it together, and a stream that was frozen before it was lost is so no longer", async () => {
    const { stream, tables } = await mirroredStream();
    await postgres("INSERT INTO ves_frozen_streams VALUES ($1, $2, 'for a reason of old')", ...ids(stream));
    await lose(stream);
    const results = await Promise.all([1, 2, 3].map(() => stream.object.restore()));
    expect(results.filter(({ kind }) => kind === "restored").length).toBeGreaterThan(0);
    for (const result of results) {
      if (result.kind === "refused") expect(result.refusal).toEqual({ kind: "not_empty", head: 60 });
    }
    expect(await tablesOf(stream)).toEqual(tables);
    expect(await postgres(`SELECT 1 FROM ves_frozen_streams ${THIS}`, ...ids(stream))).toEqual([]);
  });

  test("the anchors come back too, as Postgres knows them by now, and what is told meanwhile stands", async () => {
    const { stream } = await mirroredStream();
    const { batches } = await stream.object.batches({ before: 100, limit: 10 });
    const [third, second, first] = batches;
    const anchored = `UPDATE ves_anchors SET status = 'anchored', revision = $3, chain_id = 1, tx_hash = $4, block_number = $5,
      anchored_at = timestamptz 'epoch' + $6 * interval '1 millisecond' ${THIS} AND sequence_start = $7`;
    const hash = Buffer.alloc(32, 9);
    const at = 1_700_000_000_123;
    await postgres(anchored, ...ids(stream), 1, hash, 77, at, 1);
    await postgres(anchored, ...ids(stream), 3, null, null, at + 1, 11);
    await postgres(`UPDATE ves_anchors SET revision = 2 ${THIS} AND sequence_start = 26`, ...ids(stream));
    await lose(stream);
    expect(await stream.object.restore()).toMatchObject({ kind: "restored" });
    const restored = (await stream.object.batches({ before: 100, limit: 10 })).batches;
    expect(restored).toEqual([
      third,
      { ...second, anchor: { chainId: 1, txHash: null, blockNumber: null, anchoredAt: at + 1 } },
      { ...first, anchor: { chainId: 1, txHash: new Uint8Array(hash), blockNumber: 77, anchoredAt: at } },
    ]);
    expect((await stream.object.state()).anchoredSequence).toBe(25);
    // Revisions are back as well: what was told before the object was lost is told late now.
    await stream.object.noteAnchors([
      { batchId: second?.batchId ?? "", sequenceStart: 11, revision: 2, anchor: null },
      { batchId: third?.batchId ?? "", sequenceStart: 26, revision: 1, anchor: anchorAt(5) },
    ]);
    expect((await stream.object.batches({ before: 100, limit: 10 })).batches).toEqual(restored);
  });

  test("anchors come back however many there are, and those of batches that the stream does not have are left out", async () => {
    const stream = newStream();
    await append(stream, 1, 1_600);
    await commit(stream, 1, 1_500);
    const last = await commit(stream, 1_501, 1_600);
    await untilMirrored(stream, 1_600);
    await postgres(
      `INSERT INTO ves_anchors (tenant_id, store_id, sequence_start, batch_id, status, revision, chain_id, anchored_at)
       SELECT $1, $2, n, gen_random_uuid(), 'anchored', 1, 1, now() FROM generate_series(2, 1500) AS n`,
      ...ids(stream),
    );
    await postgres(
      `UPDATE ves_anchors SET status = 'anchored', chain_id = 1, anchored_at = now() ${THIS} AND sequence_start IN (1, 1501)`,
      ...ids(stream),
    );
    await lose(stream);
    await vi.waitFor(async () => expect(await stream.object.restore()).toMatchObject({ kind: "restored" }), 10_000);
    expect(await stream.object.state()).toMatchObject({ anchoredSequence: 1_600, frozenReason: null });
    expect((await stream.object.batch(last.batchId))?.anchor).toMatchObject({ chainId: 1, txHash: null });
    const rows = await runInDurableObject(stream.stub, (_, { storage }) =>
      storage.sql.exec("SELECT sequence_start FROM anchors ORDER BY 1").toArray(),
    );
    expect(rows).toEqual([{ sequence_start: 1 }, { sequence_start: 1_501 }]);
  });

  test.each([
    ["a payload", "UPDATE ves_events SET payload = '{\"n\":2}'", "AND sequence_number = 12", /event 12: its content/],
    ["a name", "UPDATE ves_events SET entity_type = 'x'", "AND sequence_number = 12", /do not lead to its Merkle root/],
    [
      "a signature",
      "UPDATE ves_events SET agent_signature = decode(repeat('08', 64), 'hex')",
      "AND sequence_number = 12",
      /Merkle root/,
    ],
    ["a missing event", "DELETE FROM ves_events", "AND sequence_number = 25", /batch 11 to 25: events are missing/],
    ["a gap", "DELETE FROM ves_events", "AND sequence_number = 12", /not numbered one after the other/],
    [
      "a Merkle root",
      "UPDATE ves_commitments SET merkle_root = prev_state_root",
      "AND sequence_start = 11",
      /Merkle root/,
    ],
    [
      "a previous root",
      "UPDATE ves_commitments SET prev_state_root = merkle_root",
      "AND sequence_start = 11",
      /not chained/,
    ],
    [
      "a state root",
      "UPDATE ves_commitments SET new_state_root = merkle_root",
      "AND sequence_start = 11",
      /state root/,
    ],
    ["a base version", "UPDATE ves_events SET base_version = 9", "AND sequence_number = 12", /at version/],
  ])("%s that was altered is not taken over, nor anything after it", async (_, statement, where, reason) => {
    const { stream } = await mirroredStream();
    await lose(stream);
    await postgresUnseen(`${statement} ${THIS} ${where}`, ...ids(stream));
    for (let attempt = 0; attempt < 2; attempt++) {
      const result = await stream.object.restore();
      expect(result).toMatchObject({
        refusal: { kind: "unverified", reason: expect.stringMatching(reason) as string },
      });
      expect(await stream.object.head()).toBe(10);
    }
    expect((await stream.object.append(request([event(stream, 11)]))).kind).toBe("frozen");
  });

  test("a stream that Postgres holds nothing of is not restored, and stays as unknown as it was", async () => {
    const stream = newStream();
    expect(await stream.object.restore()).toEqual({ kind: "refused", refusal: { kind: "not_mirrored" } });
    await append(stream, 1, 1);
    expect(await stream.object.restore()).toEqual({ kind: "refused", refusal: { kind: "not_mirrored" } });
  });
});

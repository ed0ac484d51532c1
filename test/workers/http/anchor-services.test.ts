import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { withPostgres } from "../../../src/mirror/postgres.ts";
import { type Commitment, COMMITMENTS, newLog, seal, type Stream } from "./batches.ts";
import {
  ANCHOR_AWAY,
  type Call,
  call,
  expectError,
  mint,
  type Reply,
  streamQuery,
  url,
  without,
  type Wire,
} from "./harness.ts";

const PENDING = "/v1/commitments/pending";
const HASH = "5e".repeat(32);
const CLAIM = { chain_tx_hash: HASH, chain_id: 84_532, block_number: 77 };
/** Nobody listens there. */
const AWAY = { POSTGRES: { connectionString: "postgres://nobody:nothing@127.0.0.1:9/nowhere" } };

interface Pending {
  readonly batch_id: string;
  readonly tenant_id: string;
  readonly store_id: string;
  readonly sequence_start: number;
  readonly chain_tx_hash: string | null;
}

const claim = (batchId: string, body: unknown = CLAIM, given: Call = {}): Promise<Reply<Wire>> =>
  call("POST", `/v1/commitments/${batchId}/anchored`, { body, ...given });

async function listPending(limit = 5000): Promise<readonly Pending[]> {
  const reply = await call<{ commitments: readonly Pending[]; total: number }>("GET", url(PENDING, { limit }));
  expect(reply.status).toBe(200);
  expect(reply.body.total).toBe(reply.body.commitments.length);
  return reply.body.commitments;
}

/** What is pending of these streams, in the order in which it is listed. */
async function pendingOf(...streams: readonly Stream[]): Promise<readonly Pending[]> {
  const stores = streams.map(({ storeId }) => storeId);
  return (await listPending()).filter(({ store_id: storeId }) => stores.includes(storeId));
}

async function detail(batchId: string): Promise<Wire> {
  return (await call<Wire>("GET", `${COMMITMENTS}/${batchId}`)).body;
}

async function query<Row extends object>(sql: string, values: readonly unknown[]): Promise<Row[]> {
  const { rows } = await withPostgres(env.POSTGRES, (connection) => connection.query<Row>(sql, [...values]));
  return rows;
}

interface Recorded {
  readonly status: string;
  readonly revision: number;
  readonly told_revision: number;
  readonly attempt_id: string | null;
}

async function recorded(batchId: string): Promise<Recorded | undefined> {
  const columns = "status, revision, told_revision, attempt_id";
  const [row] = await query<Recorded>(`SELECT ${columns} FROM ves_anchors WHERE batch_id = $1`, [batchId]);
  return row;
}

/** That a batch counts as anchored, and its stream knows. @returns the revision that says so */
async function expectTold(batchId: string): Promise<number> {
  const row = await recorded(batchId);
  expect(row).toEqual({
    status: "anchored",
    revision: row?.told_revision,
    told_revision: row?.revision,
    attempt_id: null,
  });
  expect(row?.revision).toBeGreaterThan(0);
  return row?.revision ?? 0;
}

/** A stream with so many batches of one event each. */
async function newBatches(
  count: number,
): Promise<{ readonly signer: Stream; readonly batches: readonly Commitment[] }> {
  const { signer } = await newLog(count);
  const batches: Commitment[] = [];
  for (let number = 1; number <= count; number++) batches.push(await seal(signer, number, number));
  return { signer, batches };
}

/** Notes that the batch is in a transaction, as the anchoring Worker does. */
async function submit(batchId: string): Promise<{ readonly attemptId: string }> {
  const [attempt] = await query<{ id: string }>(
    `INSERT INTO ves_anchor_attempts (chain_id, contract, sender, nonce, head_block)
     VALUES (1, decode(md5('contract'), 'hex'), decode(md5(random()::text), 'hex'), 0, 0) RETURNING id`,
    [],
  );
  const attemptId = attempt?.id ?? "";
  await query("UPDATE ves_anchors SET status = 'submitted', attempt_id = $2 WHERE batch_id = $1", [batchId, attemptId]);
  return { attemptId };
}

async function send(attemptId: string, txHash: string, createdAt: string): Promise<void> {
  await query(
    `INSERT INTO ves_anchor_transactions (tx_hash, attempt_id, max_fee_per_gas, max_priority_fee_per_gas, created_at)
     VALUES (decode($1, 'hex'), $2, 1, 1, $3)`,
    [txHash, attemptId, createdAt],
  );
}

describe("pending commitments", () => {
  it("are the batches of all tenants that are not anchored, with 0x before their hex", async () => {
    const [one, other] = [await newBatches(2), await newBatches(1)];
    const listed = await pendingOf(one.signer, other.signer);
    const hex = (text: string): string => `0x${text}`;
    expect(listed).toEqual(
      [...one.batches, ...other.batches].map((batch) => ({
        batch_id: batch.batch_id,
        tenant_id: batch.tenant_id,
        store_id: batch.store_id,
        prev_state_root: hex(batch.prev_state_root),
        new_state_root: hex(batch.new_state_root),
        events_root: hex(batch.merkle_root),
        sequence_start: batch.sequence_start,
        sequence_end: batch.sequence_end,
        event_count: batch.leaf_count,
        committed_at: batch.committed_at,
        chain_tx_hash: null,
      })),
    );
  });

  it("are listed in each stream's order even when a clock went back, and a limit cuts no stream's beginning off", async () => {
    const { signer, batches } = await newBatches(4);
    const first = batches[0]?.committed_at ?? "";
    // The record that rows were changed by hand goes too, so that the stream does not freeze.
    await query(
      `UPDATE ves_commitments SET committed_at = $3::timestamptz - interval '10 years' * sequence_start
        WHERE tenant_id = $1 AND store_id = $2`,
      [signer.tenantId, signer.storeId, first],
    );
    await query("DELETE FROM ves_alterations WHERE tenant_id = $1 AND store_id = $2", [
      signer.tenantId,
      signer.storeId,
    ]);
    expect((await pendingOf(signer)).map(({ sequence_start }) => sequence_start)).toEqual([1, 2, 3, 4]);
    const oldest = (await listPending(2)).map(({ store_id, sequence_start }) => [store_id, sequence_start]);
    expect(oldest).toEqual([1, 2].map((number) => [signer.storeId, number]));
    for (const { batch_id: batchId } of batches) expect((await claim(batchId)).status).toBe(200);
  });

  it("name the transaction that carries them: the one that was mined, or the last that was sent", async () => {
    const { signer, batches } = await newBatches(1);
    const batchId = batches[0]?.batch_id ?? "";
    const transaction = async (): Promise<unknown> => (await pendingOf(signer))[0]?.chain_tx_hash;
    const { attemptId } = await submit(batchId);
    expect(await transaction()).toBe(null);
    const [sent, replaced] = [HASH, HASH].map(() => crypto.randomUUID().replaceAll("-", "").repeat(2));
    await send(attemptId, sent ?? "", "2026-01-02T00:00:00Z");
    await send(attemptId, replaced ?? "", "2026-01-01T00:00:00Z");
    expect(await transaction()).toBe(`0x${sent}`);
    await query("UPDATE ves_anchor_attempts SET tx_hash = decode($2, 'hex') WHERE id = $1", [attemptId, replaced]);
    expect(await transaction()).toBe(`0x${replaced}`);
    expect((await claim(batchId)).body).toMatchObject({ status: "anchored" });
    expect(await pendingOf(signer)).toEqual([]);
    await expectTold(batchId);
  });

  it("are at most so many", async () => {
    await newBatches(2);
    expect(await listPending(1)).toHaveLength(1);
    for (const limit of [0, -1, "x"]) {
      expectError(await call("GET", url(PENDING, { limit })), "INVALID_FIELD_VALUE", /^limit: /);
    }
  });

  it("cannot be had without Postgres", async () => {
    const none = await call("GET", PENDING, { settings: { POSTGRES: undefined } });
    const message = "This deployment has no binding POSTGRES: batches are anchored from there";
    expectError(none, "ANCHOR_NOT_CONFIGURED", message);
    const away = await call("GET", PENDING, { settings: AWAY });
    expectError(away, "SERVICE_UNAVAILABLE", "Postgres cannot be reached: repeat the request");
  });
});

describe("the word of an external service, where this deployment anchors nothing", () => {
  it("is taken, and what is asked about the batch and its stream says so", async () => {
    const { signer, batches } = await newBatches(2);
    const { batch_id: batchId } = batches[0] ?? { batch_id: "" };
    expect(await detail(batchId)).toMatchObject({ is_anchored: false, chain_tx_hash: null });
    expect((await claim(batchId)).body).toEqual({
      batch_id: batchId,
      status: "anchored",
      chain_tx_hash: `0x${HASH}`,
      chain_id: 84_532,
      block_number: 77,
    });
    expect(await detail(batchId)).toMatchObject({
      is_anchored: true,
      chain_id: 84_532,
      chain_tx_hash: HASH,
      chain_block_number: 77,
      anchored_at: expect.stringMatching(/^20\d\d-/) as string,
    });
    const head = await call("GET", url("/api/v1/ves/head", streamQuery(signer)));
    expect(head.body).toMatchObject({ sealed_sequence: 2, anchored_sequence: 1 });
    expect((await pendingOf(signer)).map(({ batch_id }) => batch_id)).toEqual([batches[1]?.batch_id]);
    await expectTold(batchId);
  });

  it("may be repeated, and changes nothing then; another transaction is refused", async () => {
    const { batches } = await newBatches(1);
    const { batch_id: batchId } = batches[0] ?? { batch_id: "" };
    const spelled = [`0x${HASH}`, HASH.toUpperCase(), `0x${HASH.toUpperCase()}`];
    expect((await claim(batchId, without(CLAIM, "block_number"))).body).toMatchObject({
      status: "anchored",
      block_number: null,
    });
    const revision = await expectTold(batchId);
    for (const chainTxHash of spelled) {
      expect((await claim(batchId, { chainTxHash, chainId: 84_532, gasUsed: 21_000 })).body).toEqual({
        batch_id: batchId,
        status: "already_anchored",
        chain_tx_hash: `0x${HASH}`,
        chain_id: 84_532,
        block_number: null,
      });
    }
    const other = await claim(batchId, { ...CLAIM, chain_tx_hash: "00".repeat(32) });
    expectError(other, "ALREADY_EXISTS", `Batch ${batchId} is anchored by transaction 0x${HASH}`);
    expect(await expectTold(batchId)).toBe(revision);
    expect(await detail(batchId)).toMatchObject({ chain_tx_hash: HASH });
  });

  it("is taken in the order of a stream's batches alone", async () => {
    const { signer, batches } = await newBatches(3);
    const ids = batches.map(({ batch_id }) => batch_id);
    const [first = "", second = "", third = ""] = ids;
    const expectNext = async (batchId: string, next: string, start: number): Promise<void> => {
      const order = "a contract takes a stream's batches in their order";
      const message = `Batch ${next}, which begins at ${start}, comes first: ${order}`;
      expectError(await claim(batchId), "INTEGRITY_VIOLATION", message);
    };
    await expectNext(third, first, 1);
    await expectNext(second, first, 1);
    expect((await claim(first)).body).toMatchObject({ status: "anchored" });
    await expectNext(third, second, 2);
    expect((await claim(second)).body).toMatchObject({ status: "anchored" });
    expect((await claim(third)).body).toMatchObject({ status: "anchored" });
    const head = await call("GET", url("/api/v1/ves/head", streamQuery(signer)));
    expect(head.body).toMatchObject({ anchored_sequence: 3 });
  });

  it("is taken once when several give another one at the same time", async () => {
    const { batches } = await newBatches(1);
    const { batch_id: batchId } = batches[0] ?? { batch_id: "" };
    const hashes = Array.from({ length: 6 }, (_, at) => `${at}${at}`.repeat(32));
    const replies = await Promise.all(hashes.map((hash) => claim(batchId, { ...CLAIM, chain_tx_hash: hash })));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 409)).toHaveLength(5);
    const taken = hashes[replies.findIndex(({ status }) => status === 200)];
    expect(await detail(batchId)).toMatchObject({ is_anchored: true, chain_tx_hash: taken });
    await expectTold(batchId);
  });

  it("stands even when the stream cannot be told, and a repetition tells it", async () => {
    const { batches } = await newBatches(1);
    const { batch_id: batchId } = batches[0] ?? { batch_id: "" };
    const lost = (): never => {
      throw new Error("the stream is away");
    };
    const settings = { STREAMS: { idFromName: lost } };
    expect((await claim(batchId, CLAIM, { settings })).body).toMatchObject({ status: "anchored" });
    expect(await recorded(batchId)).toMatchObject({ status: "anchored", told_revision: 0 });
    expect(await detail(batchId)).toMatchObject({ is_anchored: false });
    expect((await claim(batchId)).body).toMatchObject({ status: "already_anchored" });
    await expectTold(batchId);
    expect(await detail(batchId)).toMatchObject({ is_anchored: true, chain_tx_hash: HASH });
  });

  it("is refused for an unknown batch, and when it makes no sense", async () => {
    const { batches } = await newBatches(1);
    const { batch_id: batchId } = batches[0] ?? { batch_id: "" };
    const unknown = crypto.randomUUID();
    expectError(await claim(unknown), "BATCH_NOT_FOUND", `Postgres holds no batch ${unknown}`);
    expectError(await claim("x"), "INVALID_FIELD_VALUE", "batch_id: expected a UUID");
    for (const hash of ["", "0x", HASH.slice(2), `${HASH}00`, `0X${HASH}`, "zz".repeat(32)]) {
      expectError(await claim(batchId, { ...CLAIM, chain_tx_hash: hash }), "INVALID_FIELD_VALUE", /^chainTxHash: /);
    }
    for (const chainId of [-1, 2 ** 32]) {
      const message = "chainId: expected a number from 0 to 4294967295";
      expectError(await claim(batchId, { ...CLAIM, chain_id: chainId }), "INVALID_FIELD_VALUE", message);
    }
    for (const change of [{ chain_id: 1.5 }, { chain_id: "1" }, { chain_tx_hash: 1 }, { block_number: -1 }]) {
      expectError(await claim(batchId, { ...CLAIM, ...change }), "UNPROCESSABLE", /^(chain(Id|TxHash)|blockNumber): /);
    }
    expectError(await claim(batchId, without(CLAIM, "chain_id")), "UNPROCESSABLE", /^chainId: /);
    expect(await recorded(batchId)).toMatchObject({ status: "pending", revision: 0 });
  });
});

it("takes no word while it cannot be known whether this deployment anchors", async () => {
  const { batches } = await newBatches(1);
  const { batch_id: batchId } = batches[0] ?? { batch_id: "" };
  const reply = await claim(batchId, CLAIM, { settings: ANCHOR_AWAY });
  expectError(reply, "SERVICE_UNAVAILABLE", "The anchoring Worker cannot be reached");
  expect(await recorded(batchId)).toMatchObject({ status: "pending", revision: 0 });
});

it("is for the bootstrap administrator alone, whether or not a batch exists", async () => {
  const { signer } = await newLog(1);
  const { batch_id: batchId } = await seal(signer, 1, 1);
  for (const key of [await mint(signer, { admin: true }), await mint(signer), await mint(signer, { readOnly: true })]) {
    const replies = [
      await call("GET", PENDING, { key }),
      await claim(batchId, CLAIM, { key }),
      await claim(crypto.randomUUID(), CLAIM, { key }),
    ];
    for (const reply of replies) {
      expectError(reply, "INSUFFICIENT_PERMISSIONS", "Bootstrap administrator required");
    }
  }
  expect(await recorded(batchId)).toMatchObject({ status: "pending" });
});

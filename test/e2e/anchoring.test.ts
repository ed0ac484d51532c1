import { setTimeout as sleep } from "node:timers/promises";
import { bytesToHex, type Hex } from "viem";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { call } from "../../scripts/lib/client.ts";
import { envelopeSchema, eventSigningHash } from "../../src/ves/index.ts";
import { uuidWord } from "../support/anchor-batches.ts";
import { type AnchoredServer, startAnchoredServer } from "./support/anchored-server.ts";
import { type AnchoredStream, newAnchoredStream } from "./support/anchored-stream.ts";
import { removeTempDirs, waitUntil } from "./support/processes.ts";

/*
 * Both Workers, a chain with the contract, and a database, from an event that is pushed to the contract that finds it.
 */

const CHAIN_ID = 31_337;
/** What Postgres counts more of with each step of a run: a server is killed a moment after each of them. */
const STEPS = {
  "a run holds the lease": "ves_anchor_state WHERE lease_holder IS NOT NULL",
  "a transaction is noted": "ves_anchor_transactions",
  "a transaction is sent": "ves_anchor_transactions WHERE sent_at IS NOT NULL",
  "a block holds a transaction": "ves_anchor_attempts WHERE block_number IS NOT NULL",
  "a batch is final": "ves_anchors WHERE status = 'anchored'",
  "a stream is told": "ves_anchors WHERE told_revision > 0",
};
const TIMES_EACH = process.env["LONG_TESTS"] === "1" ? 4 : 1;
const MAX_MOMENT_MS = 30;

let place: AnchoredServer;

beforeAll(async () => {
  place = await startAnchoredServer(inject("postgresUrl"));
});
afterAll(async () => {
  await place.close();
  removeTempDirs();
});

const newStream = (): Promise<AnchoredStream> => newAnchoredStream(place.server);
/** One run of the Cron Trigger, on a chain that goes on meanwhile. */
const runCron = (): Promise<void> => place.whileMining(() => place.server().runCron());

const post = (path: string, body: object): Promise<Record<string, unknown>> => call(place.server(), "POST", path, body);

/** What the contract says of each of the stream's events, as their agent signed them. */
async function verifyEvents(stream: AnchoredStream, alter: (hash: Hex) => Hex = (hash) => hash): Promise<boolean[]> {
  const answers: boolean[] = [];
  for (const [index, event] of stream.events.entries()) {
    const proof = await call<{ batch_id: string; proof_path: string[] }>(
      place.server(),
      "GET",
      `/api/v1/ves/proofs/${index + 1}?${stream.ids}`,
    );
    const args = [
      uuidWord(proof.batch_id),
      BigInt(index + 1),
      alter(bytesToHex(eventSigningHash(envelopeSchema.parse(event)))),
      `0x${event.agent_signature.replace(/^0x/, "")}`,
      proof.proof_path.map((hash): Hex => `0x${hash}`),
    ] as const;
    answers.push(await place.chain.readContract({ ...place.contract, functionName: "verifyEvent", args }));
  }
  return answers;
}

/** That the contract, its transactions, Postgres and the HTTP API agree on every batch of the stream. @throws */
async function expectAgreement(stream: AnchoredStream): Promise<void> {
  const { chain, contract, database } = place;
  const batches = await stream.batches();
  expect(await stream.batches(true)).toEqual(batches);
  expect(await stream.batches(false)).toEqual([]);
  expect(await stream.anchoredSequence()).toBe(stream.events.length);
  const rows = await database.query(
    `SELECT batch_id, status, encode(tx_hash, 'hex') AS tx_hash, block_number::integer, told_revision = revision AS told
       FROM ves_anchors WHERE tenant_id = '${stream.tenantId}' AND store_id = '${stream.storeId}' ORDER BY sequence_start`,
  );
  expect(rows.map((row) => row["batch_id"])).toEqual(batches);
  for (const [index, batchId] of batches.entries()) {
    const told = await stream.commitment(batchId);
    expect(told).toMatchObject({ is_anchored: true, chain_id: CHAIN_ID });
    const { chain_tx_hash: hash, chain_block_number: block } = told;
    expect(rows[index]).toMatchObject({ status: "anchored", tx_hash: hash, block_number: block, told: true });
    const receipt = await chain.getTransactionReceipt({ hash: `0x${hash}` });
    expect([receipt.status, receipt.to, Number(receipt.blockNumber)]).toEqual([
      "success",
      contract.address.toLowerCase(),
      block,
    ]);
    const [tenant, store, eventsRoot, stateRoot, start, end, , anchoredAt] = await chain.readContract({
      ...contract,
      functionName: "getCommitment",
      args: [uuidWord(batchId)],
    });
    expect([tenant, store]).toEqual([uuidWord(stream.tenantId), uuidWord(stream.storeId)]);
    expect([eventsRoot, stateRoot]).toEqual([`0x${told.merkle_root}`, `0x${told.new_state_root}`]);
    expect([Number(start), Number(end)]).toEqual([told.sequence_start, told.sequence_end]);
    expect(Date.parse(told.anchored_at ?? "")).toBe(Number(anchoredAt) * 1_000);
    const verified = await call(place.server(), "GET", `/api/v1/ves/anchor/${batchId}/verify?${stream.ids}`);
    expect(verified).toMatchObject({ anchored_on_chain: true, mismatch: false, is_final: true, chain_id: CHAIN_ID });
  }
}

test("every sealed event is found by the contract, and every answer agrees with it, also after a restart", async () => {
  const stream = await newStream();
  for (const count of [3, 5, 1]) await stream.seal(count);
  const [first = ""] = await stream.batches(false);
  expect(await stream.batches(true)).toEqual([]);
  expect(await stream.anchoredSequence()).toBe(0);
  expect(await stream.commitment(first)).toMatchObject({ is_anchored: false, chain_tx_hash: null, anchored_at: null });
  const path = `/api/v1/ves/anchor/${first}/verify?${stream.ids}`;
  expect(await call(place.server(), "GET", path)).toMatchObject({ anchored_on_chain: false, mismatch: false });

  await runCron();
  await expectAgreement(stream);
  expect(await verifyEvents(stream)).toEqual(Array.from({ length: 9 }, () => true));
  const altered = await verifyEvents(stream, (hash) => `${hash.slice(0, -1)}${hash.endsWith("0") ? "1" : "0"}` as Hex);
  expect(altered).toEqual(Array.from({ length: 9 }, () => false));

  await place.restart();
  await expectAgreement(stream);
});

test("a batch is anchored when it is asked for, and final later", async () => {
  const stream = await newStream();
  const batchId = await stream.seal(2);
  const anchored = await post("/api/v1/ves/anchor", { batchId });
  expect(anchored).toMatchObject({ batch_id: batchId, status: "anchored", is_final: false, chain_id: CHAIN_ID });
  expect(await stream.anchoredSequence()).toBe(0);

  await stream.push(3);
  const { tenantId, storeId } = stream;
  const sealed = await place.whileMining(() => post("/api/v1/ves/commitments/anchor", { tenantId, storeId }));
  expect(sealed).toMatchObject({ status: "anchored", sequence_start: 3, sequence_end: 5 });
  await runCron();
  await expectAgreement(stream);
  expect(await post("/api/v1/ves/anchor", { batchId })).toEqual({
    ...anchored,
    status: "already_anchored",
    is_final: true,
  });
});

test(
  "kill -9 in the middle of anchoring leaves every batch anchored once",
  async () => {
    const streams = [await newStream(), await newStream()];
    const cutOff: boolean[] = [];
    for (const [step, counted] of Array.from({ length: TIMES_EACH }, () => Object.entries(STEPS)).flat()) {
      for (const stream of streams) await stream.seal(2);
      cutOff.push(await place.whileMining(() => killAfter(step, counted)));
    }
    // The last steps may be a run's end. Else this test would not have tested what it says.
    expect(cutOff.filter(Boolean).length).toBeGreaterThan(cutOff.length / 2);

    await runCron();
    for (const stream of streams) {
      await expectAgreement(stream);
      expect(new Set(await verifyEvents(stream))).toEqual(new Set([true]));
    }
    const { chain, contract, database } = place;
    const [counts] = await database.query(
      `SELECT count(*)::integer AS batches, (SELECT count(*)::integer FROM ves_anchor_attempts WHERE status = 'open') AS open
       FROM ves_commitments`,
    );
    expect(counts?.["open"]).toBe(0);
    expect(await chain.readContract({ ...contract, functionName: "getAnchoredCount" })).toBe(
      BigInt(Number(counts?.["batches"])),
    );
    const logs = await chain.getContractEvents({
      ...contract,
      eventName: "CommitmentAnchored",
      fromBlock: 0n,
      strict: true,
    });
    expect(logs).toHaveLength(Number(counts?.["batches"]));
  },
  120_000 * TIMES_EACH,
);

/** Kills the server in a run, once there is more of what is counted, and starts it again. @returns whether the run was cut off */
async function killAfter(step: string, counted: string): Promise<boolean> {
  const count = async (): Promise<number> => {
    const [row] = await place.database.query(`SELECT count(*)::integer AS count FROM ${counted}`);
    return Number(row?.["count"]);
  };
  const before = await count();
  let isOver = false;
  const run = place
    .server()
    .runCron()
    .then(
      () => false,
      () => true,
    )
    .finally(() => (isOver = true));
  await waitUntil(async () => isOver || (await count()) > before, 60_000, step);
  await sleep(Math.random() * MAX_MOMENT_MS);
  await place.restart();
  return run;
}

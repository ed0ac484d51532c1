import { expect, it } from "vitest";
import { fromHex } from "../../../src/ves/index.ts";
import { commit, type Commitment, COMMITMENTS, expectProof, newLog, type Proof, seal } from "./batches.ts";
import {
  call,
  expectError,
  expectNothingStored,
  newAgent,
  type Reply,
  streamQuery,
  url,
  type Wire,
} from "./harness.ts";

const OLD = "/api/v1/commitments";

/** What the older family adds to a commitment. */
function named(batch: Commitment) {
  return { ...batch, events_root: batch.merkle_root, event_count: batch.leaf_count };
}

function expectSuccessor({ headers }: Reply, successor: string): void {
  expect(headers.get("deprecation")).toBe("true");
  expect(headers.get("sunset")).toMatch(/GMT$/);
  expect(headers.get("link")).toBe(`<${successor}>; rel="successor-version"`);
}

it("POST seals the same batches under both families' names", async () => {
  const { signer } = await newLog(5);
  const old = await commit(signer, 1, 3, { path: OLD });
  expectSuccessor(old, COMMITMENTS);
  const { body: same } = await commit(signer, 1, 3);
  expect(old.body).toEqual(named(same));
  const next = await seal(signer, 4, 5);
  expect(next.prev_state_root).toBe(same.new_state_root);
  expect((await commit(signer, 4, 5, { path: OLD })).body).toEqual(named(next));
});

it("POST refuses what the other family refuses, in the same words", async () => {
  const { signer } = await newLog(4);
  await seal(signer, 1, 2);
  for (const [start, end] of [
    [2, 1],
    [3, 5],
    [1, 4],
    [2, 4],
    [4, 4],
    [0, 4],
  ]) {
    const [old, now] = [await commit(signer, start, end, { path: OLD }), await commit(signer, start, end)];
    const { code, message } = now.body as unknown as { code: "INVALID_FIELD_VALUE"; message: string };
    expect(old.status).toBe(now.status);
    expect(now.status).toBeGreaterThanOrEqual(400);
    expectError(old, code, message);
    expectSuccessor(old, COMMITMENTS);
  }
  const unknown = await newAgent();
  expectError(
    await commit(unknown, 1, 1, { path: OLD }),
    "INVALID_FIELD_VALUE",
    "sequenceEnd 1 lies above the head, 0",
  );
  await expectNothingStored(unknown);
});

it("GET lists them, newest first, in pages", async () => {
  const { signer } = await newLog(3);
  const [first, second] = [await seal(signer, 1, 2), await seal(signer, 3, 3)];
  const all = await call("GET", url(OLD, streamQuery(signer)));
  expectSuccessor(all, COMMITMENTS);
  expect(all.body).toEqual({
    commitments: [named(second), named(first)],
    count: 2,
    has_more: false,
    next_before: null,
  });
  const page = await call("GET", url(OLD, { ...streamQuery(signer), limit: 1 }));
  expect(page.body).toEqual({ commitments: [named(second)], count: 1, has_more: true, next_before: 3 });
  const anchored = await call("GET", url(OLD, { ...streamQuery(signer), anchored: "true" }));
  expect(anchored.body).toMatchObject({ commitments: [], count: 0 });
});

it("GET gives one, its roots as bytes", async () => {
  const { signer } = await newLog(3);
  const batch = await seal(signer, 1, 3);
  const bytes = (hex: string): number[] => Array.from(fromHex(hex, 32));
  const successor = `${COMMITMENTS}/${batch.batch_id}`;
  for (const path of [`${OLD}/${batch.batch_id}`, url(`${OLD}/${batch.batch_id}`, streamQuery(signer))]) {
    const reply = await call("GET", path);
    expectSuccessor(reply, successor);
    expect(reply.body).toEqual({
      ...batch,
      start_sequence: 1,
      end_sequence: 3,
      event_count: 3,
      sequence_range: [1, 3],
      prev_state_root: bytes(batch.prev_state_root),
      new_state_root: bytes(batch.new_state_root),
      events_root: bytes(batch.merkle_root),
      chain_id: null,
      chain_tx_hash: null,
      chain_block_number: null,
      anchored_at: null,
    });
  }
});

it("GET gives proofs, with the root under both names", async () => {
  const { signer, log } = await newLog(4);
  const batch = await seal(signer, 1, 3);
  for (const [index, wire] of log.slice(0, 3).entries()) {
    const query = { ...streamQuery(signer), batch_id: batch.batch_id };
    const reply = await call<Proof & Wire>("GET", url(`/api/v1/proofs/${index + 1}`, query));
    expectSuccessor(reply, `/api/v1/ves/proofs/${index + 1}`);
    expectProof(reply.body, signer, wire, index + 1, log[index + 1] ?? {});
    const { events_root: eventsRoot, ...proof } = reply.body;
    expect(eventsRoot).toBe(batch.merkle_root);
    const { body } = await call("GET", url(`/api/v1/ves/proofs/${index + 1}`, streamQuery(signer)));
    expect(proof).toEqual(body);
  }
  const verify = await call("POST", "/api/v1/proofs/verify", {
    body: { leaf_hash: "00".repeat(32), events_root: "00".repeat(32), proof_path: [], leaf_index: 0 },
  });
  expectSuccessor(verify, "/api/v1/ves/proofs/verify");
});

import { describe, expect, it } from "vitest";
import type { Anchor } from "../../../src/stream/messages.ts";
import { ZERO_32 } from "../../../src/ves/index.ts";
import {
  commit,
  type Commitment,
  type CommitmentList,
  COMMITMENTS,
  newLog,
  seal,
  type Stream,
  stubOf,
  tellAnchor,
} from "./batches.ts";
import { call, event, expectError, ingest, type Reply, streamQuery, url, type Wire } from "./harness.ts";

const OLD = "/api/v1/commitments";
const ANCHOR: Anchor = {
  chainId: 84_532,
  txHash: new Uint8Array(32).fill(0xab),
  blockNumber: 12_345_678,
  anchoredAt: Date.UTC(2026, 0, 2, 3, 4, 5),
};
const ON_CHAIN = {
  is_anchored: true,
  chain_id: 84_532,
  chain_tx_hash: "ab".repeat(32),
  chain_block_number: 12_345_678,
  anchored_at: "2026-01-02T03:04:05.000+00:00",
};
const NOT_ON_CHAIN = {
  is_anchored: false,
  chain_id: null,
  chain_tx_hash: null,
  chain_block_number: null,
  anchored_at: null,
};

async function details(path: string, { batch_id: id }: Commitment): Promise<Wire> {
  return (await call<Wire>("GET", `${path}/${id}`)).body;
}

async function head(stream: Stream): Promise<Wire> {
  return (await call<Wire>("GET", url("/api/v1/ves/head", streamQuery(stream)))).body;
}

describe("an anchored batch", () => {
  it("is told with its place on chain in both families, until a reorganisation takes it away", async () => {
    const { signer } = await newLog(3);
    const batch = await seal(signer, 1, 3);
    await tellAnchor(batch, 1, ANCHOR);
    expect(await details(COMMITMENTS, batch)).toMatchObject({ ...batch, ...ON_CHAIN });
    const bytes = Array.from({ length: 32 }, () => 0xab);
    expect(await details(OLD, batch)).toMatchObject({ ...ON_CHAIN, chain_tx_hash: bytes });
    const anchored = { ...batch, is_anchored: true };
    expect((await commit(signer, 1, 3)).body).toEqual(anchored);
    expect((await commit(signer, 1, 3, { path: OLD })).body).toMatchObject(anchored);
    expect(await head(signer)).toMatchObject({ anchored_sequence: 3, latest_commitment: anchored });

    await tellAnchor(batch, 2, null);
    expect(await details(COMMITMENTS, batch)).toMatchObject({ ...batch, ...NOT_ON_CHAIN });
    expect(await details(OLD, batch)).toMatchObject(NOT_ON_CHAIN);
    expect(await head(signer)).toMatchObject({ anchored_sequence: 0, latest_commitment: batch });
  });

  it("of which the transaction was not found is told without it", async () => {
    const { signer } = await newLog(1);
    const batch = await seal(signer, 1, 1);
    await tellAnchor(batch, 1, { ...ANCHOR, txHash: null, blockNumber: null });
    const expected = { ...ON_CHAIN, chain_tx_hash: null, chain_block_number: null };
    for (const path of [COMMITMENTS, OLD]) expect(await details(path, batch)).toMatchObject(expected);
  });
});

describe("the list of a stream's batches by whether they are anchored", () => {
  it.each([COMMITMENTS, OLD])("is paged as the whole list is: %s", async (path) => {
    const { signer } = await newLog(6);
    const sealed: Commitment[] = [];
    for (let n = 1; n <= 6; n++) sealed.unshift(await seal(signer, n, n));
    for (const batch of sealed.slice(2)) await tellAnchor(batch, 1, ANCHOR);
    expect(await head(signer)).toMatchObject({ anchored_sequence: 4, sealed_sequence: 6 });

    const walk = async (anchored: string): Promise<unknown[]> => {
      const starts: unknown[] = [];
      let before: number | null = 2 ** 53 - 1;
      while (before !== null) {
        const page = url(path, { ...streamQuery(signer), anchored, before, limit: 2 });
        const { body }: Reply<CommitmentList> = await call("GET", page);
        for (const batch of body.commitments) expect(batch.is_anchored).toBe(anchored === "true");
        expect(body.count).toBe(body.commitments.length);
        starts.push(...body.commitments.map((batch) => batch.sequence_start));
        before = body.next_before;
      }
      return starts;
    };
    expect(await walk("true")).toEqual([4, 3, 2, 1]);
    expect(await walk("false")).toEqual([6, 5]);
    const all = await call<CommitmentList>("GET", url(path, streamQuery(signer)));
    expect(all.body.commitments.map((batch) => batch.is_anchored)).toEqual([false, false, true, true, true, true]);
  });
});

describe("a stream in conflict with the chain", () => {
  it("503 for writes, with what was found; reads go on and its head says it, until both agree again", async () => {
    const { signer, log } = await newLog(3);
    const batch = await seal(signer, 1, 2);
    const stub = stubOf(signer);
    await stub.compareWithChain({ latestSequence: 3, stateRoot: new Uint8Array(32).fill(1) });
    const reason =
      "the contract holds a batch that ends at 3, and this stream does not: it was begun anew, or two deployments anchor it";
    const message = `The stream is frozen for writing, reads go on: ${reason}`;
    const refused = await ingest(signer, [await event(signer)]);
    expectError(refused, "STREAM_FROZEN", message);
    expect(refused.headers.get("retry-after")).toBe("60");
    for (const path of [COMMITMENTS, OLD]) expectError(await commit(signer, 3, 3, { path }), "STREAM_FROZEN", message);
    expect((await commit(signer, 1, 2)).body).toEqual(batch);
    expect((await ingest(signer, [log[2]])).body).toMatchObject({ headSequence: 3 });
    expect(await head(signer)).toMatchObject({ head_sequence: 3, sealed_sequence: 2, frozen: reason });

    await stub.compareWithChain({ latestSequence: 0, stateRoot: ZERO_32 });
    expect(await head(signer)).toMatchObject({ frozen: null });
    expect((await ingest(signer, [await event(signer)])).body).toMatchObject({ eventsAccepted: 1, headSequence: 4 });
  });
});

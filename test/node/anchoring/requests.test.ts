import { beforeEach, describe, expect, test } from "vitest";
import { hasAnvil } from "../../../scripts/lib/anvil.ts";
import type { ChainAnswer, ExpectedBatch } from "../../../src/anchor/messages.ts";
import type { StoredBatch } from "../../../src/stream/messages.ts";
import { anchorNow } from "../../../workers/anchor/src/anchor-now.ts";
import { verifyOnChain } from "../../../workers/anchor/src/verify.ts";
import { anchorAll } from "../../../workers/anchor/src/run.ts";
import { asOwner, CONFIRMATIONS, query, SEQUENCER, type World, type WorldStream } from "../../support/anchor-world.ts";
import { withWorlds } from "../../support/anchor-worlds.ts";

/** Long enough for everything that does not wait for something else. */
const LONG_MS = 10_000;
/** Over after a round or two. */
const SHORT_MS = 700;

describe.skipIf(!hasAnvil())("what is asked of the anchoring Worker", { timeout: 30_000 }, () => {
  let world: World;
  let stream: WorldStream;
  let batch: StoredBatch;
  withWorlds((fresh) => (world = fresh));
  beforeEach(async () => {
    stream = world.stream();
    batch = await stream.seal();
  });

  describe("to anchor a batch now", () => {
    test("it is sent, and answered for as soon as it is in a block", async () => {
      const result = await anchorNow(world.place, stream, batch.batchId, LONG_MS);
      expect(result).toMatchObject({ kind: "anchored", wasThere: false, place: { chainId: 31_337, isFinal: false } });
      const place = result.kind === "anchored" ? result.place : null;
      const receipt = await world.chain.getTransactionReceipt({
        hash: `0x${Buffer.from(place?.txHash ?? []).toString("hex")}`,
      });
      expect(receipt.blockNumber).toBe(BigInt(place?.blockNumber ?? 0));
      expect(await anchorNow(world.place, stream, batch.batchId, LONG_MS)).toEqual(result);
      await world.settle();
      const final = { ...place, isFinal: true };
      expect(await anchorNow(world.place, stream, batch.batchId, LONG_MS)).toEqual({
        kind: "anchored",
        wasThere: true,
        place: final,
      });
      expect(await world.differences()).toEqual([]);
    });

    test("the batches before it in its stream go with it", async () => {
      await stream.seal();
      const last = await stream.seal();
      expect(await anchorNow(world.place, stream, last.batchId, LONG_MS)).toMatchObject({ kind: "anchored" });
      expect(await world.anchoredCount()).toBe(3);
    });

    test("its stream goes before those that have waited longer", async () => {
      const last = world.stream();
      const lastBatch = await last.seal();
      const place = { ...world.place, settings: { ...world.place.settings, maxBatchesPerTransaction: 1 } };
      await world.call("evm_setAutomine", false);
      await anchorNow(place, last, lastBatch.batchId, SHORT_MS);
      const [first] = await query(
        world,
        "SELECT batch_id FROM ves_anchors JOIN ves_anchor_attempts t ON t.id = attempt_id ORDER BY nonce LIMIT 1",
        [],
      );
      expect(first).toEqual({ batch_id: lastBatch.batchId });
    });

    test("a transaction that is in no block in time is answered as submitted", async () => {
      await world.call("evm_setAutomine", false);
      const result = await anchorNow(world.place, stream, batch.batchId, SHORT_MS);
      expect(result).toMatchObject({ kind: "submitted", txHash: expect.any(Uint8Array) });
      await world.settle();
      expect(await world.differences()).toEqual([]);
    });

    test("what somebody else has anchored is answered as anchored, though no transaction of this program holds it", async () => {
      await world.anchorAsOther([{ stream, ...batch }]);
      expect(await anchorNow(world.place, stream, batch.batchId, LONG_MS)).toEqual({
        kind: "anchored",
        wasThere: false,
        place: { chainId: 31_337, txHash: null, blockNumber: null, isFinal: false },
      });
    });

    test("what the contract refuses is answered with the reason, also when it was refused before", async () => {
      await asOwner(world, { functionName: "revokeSequencer", args: [SEQUENCER.address] });
      for (let times = 0; times < 2; times++) {
        expect(await anchorNow(world.place, stream, batch.batchId, LONG_MS)).toEqual({
          kind: "refused",
          reason: `${SEQUENCER.address} is not an authorised sequencer, or the stream is pinned to others`,
        });
      }
      await asOwner(world, { functionName: "authorizeSequencer", args: [SEQUENCER.address] });
      // Whoever asks does not wait until it is tried again by itself.
      expect(await anchorNow(world.place, stream, batch.batchId, LONG_MS)).toMatchObject({ kind: "anchored" });
    });

    test("a batch behind one that is refused is refused for the same reason", async () => {
      const second = await stream.seal();
      await asOwner(world, { functionName: "revokeSequencer", args: [SEQUENCER.address] });
      expect(await anchorNow(world.place, stream, second.batchId, LONG_MS)).toMatchObject({ kind: "refused" });
    });

    test("a batch that Postgres does not have is not mirrored, also when another stream has it", async () => {
      expect(await anchorNow(world.place, stream, crypto.randomUUID(), LONG_MS)).toEqual({ kind: "not_mirrored" });
      expect(await anchorNow(world.place, world.stream(), batch.batchId, LONG_MS)).toEqual({ kind: "not_mirrored" });
    });

    test("a chain that cannot be reached is said to be, and a receipt alone is not believed", async () => {
      world.proxy.interfere = () => ({ kind: "cut" });
      expect(await anchorNow(world.place, stream, batch.batchId, SHORT_MS)).toEqual({
        kind: "unavailable",
        message: "The chain cannot be used now",
      });
      world.proxy.rest();
      await world.call("evm_setAutomine", false);
      world.proxy.interfere = ({ method }) => (method === "eth_getTransactionReceipt" ? { kind: "cut" } : undefined);
      expect(await anchorNow(world.place, stream, batch.batchId, SHORT_MS)).toMatchObject({ kind: "submitted" });
    });

    test("while another run is at work, it is waited for", async () => {
      await query(world, "UPDATE ves_anchor_state SET lease_holder = $1, lease_until = now() + interval '1 h'", [
        crypto.randomUUID(),
      ]);
      expect(await anchorNow(world.place, stream, batch.batchId, SHORT_MS)).toEqual({
        kind: "unavailable",
        message: "Anchoring takes longer than this request waits",
      });
    });

    test("it fails when Postgres does", async () => {
      const place = { ...world.place, hyperdrive: { connectionString: "postgres://nobody@127.0.0.1:9/nowhere" } };
      await expect(anchorNow(place, stream, batch.batchId, LONG_MS)).rejects.toThrow(/ECONNREFUSED/);
    });
  });

  describe("to verify a batch", () => {
    const verify = (changed: Partial<ExpectedBatch> = {}): Promise<ChainAnswer> =>
      verifyOnChain(world.place.settings, { ...batch, stream, stateRoot: batch.newStateRoot, ...changed });

    test("the answer follows the chain: not there, there, final", async () => {
      const place = { chainId: 31_337, contract: world.place.settings.contract };
      expect(await verify()).toMatchObject({
        kind: "answer",
        ...place,
        isAnchored: false,
        isSame: false,
        isFinal: false,
      });
      await world.round();
      const blockNumber = Number(await world.chain.getBlockNumber());
      expect(await verify()).toEqual({
        kind: "answer",
        ...place,
        blockNumber,
        isAnchored: true,
        isSame: true,
        isFinal: false,
      });
      await world.mine(CONFIRMATIONS);
      expect(await verify()).toMatchObject({ isAnchored: true, isSame: true, isFinal: true });
    });

    test("a batch that differs in anything is there, and not the same", async () => {
      await world.settle();
      const other = new Uint8Array(32).fill(1);
      for (const changed of [
        { stream: { ...stream, storeId: crypto.randomUUID() } },
        { stream: { ...stream, tenantId: crypto.randomUUID() } },
        { sequenceStart: 2 },
        { sequenceEnd: 2 },
        { merkleRoot: other },
        { stateRoot: other },
      ]) {
        expect(await verify(changed)).toMatchObject({
          kind: "answer",
          isAnchored: true,
          isSame: false,
          isFinal: false,
        });
      }
    });

    test("a chain or a contract that cannot be asked is not an answer", async () => {
      world.proxy.interfere = () => ({ kind: "cut" });
      expect(await verify()).toEqual({ kind: "unavailable", message: "the chain's node: fetch failed" });
      world.proxy.rest();
      const batchAndStream = { ...batch, stream, stateRoot: batch.newStateRoot };
      const contract = SEQUENCER.address;
      expect(await verifyOnChain({ ...world.place.settings, contract }, batchAndStream)).toEqual({
        kind: "unavailable",
        message: "there is no anchoring contract at SET_REGISTRY_ADDRESS on this chain",
      });
      expect(await verifyOnChain({ ...world.place.settings, chainId: 1 }, batchAndStream)).toMatchObject({
        kind: "unavailable",
      });
    });
  });

  describe("by its Cron Trigger", () => {
    test("a run goes on until everything is final", async () => {
      const mining = setInterval(() => void world.mine(2), 200);
      try {
        expect(await anchorAll(world.place, LONG_MS)).toEqual([]);
      } finally {
        clearInterval(mining);
      }
      expect(await world.differences()).toEqual([]);
    });

    test("a run ends when its time is up, and at once when there is nothing to do or nothing can be done", async () => {
      const started = Date.now();
      expect(await anchorAll(world.place, 1)).toEqual([]);
      await world.settle();
      expect(await anchorAll(world.place, LONG_MS)).toEqual([]);
      world.proxy.interfere = () => ({ kind: "cut" });
      expect(await anchorAll(world.place, LONG_MS)).toHaveLength(1);
      expect(Date.now() - started).toBeLessThan(LONG_MS);
    });
  });
});

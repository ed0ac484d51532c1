import { bytesToHex } from "viem";
import { beforeEach, describe, expect, test } from "vitest";
import { DEV_ACCOUNTS, hasAnvil } from "../../../scripts/lib/anvil.ts";
import { deployAnchor } from "../../../scripts/lib/deploy-anchor.ts";
import { CONFIRMATIONS, OTHER_SEQUENCER, query, SEQUENCER, walletOf, type World } from "../../support/anchor-world.ts";
import { withWorlds } from "../../support/anchor-worlds.ts";

describe.skipIf(!hasAnvil())("a chain that is reorganised", { timeout: 30_000 }, () => {
  let world: World;
  withWorlds((fresh) => (world = fresh));
  beforeEach(async () => {
    // The contract's own deployment stays.
    await world.mine(10);
  });

  async function rawTransactions(): Promise<string[]> {
    const rows = await query(
      world,
      "SELECT encode(raw, 'hex') AS raw FROM ves_anchor_transactions ORDER BY created_at",
      [],
    );
    return rows.map(({ raw }) => `0x${String(raw)}`);
  }

  test.each([1, 2, 3])("what was in the newest %i blocks and not final is mined again", async (depth) => {
    const stream = world.stream();
    await stream.seal();
    await world.round();
    await world.mine(depth - 1);
    await world.round();
    await world.reorganize(depth);
    expect(await world.round()).toMatchObject({ sent: 0, open: 1, problems: [] });
    expect(await world.rows(stream)).toMatchObject([{ status: "submitted", revision: 0 }]);
    await world.settle();
    expect(await query(world, "SELECT status FROM ves_anchor_attempts", [])).toEqual([{ status: "settled" }]);
    expect(await world.differences()).toEqual([]);
  });

  test.each([4, 5, 6])(
    "what a reorganisation of %i blocks has undone is taken back, told, and comes back",
    async (depth) => {
      const [early, late] = [world.stream(), world.stream()];
      await early.seal();
      await world.settle();
      await world.mine(6);
      await late.seal();
      await world.round();
      await world.mine(CONFIRMATIONS);
      await world.round();
      await world.mine(depth - CONFIRMATIONS - 1);
      expect([early.anchoredSequence(), late.anchoredSequence()]).toEqual([3, 3]);
      await world.call("evm_setAutomine", false);
      await world.reorganize(depth);
      const report = await world.round();
      expect(report.problems).toEqual([
        expect.stringMatching(/^the chain was reorganised: what was final from block \d+ on/),
      ]);
      expect([early.anchoredSequence(), late.anchoredSequence()]).toEqual([3, 0]);
      expect(late.batches()).toMatchObject([{ anchor: null }]);
      expect(await world.rows(late)).toMatchObject([{ status: "submitted" }]);
      await world.settle();
      expect(late.anchoredSequence()).toBe(3);
      expect(await world.differences()).toEqual([]);
    },
  );

  /** The chain's next block is an hour later: of a node that is behind, no block is later than those that were there. */
  async function timePasses(): Promise<void> {
    await world.call("evm_increaseTime", 3_600);
    await world.mine(1);
  }

  test("a reorganisation that has the transaction in another block moves the anchor", async () => {
    const stream = world.stream();
    await stream.seal();
    await world.round();
    await world.mine(CONFIRMATIONS);
    await world.round();
    const before = stream.batches()[0]?.anchor?.blockNumber ?? 0;
    const [raw] = await rawTransactions();
    await world.call("anvil_reorg", CONFIRMATIONS + 1, [[raw, 2]]);
    await world.settle();
    expect(stream.batches()[0]?.anchor?.blockNumber).toBe(before + 2);
    expect(await world.differences()).toEqual([]);
  });

  test("a node that is behind what was final says nothing of it: nothing is taken back", async () => {
    const stream = world.stream();
    await stream.seal();
    await world.settle();
    await world.call("anvil_rollback", CONFIRMATIONS + 1);
    const { problems } = await world.round();
    expect(problems).toEqual([expect.stringMatching(/^the chain's node is behind: /)]);
    expect(stream.anchoredSequence()).toBe(3);
    await timePasses();
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("a reorganisation to a shorter chain is put right", async () => {
    const stream = world.stream();
    await stream.seal();
    await world.round();
    await world.mine(CONFIRMATIONS);
    await world.round();
    await world.call("anvil_rollback", CONFIRMATIONS + 2);
    await timePasses();
    await world.settle();
    expect(stream.anchoredSequence()).toBe(3);
    expect(await world.differences()).toEqual([]);
  });

  test("a reorganisation that has another account's anchor of the same batch keeps that", async () => {
    const stream = world.stream();
    const batch = await stream.seal();
    await world.stream().seal();
    await world.round();
    await world.mine(CONFIRMATIONS);
    await world.round();
    await world.call("evm_setAutomine", false);
    await world.reorganize(CONFIRMATIONS + 1);
    await world.anchorAsOther([{ stream, ...batch }]);
    await world.mine(1);
    await world.settle();
    expect(await world.differences()).toEqual([]);
    const [row] = await world.rows(stream);
    const { from } = await world.chain.getTransaction({ hash: bytesToHex(row?.tx_hash ?? new Uint8Array()) });
    expect(from).toBe(OTHER_SEQUENCER.address.toLowerCase());
  });

  test("a reorganisation in which another transaction takes the nonce loses nothing", async () => {
    await world.stream().seal();
    await world.round();
    await world.mine(CONFIRMATIONS);
    await world.round();
    await world.call("evm_setAutomine", false);
    await world.reorganize(CONFIRMATIONS + 1);
    await walletOf(world, SEQUENCER.privateKey).sendTransaction({ to: SEQUENCER.address, nonce: 0 });
    await world.mine(1);
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("several transactions of several rounds come back in order", async () => {
    const streams = [world.stream(), world.stream(), world.stream()];
    for (let turns = 0; turns < 4; turns++) {
      for (const stream of streams) await stream.seal(1 + turns);
      await world.round();
      await world.mine(2);
    }
    await world.reorganize(8);
    await world.round();
    for (const stream of streams) await stream.seal();
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("a transaction that reverted, and of which the reorganised chain knows nothing, harms nobody", async () => {
    const [stream, other] = [world.stream(), world.stream()];
    const batch = await stream.seal();
    await other.seal();
    await world.call("evm_setAutomine", false);
    await world.round();
    await world.anchorAsOther([{ stream, ...batch }], { maxFeePerGas: 100n * 10n ** 9n });
    await world.mine(CONFIRMATIONS + 1);
    await world.round();
    await world.mine(CONFIRMATIONS + 1);
    await world.round();
    await world.reorganize(2 * CONFIRMATIONS + 2);
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("a node that has nothing to say of blocks above its head is not asked for them", async () => {
    await world.stream().seal();
    await world.settle();
    await world.call("anvil_rollback", CONFIRMATIONS + 2);
    await timePasses();
    const head = await world.chain.getBlockNumber();
    world.proxy.interfere = ({ method, params }) => {
      const [block] = params ?? [];
      const isAbove = typeof block === "string" && block.startsWith("0x") && BigInt(block) > head;
      return method === "eth_getBlockByNumber" && isAbove ? { kind: "refuse", message: "header not found" } : undefined;
    };
    const { problems } = await world.round();
    expect(problems).toEqual([expect.stringMatching(/^the chain was reorganised/)]);
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test.each(["is there to be sent again", "is too old for that"])(
    "when the whole chain is lost and what was sent %s, everything is anchored again",
    async (age) => {
      const streams = [world.stream(), world.stream(), world.stream()];
      for (let turns = 0; turns < 3; turns++) {
        for (const stream of streams) await stream.seal();
        await world.settle();
      }
      if (age === "is too old for that") await query(world, "UPDATE ves_anchor_transactions SET raw = NULL", []);
      await world.call("anvil_reset");
      await timePasses();
      const again = await deployAnchor(world.anvil.url, DEV_ACCOUNTS[0].privateKey, [
        SEQUENCER.address,
        OTHER_SEQUENCER.address,
      ]);
      expect(again).toBe(world.contract);
      await world.round();
      expect(streams.map((stream) => stream.anchoredSequence())).toEqual([0, 0, 0]);
      await streams[0]?.seal();
      await world.settle();
      expect(await world.differences()).toEqual([]);
    },
  );

  test("on a new chain on which the account has been at work already, everything is anchored again too", async () => {
    const streams = [world.stream(), world.stream()];
    for (let turns = 0; turns < 3; turns++) {
      for (const stream of streams) await stream.seal();
      await world.settle();
    }
    await world.call("anvil_reset");
    await timePasses();
    await deployAnchor(world.anvil.url, DEV_ACCOUNTS[0].privateKey, [SEQUENCER.address, OTHER_SEQUENCER.address]);
    for (let nonce = 0; nonce < 2; nonce++) {
      await walletOf(world, SEQUENCER.privateKey).sendTransaction({ to: SEQUENCER.address, nonce });
    }
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });
});

import { describe, expect, test } from "vitest";
import { hasAnvil } from "../../../scripts/lib/anvil.ts";
import { query, type World, type WorldStream } from "../../support/anchor-world.ts";
import { withWorlds } from "../../support/anchor-worlds.ts";

/** What a transaction may use where EIP-7825 holds. */
const TRANSACTION_GAS = 16_777_216n;

describe.skipIf(!hasAnvil())("anchoring many batches", { timeout: 30_000 }, () => {
  let world: World;
  withWorlds((fresh) => (world = fresh));

  async function streamsWithABatch(count: number): Promise<WorldStream[]> {
    const streams = Array.from({ length: count }, () => world.stream());
    for (const stream of streams) await stream.seal(1);
    return streams;
  }

  function attempts(): Promise<Record<string, unknown>[]> {
    return query(
      world,
      `SELECT count(a.batch_id)::integer AS batches, encode(max(x.tx_hash), 'hex') AS hash
         FROM ves_anchor_attempts t LEFT JOIN ves_anchors a ON a.attempt_id = t.id
         JOIN ves_anchor_transactions x ON x.attempt_id = t.id GROUP BY t.id ORDER BY t.id`,
      [],
    );
  }

  test("the first batches of 100 streams go in one transaction, within the gas that one may use", async () => {
    await streamsWithABatch(100);
    expect(await world.round()).toMatchObject({ sent: 1, problems: [] });
    expect(world.proxy.counts.get("eth_sendRawTransaction")).toBe(1);
    const [attempt, ...others] = await attempts();
    expect(others).toEqual([]);
    expect(attempt).toMatchObject({ batches: 100 });
    const hash = `0x${String(attempt?.["hash"])}` as const;
    const [transaction, receipt] = await Promise.all([
      world.chain.getTransaction({ hash }),
      world.chain.getTransactionReceipt({ hash }),
    ]);
    expect(transaction.gas).toBeLessThanOrEqual(TRANSACTION_GAS);
    expect(receipt).toMatchObject({ status: "success" });
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("130 streams go in two transactions of one round, and one stream's 230 batches one after the other", async () => {
    await streamsWithABatch(130);
    expect(await world.round()).toMatchObject({ sent: 2, problems: [] });
    expect(await attempts()).toMatchObject([{ batches: 100 }, { batches: 30 }]);
    const long = world.stream();
    await long.sealMany(230);
    await world.settle();
    expect(await attempts()).toMatchObject([100, 30, 100, 100, 30].map((batches) => ({ batches })));
    expect(await world.differences()).toEqual([]);
  });

  test("what takes too much gas for one transaction goes in smaller ones, all in the same round", async () => {
    const settings = { ...world.place.settings, maxGasPerTransaction: 1_000_000n };
    await streamsWithABatch(13);
    const long = world.stream();
    await long.sealMany(9);
    const report = await world.round({ ...world.place, settings });
    expect(report.problems).toEqual([]);
    expect(report.sent).toBeGreaterThanOrEqual(4);
    expect(report.sent).toBeLessThanOrEqual(6);
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("no more transactions wait for a block than a mempool keeps of one account", async () => {
    const settings = { ...world.place.settings, maxBatchesPerTransaction: 1 };
    await streamsWithABatch(12);
    await world.call("evm_setAutomine", false);
    expect(await world.round({ ...world.place, settings })).toMatchObject({ sent: 8 });
    expect(await world.round({ ...world.place, settings })).toMatchObject({ sent: 0, open: 8, problems: [] });
    await world.mine(1);
    expect(await world.round({ ...world.place, settings })).toMatchObject({ sent: 4 });
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("a batch that is too large for any transaction is said to be", async () => {
    const settings = { ...world.place.settings, maxGasPerTransaction: 100_000n };
    await streamsWithABatch(2);
    const report = await world.round({ ...world.place, settings });
    expect(report).toMatchObject({ sent: 0 });
    expect(report.problems).toHaveLength(2);
    for (const problem of report.problems)
      expect(problem).toContain("alone it takes more gas than ANCHOR_MAX_GAS allows");
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });
});

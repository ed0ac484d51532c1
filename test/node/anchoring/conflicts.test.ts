import { beforeEach, describe, expect, test } from "vitest";
import { hasAnvil } from "../../../scripts/lib/anvil.ts";
import { stateRoot } from "../../../src/ves/index.ts";
import { CONFIRMATIONS, type ForeignBatch, query, type World, type WorldStream } from "../../support/anchor-world.ts";
import { withWorlds } from "../../support/anchor-worlds.ts";

describe.skipIf(!hasAnvil())("histories that differ", { timeout: 30_000 }, () => {
  let world: World;
  withWorlds((fresh) => (world = fresh));
  beforeEach(async () => {
    await world.mine(10);
  });

  /** A batch after what the stream has sealed, with roots that are not the stream's. */
  function forged(stream: WorldStream, sequenceEnd: number): ForeignBatch {
    const last = stream.batches().at(-1);
    const sequenceStart = (last?.sequenceEnd ?? 0) + 1;
    const merkleRoot = new Uint8Array(32).fill(5);
    const newStateRoot = stateRoot({
      tenantId: stream.tenantId,
      storeId: stream.storeId,
      prevStateRoot: last?.newStateRoot ?? new Uint8Array(32),
      merkleRoot,
      sequenceStart,
      sequenceEnd,
      leafCount: sequenceEnd - sequenceStart + 1,
    });
    return { stream, batchId: crypto.randomUUID(), merkleRoot, newStateRoot, sequenceStart, sequenceEnd };
  }

  async function conflicts(): Promise<unknown[]> {
    return query(world, "SELECT tenant_id, reason FROM ves_anchor_conflicts", []);
  }

  async function sendsOfStream(stream: WorldStream): Promise<number> {
    return (await world.rows(stream)).filter(({ status }) => status === "submitted").length;
  }

  test.each([
    ["the same range", 6],
    ["a longer range", 9],
    ["a shorter range", 4],
  ])(
    "a stream whose next range, as %s, was anchored with other roots is frozen, and the others go on",
    async (_, end) => {
      const [stream, other] = [world.stream(), world.stream()];
      await stream.seal();
      await other.seal();
      await world.settle();
      await world.anchorAsOther([forged(stream, end)]);
      await stream.seal();
      await stream.seal();
      await other.seal();
      expect(await world.round()).toMatchObject({ sent: 1, problems: [] });
      // What is not final may go away again.
      expect(stream.frozenByChain()).toBeNull();
      await world.mine(CONFIRMATIONS);
      const report = await world.round();
      expect(report.problems[0]).toMatch(/^stream .* and the contract differ: /);
      const reason = stream.frozenByChain();
      expect(reason).not.toBeNull();
      expect(await conflicts()).toEqual([{ tenant_id: stream.tenantId, reason }]);
      for (let rounds = 0; rounds < 4; rounds++) {
        await world.mine(1);
        const { problems } = await world.round();
        // It is known: a run is not kept from waiting for the others.
        expect(problems).toEqual([]);
        expect(await sendsOfStream(stream)).toBe(0);
      }
      await world.elapse();
      await world.round();
      expect(await sendsOfStream(stream)).toBe(0);
      expect(other.anchoredSequence()).toBe(6);
      expect(stream.anchoredSequence()).toBe(3);
      expect(stream.frozenByChain()).toBe(reason);
    },
  );

  test("a stream that is forked while its own batch waits is frozen", async () => {
    const [stream, other] = [world.stream(), world.stream()];
    const fork = forged(stream, 3);
    await stream.seal();
    await other.seal();
    await world.call("evm_setAutomine", false);
    await world.round();
    await world.anchorAsOther([fork], { maxFeePerGas: 100n * 10n ** 9n });
    await world.mine(1);
    await world.round();
    await world.mine(CONFIRMATIONS + 1);
    await world.elapse();
    await world.round();
    expect(stream.frozenByChain()).not.toBeNull();
    expect(await conflicts()).toHaveLength(1);
    expect(other.anchoredSequence()).toBe(3);
    expect(stream.anchoredSequence()).toBe(0);
  });

  test("a stream thaws, and goes on, when a reorganisation takes the fork away", async () => {
    const stream = world.stream();
    await stream.seal();
    await world.settle();
    await world.anchorAsOther([forged(stream, 6)]);
    await stream.seal();
    await world.mine(CONFIRMATIONS);
    await world.round();
    expect(stream.frozenByChain()).not.toBeNull();
    await world.reorganize(CONFIRMATIONS + 1);
    await world.settle();
    expect(stream.frozenByChain()).toBeNull();
    expect(await conflicts()).toEqual([]);
    expect(await world.differences()).toEqual([]);
  });

  test("a batch that somebody else has anchored as it is counts when it is final", async () => {
    const stream = world.stream();
    const batch = await stream.seal();
    await world.anchorAsOther([{ stream, ...batch }]);
    expect(await world.round()).toMatchObject({ sent: 0, problems: [] });
    expect(stream.anchoredSequence()).toBe(0);
    await stream.seal();
    expect(await world.round()).toMatchObject({ sent: 1, problems: [] });
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("nothing freezes and all goes on when Postgres is as it was some batches ago, which are written again", async () => {
    const stream = world.stream();
    for (let batches = 0; batches < 4; batches++) {
      await stream.seal();
      await world.settle();
    }
    await stream.seal();
    await world.round();
    await forget(stream, 6);
    await stream.seal();
    const { problems } = await world.round();
    expect(problems).toEqual([]);
    expect(stream.frozenByChain()).toBeNull();
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("a batch whose row was lost while it was in a transaction is not forgotten", async () => {
    const stream = world.stream();
    await stream.seal();
    await world.round();
    await world.database.query(
      `CREATE TABLE kept AS SELECT * FROM ves_commitments;
       SET session_replication_role = replica; DELETE FROM ves_commitments`,
    );
    await world.mine(CONFIRMATIONS);
    await world.round();
    await world.database.query("INSERT INTO ves_commitments SELECT * FROM kept; DROP TABLE kept");
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("a stream that was told of changes is told of those after a restored backup too", async () => {
    const stream = world.stream();
    await stream.seal();
    await world.settle();
    await world.reorganize(CONFIRMATIONS + 1);
    await world.settle();
    // Its three changes were some seconds ago.
    stream.store.exec("UPDATE anchors SET revision = max(revision - 10, 3)");
    await forget(stream, 0);
    await stream.seal();
    await world.settle();
    const anchoredIn = stream.batches()[0]?.anchor?.blockNumber ?? 0;
    await world.reorganize(Number(await world.chain.getBlockNumber()) - anchoredIn + 1);
    await world.round();
    expect(stream.anchoredSequence()).toBe(0);
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  /** Postgres as in a backup from when the stream ended at a number, with the stream's knowledge of what it holds. */
  async function forget(stream: WorldStream, sequence: number): Promise<void> {
    const scope = `WHERE tenant_id = '${stream.tenantId}' AND store_id = '${stream.storeId}'`;
    await world.database.query(
      `SET session_replication_role = replica;
       DELETE FROM ves_anchors ${scope} AND sequence_start > ${sequence};
       DELETE FROM ves_commitments ${scope} AND sequence_start > ${sequence};
       DELETE FROM ves_events ${scope} AND sequence_number > ${sequence};`,
    );
  }
});

import { type Hex, parseGwei } from "viem";
import { describe, expect, test } from "vitest";
import { hasAnvil } from "../../../scripts/lib/anvil.ts";
import { query, SEQUENCER, walletOf, type World } from "../../support/anchor-world.ts";
import { withWorlds } from "../../support/anchor-worlds.ts";

describe.skipIf(!hasAnvil())("nonces and fees", { timeout: 30_000 }, () => {
  let world: World;
  withWorlds((fresh) => (world = fresh), { variables: { ANCHOR_REPLACE_SECS: "1" } });

  async function sealed(count = 1): Promise<void> {
    for (let streams = 0; streams < count; streams++) await world.stream().seal(2);
  }

  async function sentHashes(): Promise<Hex[]> {
    const rows = await query(
      world,
      "SELECT encode(tx_hash, 'hex') AS hash FROM ves_anchor_transactions ORDER BY created_at",
      [],
    );
    return rows.map(({ hash }): Hex => `0x${String(hash)}`);
  }

  async function attempts(): Promise<Record<string, unknown>[]> {
    return query(world, "SELECT nonce::integer, status, error FROM ves_anchor_attempts ORDER BY id", []);
  }

  /** As if the transactions under way had been signed so long ago. */
  async function age(seconds: number): Promise<void> {
    await query(world, "UPDATE ves_anchor_transactions SET created_at = created_at - $1 * interval '1 second'", [
      seconds,
    ]);
  }

  /** Another program with the same key. */
  function sendFromSameAccount(nonce: number, gwei: string): Promise<Hex> {
    const fee = parseGwei(gwei);
    return walletOf(world, SEQUENCER.privateKey).sendTransaction({
      to: SEQUENCER.address,
      nonce,
      gas: 21_000n,
      maxFeePerGas: fee,
      maxPriorityFeePerGas: fee,
    });
  }

  const drop = (hash: Hex | undefined): Promise<unknown> => world.call("anvil_dropTransaction", hash);

  /** A block that leaves out a transaction, which the node then does not know any more. */
  async function mineWithout(hash: Hex | undefined): Promise<void> {
    await drop(hash);
    await world.mine(1);
  }

  test("a transaction that the node has dropped is sent again", async () => {
    await sealed();
    await world.call("evm_setAutomine", false);
    await world.round();
    await drop((await sentHashes())[0]);
    await world.mine(1);
    expect(await world.round()).toMatchObject({ sent: 0, open: 1, problems: [] });
    await world.settle();
    expect(await sentHashes()).toHaveLength(1);
    expect(await world.differences()).toEqual([]);
  });

  test("a missing nonce is filled with the next batches, or with nothing when there are none", async () => {
    const settings = { ...world.place.settings, maxBatchesPerTransaction: 1 };
    const small = { ...world.place, settings };
    for (const isMoreSealed of [true, false]) {
      await world.call("evm_setAutomine", false);
      await sealed(3);
      await world.round(small);
      // What a backup of the database may lack: the lowest nonce.
      const lost = await query(
        world,
        "UPDATE ves_anchor_attempts SET status = 'lost' WHERE id = (SELECT min(id) FROM ves_anchor_attempts WHERE status = 'open') RETURNING id",
        [],
      );
      const id = lost[0]?.["id"];
      const hashes = await query(
        world,
        "SELECT encode(tx_hash, 'hex') AS hash FROM ves_anchor_transactions WHERE attempt_id = $1",
        [id],
      );
      await drop(`0x${String(hashes[0]?.["hash"])}`);
      if (isMoreSealed) {
        await query(world, "UPDATE ves_anchors SET status = 'pending', attempt_id = NULL WHERE attempt_id = $1", [id]);
      } else {
        // The filler goes alone: the batch comes back only after it.
        await query(
          world,
          "UPDATE ves_anchors SET status = 'pending', attempt_id = NULL, retry_at = now() + interval '1 h' WHERE attempt_id = $1",
          [id],
        );
      }
      expect(await world.round(small)).toMatchObject({ sent: 1 });
      await world.mine(1);
      expect(await world.chain.getTransactionCount({ address: SEQUENCER.address })).toBe(isMoreSealed ? 3 : 6);
      await world.settle();
      expect(await world.differences()).toEqual([]);
    }
  });

  test("where another transaction of the account has taken the nonce, the batches are sent again", async () => {
    await sealed(2);
    await world.call("evm_setAutomine", false);
    await world.round();
    await sendFromSameAccount(0, "200");
    await world.mine(1);
    expect(await world.round()).toMatchObject({ sent: 0, open: 1 });
    await world.mine(3);
    expect(await world.round()).toMatchObject({ sent: 1 });
    expect(await attempts()).toEqual([
      { nonce: 0, status: "lost", error: "another transaction of the account has taken its nonce" },
      { nonce: 1, status: "open", error: null },
    ]);
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("another program may use the account in between", async () => {
    for (let turns = 0; turns < 3; turns++) {
      await sealed();
      await world.round();
      const nonce = await world.chain.getTransactionCount({ address: SEQUENCER.address });
      await sendFromSameAccount(nonce, "10");
    }
    await world.settle();
    expect(await attempts()).toMatchObject([{ nonce: 0 }, { nonce: 2 }, { nonce: 4 }]);
    expect(await world.differences()).toEqual([]);
  });

  test("another program's transaction that waits with the same nonce is outbid in the end", async () => {
    await sealed();
    await world.call("evm_setAutomine", false);
    await sendFromSameAccount(0, "3");
    const report = await world.round();
    expect(report.problems).toEqual([expect.stringMatching(/^the node does not take a transaction: .*underpriced/)]);
    for (let rounds = 0; rounds < 3; rounds++) {
      await age(2);
      await world.round();
    }
    await world.mine(1);
    await world.settle();
    expect(await attempts()).toEqual([{ nonce: 0, status: "settled", error: null }]);
    expect(await world.differences()).toEqual([]);
  });

  test.each(["first", "second"])(
    "what waits for too long is replaced under its nonce with higher fees, and the %s of the two may be mined",
    async (mined) => {
      await sealed(2);
      await world.call("evm_setAutomine", false);
      await world.round();
      expect(await world.round()).toMatchObject({ problems: [] });
      expect(await sentHashes()).toHaveLength(1);
      await age(2);
      // While the chain makes no blocks, paying more helps nobody.
      for (let rounds = 0; rounds < 3; rounds++) expect(await world.round()).toMatchObject({ open: 1, problems: [] });
      expect(await sentHashes()).toHaveLength(1);
      await mineWithout((await sentHashes())[0]);
      for (let rounds = 0; rounds < 3; rounds++) {
        expect(await world.round()).toMatchObject({ sent: 0, open: 1, problems: [] });
        await age(2);
      }
      const hashes = await sentHashes();
      expect(hashes).toHaveLength(2);
      const fees = await query(
        world,
        `SELECT max_fee_per_gas::float8 AS max, max_priority_fee_per_gas::float8 AS priority
           FROM ves_anchor_transactions ORDER BY max_fee_per_gas`,
        [],
      );
      expect(Number(fees[1]?.["max"])).toBeGreaterThanOrEqual(Number(fees[0]?.["max"]) * 1.1);
      expect(Number(fees[1]?.["priority"])).toBeGreaterThanOrEqual(Number(fees[0]?.["priority"]) * 1.1);
      if (mined === "first") {
        const [raw] = await query(
          world,
          "SELECT encode(raw, 'hex') AS raw FROM ves_anchor_transactions ORDER BY max_fee_per_gas LIMIT 1",
          [],
        );
        for (const hash of hashes) await drop(hash);
        await world.call("eth_sendRawTransaction", `0x${String(raw?.["raw"])}`);
      }
      await world.mine(1);
      await world.settle();
      expect(await attempts()).toEqual([{ nonce: 0, status: "settled", error: null }]);
      expect(await world.differences()).toEqual([]);
    },
  );

  test("while gas costs more than may be paid, batches wait, and go when it is cheaper", async () => {
    await sealed();
    await world.call("evm_setAutomine", false);
    await world.call("anvil_setNextBlockBaseFeePerGas", `0x${parseGwei("80").toString(16)}`);
    await world.mine(1);
    const report = await world.round();
    expect(report.sent).toBe(0);
    expect(report.problems).toEqual([
      expect.stringMatching(/^gas costs up to \d+ wei now, and ANCHOR_MAX_FEE_GWEI allows 50000000000$/),
    ]);
    expect(await query(world, "SELECT last_error IS NOT NULL AS is_said FROM ves_anchor_state", [])).toEqual([
      { is_said: true },
    ]);
    await world.call("anvil_setNextBlockBaseFeePerGas", "0x1");
    await world.mine(1);
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("a transaction that is overtaken by a price that may not be paid waits, and is mined when it falls", async () => {
    await sealed();
    await world.call("evm_setAutomine", false);
    await world.round();
    await world.call("anvil_setNextBlockBaseFeePerGas", `0x${parseGwei("80").toString(16)}`);
    await world.mine(1);
    await age(2);
    const report = await world.round();
    expect(report.problems).toContain("a transaction waits: paying more than it offers is above ANCHOR_MAX_FEE_GWEI");
    expect(await sentHashes()).toHaveLength(1);
    await world.call("anvil_setNextBlockBaseFeePerGas", "0x1");
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });
});

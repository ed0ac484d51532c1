import { describe, expect, test } from "vitest";
import { DEV_ACCOUNTS, hasAnvil } from "../../../scripts/lib/anvil.ts";
import { deployAnchor } from "../../../scripts/lib/deploy-anchor.ts";
import { query, SEQUENCER, type World } from "../../support/anchor-world.ts";
import { withWorlds } from "../../support/anchor-worlds.ts";
import { AnchorChain } from "../../../workers/anchor/src/chain.ts";
import type { Interference } from "../../support/rpc-proxy.ts";

interface Receipt {
  readonly status: string;
  readonly blockNumber: string;
}

describe.skipIf(!hasAnvil())("an endpoint that fails, refuses or lies", { timeout: 30_000 }, () => {
  let world: World;
  withWorlds((fresh) => (world = fresh));

  /** A round, whose problems name no URL. */
  async function problemsOf(interference: Interference, methods: RegExp = /^/): Promise<readonly string[]> {
    world.proxy.interfere = ({ method }) => (methods.test(method) ? interference : undefined);
    const { problems } = await world.round();
    world.proxy.rest();
    expect(problems.join("\n")).not.toMatch(/https?:|127\.0\.0\.1/);
    return problems;
  }

  /** Nothing that was noted names the URL, and all comes right. */
  async function settles(): Promise<void> {
    const noted = await query(
      world,
      `SELECT last_error AS text FROM ves_anchor_state
        UNION ALL SELECT error FROM ves_anchors UNION ALL SELECT error FROM ves_anchor_attempts`,
      [],
    );
    expect(noted.map(({ text }) => String(text)).join("\n")).not.toMatch(/https?:|127\.0\.0\.1/);
    await world.settle();
    expect(await world.differences()).toEqual([]);
  }

  test("a node that cannot be reached is said to be, and nothing is lost", async () => {
    await world.stream().seal();
    expect(await problemsOf({ kind: "cut" })).toHaveLength(1);
    expect(
      await query(world, "SELECT last_success_at, last_error IS NOT NULL AS failed FROM ves_anchor_state", []),
    ).toEqual([{ last_success_at: null, failed: true }]);
    await settles();
  });

  test("a slow node is waited for", async () => {
    await world.stream().seal();
    expect(await problemsOf({ kind: "late", ms: 60 })).toEqual([]);
    await settles();
  });

  test("a transaction whose answer is lost is not sent under another nonce", async () => {
    await world.stream().seal();
    await problemsOf({ kind: "answer lost" }, /^eth_sendRaw/);
    await world.round();
    expect(await query(world, "SELECT nonce::integer FROM ves_anchor_attempts", [])).toEqual([{ nonce: 0 }]);
    await settles();
  });

  test("a transaction that the node never heard of is sent by the next round", async () => {
    await world.stream().seal();
    expect(await problemsOf({ kind: "cut" }, /^eth_sendRaw/)).toHaveLength(1);
    expect(await world.round()).toMatchObject({ sent: 0, open: 1, problems: [] });
    expect(await query(world, "SELECT count(*)::integer FROM ves_anchor_transactions", [])).toEqual([{ count: 1 }]);
    await settles();
  });

  test("a node that limits how often it is asked is left alone until the next round", async () => {
    for (let streams = 0; streams < 4; streams++) await world.stream().seal();
    const refusal = {
      kind: "refuse",
      code: -32005,
      message: "daily request count exceeded, see http://127.0.0.1/upgrade",
    } as const;
    for (const methods of [/^/, /^eth_estimateGas/, /^eth_sendRaw/]) {
      expect(await problemsOf(refusal, methods)).toEqual([
        "the chain's node: daily request count exceeded, see (its URL)",
      ]);
    }
    expect(await query(world, "SELECT failures FROM ves_anchors WHERE failures > 0", [])).toEqual([]);
    await settles();
    expect(await query(world, "SELECT count(*)::integer FROM ves_anchor_attempts", [])).toEqual([{ count: 1 }]);
  });

  test("what a node says when it does not take a transaction is passed on, and it is sent again", async () => {
    await world.stream().seal();
    expect(await problemsOf({ kind: "refuse", message: "txpool is full" }, /^eth_sendRaw/)).toEqual([
      "the node does not take a transaction: txpool is full",
    ]);
    await settles();
  });

  test("an account without money waits for some", async () => {
    await world.stream().seal();
    await world.call("anvil_setBalance", SEQUENCER.address, "0x0");
    const { problems } = await world.round();
    expect(problems.join("\n")).toMatch(/insufficient funds/i);
    await world.stream().seal();
    await world.round();
    await world.call("anvil_setBalance", SEQUENCER.address, "0xde0b6b3a7640000");
    await settles();
  });

  test("logs are looked for in no more blocks at once than nodes allow, and no longer than until they are found", async () => {
    const batch = { stream: world.stream(), ...(await world.stream().seal()) };
    const ranges: (readonly [number, number])[] = [];
    world.proxy.interfere = ({ method, params }) => {
      if (method !== "eth_getLogs") return undefined;
      const [{ fromBlock, toBlock }] = params as [{ fromBlock: string; toBlock: string }];
      ranges.push([Number(fromBlock), Number(toBlock)]);
      return { kind: "lie", result: () => [] };
    };
    const chain = new AnchorChain(world.place.settings);
    const expected = { ...batch, stateRoot: batch.newStateRoot };
    await chain.logsOf([expected], 100, 25_000);
    await chain.logsOf([expected], null, 25_000);
    await chain.logsOf([expected], -7, 3);
    await chain.logsOf([], null, 25_000);
    expect(ranges).toEqual([
      [100, 10_099],
      [10_100, 20_099],
      [20_100, 25_000],
      [15_001, 25_000],
      [0, 3],
    ]);
    ranges.length = 0;
    await chain.logsOf([expected], 0, 10_000_000);
    expect(ranges).toHaveLength(20);
    world.proxy.rest();
    await settles();
  });

  test.each<[string, (receipt: Receipt | null) => Receipt | null]>([
    ["says of what was mined that it reverted", (receipt) => receipt && { ...receipt, status: "0x0" }],
    ["gives no receipts", () => null],
    ["puts receipts in a block that does not exist", (receipt) => receipt && { ...receipt, blockNumber: "0xffffff" }],
    ["puts receipts in the first block", (receipt) => receipt && { ...receipt, blockNumber: "0x0" }],
  ])("the contract is believed, and not a node that %s", async (_, lie) => {
    await world.stream().seal();
    world.proxy.interfere = ({ method }) =>
      method === "eth_getTransactionReceipt"
        ? { kind: "lie", result: (receipt) => lie(receipt as Receipt | null) }
        : undefined;
    for (let rounds = 0; rounds < 6; rounds++) {
      await world.round();
      await world.mine(1);
    }
    expect(await world.differences()).toEqual([]);
    expect(await query(world, "SELECT status FROM ves_anchor_attempts", [])).toEqual([{ status: "settled" }]);
  });

  test("a revert that a node calls a success is found out from the contract", async () => {
    const stream = world.stream();
    const batch = await stream.seal();
    await world.stream().seal();
    await world.call("evm_setAutomine", false);
    await world.round();
    await world.anchorAsOther([{ stream, ...batch }], { maxFeePerGas: 100n * 10n ** 9n });
    await world.mine(1);
    world.proxy.interfere = ({ method }) =>
      method === "eth_getTransactionReceipt"
        ? { kind: "lie", result: (receipt) => receipt && { ...(receipt as Receipt), status: "0x1" } }
        : undefined;
    await world.round();
    await world.mine(3);
    expect(await world.round()).toMatchObject({ sent: 1 });
    expect(stream.anchoredSequence()).toBe(3);
    await settles();
  });

  test("nothing is sent to another chain", async () => {
    await world.stream().seal();
    const settings = { ...world.place.settings, chainId: 10 };
    const report = await world.round({ ...world.place, settings });
    expect(report).toMatchObject({ sent: 0, problems: ["L2_RPC_URL is of chain 31337, and L2_CHAIN_ID is 10"] });
    // A mistake that was put right leaves nothing behind.
    await settles();
  });

  test.each([
    ["nothing", "0x00000000000000000000000000000000000000aa", "0x"],
    ["another contract that answers nothing", "0x00000000000000000000000000000000000000ab", "0x00"],
    ["another contract that reverts", "0x00000000000000000000000000000000000000ac", "0x60006000fd"],
    // Any question is answered with a word.
    ["another contract that answers anything", "0x00000000000000000000000000000000000000ad", "0x602060005260206000f3"],
  ] as const)("nothing is sent when %s is at the address", async (_, contract, code) => {
    await world.stream().seal();
    await world.call("anvil_setCode", contract, code);
    const report = await world.round({ ...world.place, settings: { ...world.place.settings, contract } });
    expect(report.sent).toBe(0);
    expect(report.problems).toHaveLength(1);
    // A mistake that is put right leaves nothing behind, unless the address answers like the contract.
    if (code === "0x602060005260206000f3") return;
    expect(report.problems).toEqual(["there is no anchoring contract at SET_REGISTRY_ADDRESS on this chain"]);
    await settles();
  });

  test("a database whose anchors are in one contract is not mixed up with another", async () => {
    await world.stream().seal();
    await world.settle();
    await world.stream().seal();
    const contract = await deployAnchor(world.anvil.url, DEV_ACCOUNTS[0].privateKey, [SEQUENCER.address]);
    const report = await world.round({ ...world.place, settings: { ...world.place.settings, contract } });
    expect(report.sent).toBe(0);
    expect(report.problems).toEqual([expect.stringContaining("npm run admin -- reanchor")]);
    await settles();
  });
});

import { createPublicClient, createWalletClient, encodeFunctionData, type Hex, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stateSetAnchorAbi as abi } from "../../contracts/abi.ts";
import { type Anvil, DEV_ACCOUNTS, hasAnvil, startAnvil } from "../../scripts/lib/anvil.ts";
import { deployAnchor } from "../../scripts/lib/deploy-anchor.ts";
import { inclusionPath, merkleTree } from "../../src/ves/index.ts";
import { type AnchorArgs, anchorLists, anchorStream, toHex } from "../support/anchor-batches.ts";

/*
 * What anchoring costs, as whole transactions on a real node. The ceilings are the figures of contracts/README.md and a
 * little room: a change that costs more is noticed here.
 */

const [owner, sequencer] = DEV_ACCOUNTS;
/** Of a transaction, by EIP-7825. */
const MOST_GAS = 2n ** 24n;

describe.runIf(hasAnvil())("gas", () => {
  let anvil: Anvil;
  let address: Hex;

  beforeAll(async () => {
    anvil = await startAnvil();
    address = await deployAnchor(anvil.url, owner.privateKey, [sequencer.address]);
    // The first batch of all pays for the counter.
    await gasOfBatch(anchorStream().next(1));
  }, 60_000);

  afterAll(async () => anvil.stop());

  /** Of one transaction. */
  async function gasOf(data: Hex): Promise<bigint> {
    const transport = http(anvil.url);
    const wallet = createWalletClient({ transport, account: privateKeyToAccount(sequencer.privateKey) });
    const hash = await wallet.sendTransaction({ to: address, data, chain: null });
    const { status, gasUsed } = await createPublicClient({ transport }).waitForTransactionReceipt({
      hash,
      pollingInterval: 20,
    });
    expect(status).toBe("success");
    return gasUsed;
  }

  function gasOfBatch(args: AnchorArgs): Promise<bigint> {
    return gasOf(encodeFunctionData({ abi, functionName: "anchor", args }));
  }

  function gasOfBatches(batches: readonly AnchorArgs[]): Promise<bigint> {
    return gasOf(encodeFunctionData({ abi, functionName: "anchorBatch", args: anchorLists(batches) }));
  }

  test("of one batch", async () => {
    const stream = anchorStream();
    expect(await gasOfBatch(stream.next(100))).toBeLessThan(173_000n);
    expect(await gasOfBatch(stream.next(100))).toBeLessThan(139_000n);
  });

  test.each([
    [20, 2_940_000n, 2_250_000n],
    [100, 14_500_000n, 11_100_000n],
  ])("of %d streams in one transaction", async (count, firstCeiling, laterCeiling) => {
    const streams = Array.from({ length: count }, () => anchorStream());
    const next = (): AnchorArgs[] => streams.map((stream) => stream.next(100));
    const first = await gasOfBatches(next());
    expect(first).toBeLessThan(firstCeiling);
    expect(first).toBeLessThan(MOST_GAS);
    expect(await gasOfBatches(next())).toBeLessThan(laterCeiling);
  });

  test("of verifying one of 1,024 leaves", async () => {
    const leaves = Array.from({ length: 1024 }, (_, i) => Buffer.alloc(32, `leaf ${i} `));
    const tree = merkleTree(leaves);
    const args = anchorStream().next(1024, tree.root);
    await gasOfBatch(args);
    const data = encodeFunctionData({
      abi,
      functionName: "verifyInclusion",
      args: [args[0], toHex(leaves[700] as Uint8Array), 700n, inclusionPath(tree, 700).map(toHex)],
    });
    const client = createPublicClient({ transport: http(anvil.url) });
    expect((await client.call({ to: address, data })).data).toBe(toHex(Buffer.alloc(32).fill(1, 31)));
    expect(await gasOf(data)).toBeLessThan(42_000n);
  });
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createPublicClient, createWalletClient, http, type PublicClient } from "viem";
import { mnemonicToAccount, privateKeyToAccount } from "viem/accounts";
import { afterAll, describe, expect, test } from "vitest";
import { stateSetAnchorAbi as abi } from "../../contracts/abi.ts";
import { DEV_ACCOUNTS, hasAnvil, startAnvil } from "../../scripts/lib/anvil.ts";
import { deployAnchor } from "../../scripts/lib/deploy-anchor.ts";
import { anchorStream } from "../support/anchor-batches.ts";

const [owner, sequencer, stranger] = DEV_ACCOUNTS;
const directory = mkdtempSync(join(tmpdir(), "sequencer-anvil-test-"));
const TIMEOUT = { timeout: 60_000 };

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function clientOf(url: string): PublicClient {
  return createPublicClient({ transport: http(url, { retryCount: 0 }) });
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe.runIf(hasAnvil())("a local chain", () => {
  test("its accounts are funded, and its chain id is the one asked for", TIMEOUT, async () => {
    const anvil = await startAnvil({ chainId: 84_532_001 });
    try {
      const client = clientOf(anvil.url);
      expect(await client.getChainId()).toBe(84_532_001);
      for (const [addressIndex, { address, privateKey }] of DEV_ACCOUNTS.entries()) {
        const words = "test test test test test test test test test test test junk";
        expect(mnemonicToAccount(words, { addressIndex }).address).toBe(address);
        expect(privateKeyToAccount(privateKey).address).toBe(address);
        expect(await client.getBalance({ address })).toBe(10n ** 22n);
      }
    } finally {
      await anvil.stop();
      await anvil.stop();
    }
    expect(isRunning(anvil.pid)).toBe(false);
  });

  test("a contract, what is anchored in it and its receipts outlive the process", TIMEOUT, async () => {
    const statePath = join(directory, "chain", "state.json");
    let anvil = await startAnvil({ statePath });
    const { port } = anvil;
    const address = await deployAnchor(anvil.url, owner.privateKey, [sequencer.address]);
    const stream = anchorStream();
    const account = privateKeyToAccount(sequencer.privateKey);
    const args = stream.next(3);
    const hash = await createWalletClient({ account, transport: http(anvil.url) }).writeContract({
      address,
      abi,
      functionName: "anchor",
      args,
      chain: null,
    });
    const receipt = await clientOf(anvil.url).waitForTransactionReceipt({ hash, pollingInterval: 20 });
    await anvil.stop();

    anvil = await startAnvil({ statePath, port });
    try {
      const client = clientOf(anvil.url);
      expect(anvil.port).toBe(port);
      expect(await client.getTransactionReceipt({ hash })).toEqual(receipt);
      const ids = [stream.tenantId, stream.storeId] as const;
      expect(await client.readContract({ address, abi, functionName: "stateRootOf", args: ids })).toBe(args[4]);
      expect(await client.readContract({ address, abi, functionName: "owner" })).toBe(owner.address);
      expect(
        await client.readContract({ address, abi, functionName: "mayAnchor", args: [stranger.address, ...ids] }),
      ).toBe(false);
    } finally {
      await anvil.stop();
    }
  });

  test("makes blocks by the clock when it is told to", TIMEOUT, async () => {
    const anvil = await startAnvil({ blockTime: 1 });
    try {
      const client = clientOf(anvil.url);
      await expect.poll(() => client.getBlockNumber({ cacheTime: 0 }), { timeout: 20_000 }).toBeGreaterThan(1n);
    } finally {
      await anvil.stop();
    }
  });

  test("what keeps it from starting is said in its own words", TIMEOUT, async () => {
    const anvil = await startAnvil();
    try {
      await expect(startAnvil({ port: anvil.port })).rejects.toThrow(/^anvil did not start. It says:\n.*in use/s);
    } finally {
      await anvil.stop();
    }
  });

  test("it ends with the program that started it, even by kill -9, and keeps its state", TIMEOUT, async () => {
    const statePath = join(directory, "killed.json");
    const program = `
      import { startAnvil } from ${JSON.stringify(join(import.meta.dirname, "../../scripts/lib/anvil.ts"))};
      const { pid, url } = await startAnvil({ statePath: ${JSON.stringify(statePath)} });
      process.stdout.write(pid + " " + url + "\\n");`;
    const file = join(directory, "program.mts");
    writeFileSync(file, program);
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
    const [pid, url] = line.trim().split(" ") as [string, string];
    const address = await deployAnchor(url, owner.privateKey, []);
    child.kill("SIGKILL");
    await once(child, "exit");
    while (isRunning(Number(pid))) await sleep(20);
    const anvil = await startAnvil({ statePath });
    try {
      expect(await clientOf(anvil.url).getCode({ address })).toMatch(/^0x[0-9a-f]{1000}/);
    } finally {
      await anvil.stop();
    }
  });
});

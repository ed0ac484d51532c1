import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { foundryProgram } from "./foundry.ts";
import { hasEnded, startGuarded, stopGuarded } from "./guarded-process.ts";

/*
 * An Ethereum chain of the project's own, for `npm start` and the tests: anvil, on 127.0.0.1 only.
 */

const START_MS = 30_000;
const POLL_MS = 5;
const LOG_LINES_SHOWN = 10;
const DEFAULT_CHAIN_ID = 31_337;
/** How often the chain is written down while it runs, so that a crash of the machine loses no more. */
const STATE_INTERVAL_S = "10";

export interface AnvilOptions {
  /** Any free one when absent. */
  readonly port?: number;
  /**
   * File that keeps the chain between starts, for one process at a time; made when it is not there. Absent: the chain ends
   * with the process. What the server says is beside it, in `<statePath>.log`.
   */
  readonly statePath?: string;
  /** Seconds between blocks; absent for a block with each transaction. */
  readonly blockTime?: number;
  /** 31337 when absent. */
  readonly chainId?: number;
}

export interface Anvil {
  readonly url: string;
  readonly port: number;
  readonly chainId: number;
  /** Process id of the server. */
  readonly pid: number;
  /** Ends it in good order, with its state written down. Also fine when it has already ended. */
  readonly stop: () => Promise<void>;
}

/** An account of the chain's genesis: address and private key with `0x`. */
export interface DevAccount {
  readonly address: `0x${string}`;
  readonly privateKey: `0x${string}`;
}

/** The first accounts of every anvil chain, with 10,000 ether each. Everybody knows their keys: for local chains only. */
export const DEV_ACCOUNTS: readonly [DevAccount, DevAccount, DevAccount, DevAccount] = [
  {
    address: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    privateKey: "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  },
  {
    address: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    privateKey: "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
  },
  {
    address: "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    privateKey: "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
  },
  {
    address: "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
    privateKey: "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
  },
];

/** Whether the package with anvil for this platform is installed; there is one for few platforms. */
export function hasAnvil(): boolean {
  return foundryProgram("anvil") !== undefined;
}

/** @throws Error, as a sentence, when it does not start */
export async function startAnvil(options: AnvilOptions = {}): Promise<Anvil> {
  const command = foundryProgram("anvil");
  if (command === undefined) throw new Error(`There is no anvil for ${process.platform}-${process.arch}.`);
  const statePath = options.statePath === undefined ? undefined : resolve(options.statePath);
  if (statePath !== undefined) mkdirSync(dirname(statePath), { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), "sequencer-anvil-"));
  const log = statePath === undefined ? join(scratch, "anvil.log") : `${statePath}.log`;
  const chainId = options.chainId ?? DEFAULT_CHAIN_ID;
  const guard = startGuarded({ command, args: argumentsOf(options, statePath, chainId), log });
  const stop = async (): Promise<void> => {
    await stopGuarded(guard);
    rmSync(scratch, { recursive: true, force: true });
  };

  let said = "";
  guard.stdout?.setEncoding("utf8").on("data", (chunk: string) => (said += chunk));
  for (const deadline = Date.now() + START_MS; Date.now() < deadline && !hasEnded(guard); await sleep(POLL_MS)) {
    // Before the guard has said something, the log is that of an earlier run.
    const port = said.includes("\n") ? listeningPort(log) : undefined;
    if (port !== undefined) {
      return { url: `http://127.0.0.1:${port}`, port, chainId, pid: Number(said), stop };
    }
  }
  const lines = existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n").slice(-LOG_LINES_SHOWN) : [];
  await stop();
  throw new Error(`anvil did not start. It says:\n${lines.join("\n")}`);
}

function argumentsOf(options: AnvilOptions, statePath: string | undefined, chainId: number): string[] {
  // Port 0: it takes a free one itself, which no other process can take in between.
  const args = ["--host", "127.0.0.1", "--port", String(options.port ?? 0), "--chain-id", String(chainId)];
  if (options.blockTime !== undefined) args.push("--block-time", String(options.blockTime));
  if (statePath !== undefined) args.push("--state", statePath, "--state-interval", STATE_INTERVAL_S);
  return args;
}

/** The port that it says it listens on, which is the last thing that it does to start. */
function listeningPort(log: string): number | undefined {
  if (!existsSync(log)) return undefined;
  const [, port] = /^Listening on 127\.0\.0\.1:(\d+)$/m.exec(readFileSync(log, "utf8")) ?? [];
  return port === undefined ? undefined : Number(port);
}

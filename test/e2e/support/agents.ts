import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { type Agent, type AgentEvent, createAgent } from "../../../agent/src/index.ts";
import { openSqliteStore } from "../../../agent/src/sqlite.ts";
import { registerKey, type Server } from "../../../scripts/lib/client.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import { generateSeed, signingKeyFromSeed, toHex } from "../../../src/ves/index.ts";
import type { Settings } from "./agent-life.ts";
import { collectOutput, tempDir } from "./processes.ts";

const SOURCE = join(import.meta.dirname, "agent-process.ts");
/** Where {@link agentProgram} has put it. */
let built: string | undefined;

/** What an agent's process is started with, but for where the sequencer is. */
export type Member = Omit<Settings, "url" | "apiKey" | "burst">;

/** A new agent of the stream, with a registered key and a file of its own. */
export async function newMember(server: Server, stream: StreamRef, plan: readonly AgentEvent[]): Promise<Member> {
  const seed = generateSeed();
  const identity = { ...stream, agentId: crypto.randomUUID(), keyId: 1 };
  await registerKey(server, { ...identity, key: await signingKeyFromSeed(seed) });
  return { identity, seed: toHex(seed), path: join(tempDir(), "agent.db"), plan };
}

/** The agent's program as one file, which starts in a quarter of the time that its sources take. */
function agentProgram(): string {
  if (built !== undefined) return built;
  const outfile = join(tempDir(), "agent-process.mjs");
  buildSync({ entryPoints: [SOURCE], outfile, bundle: true, platform: "node", format: "esm", logLevel: "error" });
  built = outfile;
  return outfile;
}

/** An agent in a process of its own. */
export interface AgentProcess {
  readonly child: ChildProcess;
  /** Whether it came to its end, rather than being killed. @throws Error when it failed */
  readonly ended: Promise<boolean>;
}

/** @param diesAt the step before which it kills itself; 0: it does not */
export function startAgent(settings: Settings, diesAt = 0): AgentProcess {
  const args = ["--disable-warning=ExperimentalWarning", agentProgram(), JSON.stringify(settings), String(diesAt)];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
  const output = collectOutput(child);
  const ended = once(child, "close").then(() => {
    if (child.signalCode === "SIGKILL") return false;
    if (child.exitCode === 0 && output.text().includes("done after")) return true;
    throw new Error(`an agent failed: ${output.text()}`);
  });
  return { child, ended };
}

/** The agent in this process, on the file that its process has left behind. */
export function reopen({ url, apiKey }: Server, { identity, seed, path }: Member): Promise<Agent> {
  return createAgent({
    url,
    credential: apiKey,
    identity,
    keys: { signing: seed },
    store: openSqliteStore(path),
    leaseMs: 500,
  });
}

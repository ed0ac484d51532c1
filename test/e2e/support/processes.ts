import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Server } from "../../../scripts/lib/client.ts";
import { bundleWorker } from "../../../scripts/lib/bundle-worker.ts";
import type { Variables } from "../../../scripts/lib/local-server.ts";
import { payloadKey } from "../../../src/at-rest/payload-key.ts";
import type { PayloadKeyring } from "../../../src/at-rest/payload-keyrings.ts";
import { fromHex, signingKeyFromSeed } from "../../../src/ves/index.ts";

const SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const API_KEY = "e2e_admin_key";
/** What serve.ts prints when a run of the Cron Trigger went well. */
const CRON_RAN = "ran";

/** What payloads of the servers under test are encrypted under. */
export const PAYLOAD_KEY = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";

/** Secrets of the servers under test; they protect nothing. */
const VARIABLES: Variables = {
  VES_SEQUENCER_SIGNING_KEY: SEED,
  BOOTSTRAP_ADMIN_API_KEY: API_KEY,
  PAYLOAD_ENCRYPTION_KEY: PAYLOAD_KEY,
};

/** A server in processes of its own. */
export interface ServerProcess extends Server {
  /** kill -9 of all its processes at once, workerd included. Returns when none of them is left. */
  readonly kill: () => Promise<void>;
  /** Of each of its edges. */
  readonly edgeUrls: readonly string[];
  /**
   * Fires the Cron Trigger of the anchoring Worker, and returns when its run has ended. One at a time.
   *
   * @throws Error when the run fails, or the server ends before it does
   */
  readonly runCron: () => Promise<void>;
  /** What it has said on standard error so far. Empty unless it was started with `keepErrors`. */
  readonly errors: () => string;
}

/** What a server has beyond the secrets that all servers under test share. */
export interface ServerOptions {
  readonly variables?: Variables;
  /** Of the mirror's database. Absent: the server has none. */
  readonly databaseUrl?: string;
  /** The anchoring Worker beside it. */
  readonly anchor?: {
    /** Of a {@link bundleFile}. */
    readonly bundle: string;
    readonly variables: Variables;
  };
  /** How many more of the Worker there are, each in an isolate of its own. */
  readonly edges?: number;
  /** Whether errors are expected: they are kept for the test to look at, instead of being shown. */
  readonly keepErrors?: boolean;
}

/** The key that receipts of {@link startServer}'s servers verify under. */
export async function receiptPublicKey(): Promise<Uint8Array> {
  return (await signingKeyFromSeed(fromHex(SEED))).publicKey;
}

/** What their payloads are read with. */
export function payloadKeyring(): PayloadKeyring {
  const current = payloadKey(fromHex(PAYLOAD_KEY));
  return { current, keys: new Map([[current.id, current]]), readsText: true };
}

/** A new directory; {@link removeTempDirs} removes it. */
export function tempDir(): string {
  const path = mkdtempSync(join(tmpdir(), "sequencer-e2e-"));
  // As root, Postgres runs as another user, who has to get through.
  chmodSync(path, 0o755);
  tempDirs.push(path);
  return path;
}
const tempDirs: string[] = [];

export function removeTempDirs(): void {
  for (const path of tempDirs.splice(0)) rmSync(path, { recursive: true, force: true, maxRetries: 3 });
}

/** Bundles a Worker into a file, for any number of {@link startServer}. */
export async function bundleFile(worker: "sequencer" | "anchor" = "sequencer"): Promise<string> {
  const path = join(tempDir(), "index.js");
  writeFileSync(path, await bundleWorker(worker));
  return path;
}

/** Serves a bundle from a data directory, which may be one that an earlier server left behind. */
export async function startServer(
  bundle: string,
  dataDirectory: string,
  { variables = {}, databaseUrl, anchor, edges, keepErrors = false }: ServerOptions = {},
): Promise<ServerProcess> {
  const program = join(import.meta.dirname, "serve.ts");
  const settings = JSON.stringify({ variables: { ...VARIABLES, ...variables }, databaseUrl, anchor, edges });
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", program, bundle, dataDirectory, settings],
    { detached: true, stdio: ["pipe", "pipe", keepErrors ? "pipe" : "inherit"] },
  );
  const output = collectText(child.stdout);
  const errors = collectText(child.stderr);
  try {
    await waitUntil(() => output.text().includes("\n"), 30_000, "the server prints its URL", child);
  } catch (error) {
    await killGroup(child);
    throw error;
  }
  const lines = (): string[] => output.text().trimEnd().split("\n");
  const [url = "", ...edgeUrls] = lines()[0]?.split(" ") ?? [];
  const runCron = async (): Promise<void> => {
    const before = lines().length;
    child.stdin?.write("\n");
    await waitUntil(() => lines().length > before, 60_000, "the run of the Cron Trigger ends", child);
    const said = lines().at(-1);
    if (said !== CRON_RAN) throw new Error(said);
  };
  // It may be killed while it is being written to.
  child.stdin?.on("error", () => undefined);
  return { url, edgeUrls, apiKey: API_KEY, kill: () => killGroup(child), runCron, errors: errors.text };
}

/** What a child has written so far, standard output and error together. */
export function collectOutput(child: ChildProcess): { readonly text: () => string } {
  return collectText(child.stdout, child.stderr);
}

/** What these streams carry, in the order in which it comes. */
export function collectText(...streams: (Readable | null)[]): { readonly text: () => string } {
  let text = "";
  for (const stream of streams) stream?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  return { text: () => text };
}

/** kill -9 of the group that a detached child leads. Returns when nobody of it is left. */
export async function killGroup(child: ChildProcess): Promise<void> {
  const { pid } = child;
  // Looking for the group takes a while, in which much that was to be cut off comes to its end.
  const isRunning = child.exitCode === null && child.signalCode === null;
  if (pid === undefined || (!isRunning && groupMembers(pid).length === 0)) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It went by itself since it was looked for.
  }
  await waitUntil(() => groupMembers(pid).length === 0, 10_000, `the killed group ${pid} is gone`);
}

/** Command lines of the processes in a group. Zombies hold nothing any more and do not count. */
export function groupMembers(group: number): string[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pgid=,stat=,args="], { encoding: "utf8" });
  return stdout.split("\n").flatMap((line) => {
    const [, id, state = "", command = ""] = /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    return Number(id) === group && !state.startsWith("Z") ? [command] : [];
  });
}

/** Polls until `condition` holds. @throws Error when it does not within `ms`, or when `child` ends before it does */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  ms: number,
  what: string,
  child?: ChildProcess,
): Promise<void> {
  for (const deadline = Date.now() + ms; ;) {
    if (await condition()) return;
    if (child !== undefined && (child.exitCode !== null || child.signalCode !== null)) {
      throw new Error(`ended before this held: ${what}`);
    }
    if (Date.now() > deadline) throw new Error(`did not hold within ${ms} ms: ${what}`);
    await sleep(20);
  }
}

import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleWorker } from "../lib/bundle-worker.ts";
import type { Server } from "../lib/client.ts";
import { newVariables } from "../lib/dev-vars.ts";
import { openDatabase } from "../lib/local-database.ts";
import { startWorker, type Variables } from "../lib/local-server.ts";
import type { Cleanup } from "./cleanup.ts";
import { progress } from "./report.ts";
import type { BenchCall, ObjectAnswer, ObjectCall } from "./worker/messages.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const WRANGLER = join(ROOT, "node_modules", "wrangler", "wrangler-dist", "cli.js");
const TMPFS = 0x0102_1994;

/** The Workers that are measured: the one that is deployed, and those of the benchmark's own (scripts/bench/worker). */
export type Variant = "production" | "one-commit-each" | "growing" | "index" | "unsealed";

/** A Worker whose streams are mirrored to a database. */
export interface MirroredServer extends Server {
  readonly databaseUrl: string;
}

/**
 * Starts each Worker when it is first needed, in a workerd and on a data directory of its own. Streams seal in all of them
 * but "unsealed"; only the one of {@link Servers.startMirrored} has a mirror.
 */
export class Servers {
  readonly #cleanup: Cleanup;
  readonly #dataRoot = dataRoot();
  readonly #running = new Map<Variant, Promise<Server>>();
  #mirrored: Promise<MirroredServer> | null = null;

  constructor(cleanup: Cleanup) {
    this.#cleanup = cleanup;
    cleanup.add(() => rmSync(this.#dataRoot, { recursive: true, force: true, maxRetries: 5 }));
  }

  get dataDirectory(): string {
    return this.#dataRoot;
  }

  start(variant: Variant): Promise<Server> {
    const running = this.#running.get(variant) ?? this.#start(variant);
    this.#running.set(variant, running);
    return running;
  }

  /** The Worker that is deployed, in a workerd of its own under the name, with other variables than it has by default. */
  async startWith(name: string, variables: Variables): Promise<Server> {
    progress(`starting the Worker (${name})`);
    return this.#serve(name, await bundleWorker(), { variables });
  }

  /** The Worker that is deployed with a PostgreSQL server beside it that writes to disk, as `npm start` runs both. */
  startMirrored(): Promise<MirroredServer> {
    this.#mirrored ??= this.#startMirrored();
    return this.#mirrored;
  }

  async #startMirrored(): Promise<MirroredServer> {
    progress("starting PostgreSQL");
    const database = await openDatabase(undefined, join(this.#dataRoot, "postgres"));
    this.#cleanup.addAsync(database.stop);
    progress("starting the Worker (mirrored)");
    const server = await this.#serve("mirrored", await bundleWorker(), { databaseUrl: database.url });
    return { ...server, databaseUrl: database.url };
  }

  async #start(variant: Variant): Promise<Server> {
    progress(`starting the Worker (${variant})`);
    return this.#serve(variant, variant === "production" ? await bundleWorker() : bundleBenchWorker(variant));
  }

  async #serve(
    name: string,
    bundle: string,
    options: { readonly databaseUrl?: string; readonly variables?: Variables } = {},
  ): Promise<Server> {
    const variables = { ...newVariables(), ...options.variables };
    const dataDirectory = join(this.#dataRoot, name);
    mkdirSync(dataDirectory);
    const mirror = options.databaseUrl === undefined ? {} : { databaseUrl: options.databaseUrl };
    const server = await startWorker({ bundle, variables, dataDirectory, port: 0, ...mirror });
    this.#cleanup.addAsync(server.stop);
    return { url: server.url, apiKey: variables["BOOTSTRAP_ADMIN_API_KEY"] ?? "" };
  }
}

/** Asks the benchmark's own Worker and times the whole call. */
export async function timedCall(server: Server, call: BenchCall): Promise<{ ms: number; answer: ObjectAnswer }> {
  const started = performance.now();
  const response = await fetch(server.url, { method: "POST", body: JSON.stringify(call) });
  const text = await response.text();
  const ms = performance.now() - started;
  if (!response.ok) throw new Error(`the benchmark's Worker failed: ${response.status} ${text.slice(0, 500)}`);
  return { ms, answer: JSON.parse(text) as ObjectAnswer };
}

export function objectCall(server: Server, object: string, call: ObjectCall): ReturnType<typeof timedCall> {
  return timedCall(server, { op: "object", object, call });
}

/** As bundleWorker, with another entry. */
function bundleBenchWorker(variant: Exclude<Variant, "production">): string {
  const out = mkdtempSync(join(tmpdir(), "sequencer-bundle-"));
  try {
    const entry = join(import.meta.dirname, "worker", `${variant}.ts`);
    const config = join(ROOT, "wrangler.toml");
    const args = [WRANGLER, "deploy", entry, "--dry-run", "--config", config, "--outdir", out];
    const env = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", WRANGLER_LOG: "warn" };
    const result = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8", env });
    if (result.status !== 0) throw new Error(`${variant} could not be bundled:\n${result.stdout}${result.stderr}`);
    return readFileSync(join(out, `${variant}.js`), "utf8");
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** A new directory on a disk: in memory, a commit would cost nothing. */
function dataRoot(): string {
  const own = join(ROOT, ".data");
  const parent = [tmpdir(), "/var/tmp"].find((directory) => isOnDisk(directory)) ?? own;
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(join(parent, "sequencer-bench-"));
  // Run by root, PostgreSQL is another user and has to pass through, or else its data is put elsewhere.
  chmodSync(directory, 0o711);
  return directory;
}

function isOnDisk(directory: string): boolean {
  try {
    return statfsSync(directory).type !== TMPFS;
  } catch {
    return false;
  }
}

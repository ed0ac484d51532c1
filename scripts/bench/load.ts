import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { generateSeed, signingKeyFromSeed, toHex } from "../../src/ves/index.ts";
import { registerKey, type Server } from "../lib/client.ts";
import type { Cleanup } from "./cleanup.ts";
import type { ClientRun, FromClient, LoadPlan, ToClient } from "./load-messages.ts";
import { percentile } from "./statistics.ts";

/** Enough that clients are not what is measured, few enough to leave the server a core on small machines. */
const CLIENTS = Math.max(2, Math.min(4, availableParallelism() - 2));

/** Requests are answered for this long before anything counts. */
const WARM_UP_MS = 400;

/** An agent that can be given to other processes. */
export interface LoadAgent {
  readonly tenantId: string;
  readonly agentId: string;
  readonly keyId: number;
  readonly seed: string;
}

export interface LoadOptions {
  readonly server: Server;
  readonly agent: LoadAgent;
  /** A new store unless given. */
  readonly storeId?: string;
  readonly batchSize: number;
  readonly callers: number;
  readonly commandIds: boolean;
  readonly seconds: number;
  /** Events a second to sign enough for. Enough for most machines unless given. */
  readonly ceilingRate?: number;
}

export interface LoadResult {
  readonly eventsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly requests: number;
  readonly errors: number;
  readonly firstError: string | null;
}

/** A new agent of a new tenant, with its key registered. */
export async function newLoadAgent(server: Server): Promise<LoadAgent> {
  const seed = generateSeed();
  const agent = { tenantId: crypto.randomUUID(), agentId: crypto.randomUUID(), keyId: 1 };
  await registerKey(server, { ...agent, storeId: crypto.randomUUID(), key: await signingKeyFromSeed(seed) });
  return { ...agent, seed: toHex(seed) };
}

/** One client process, asked one thing at a time. */
class Client {
  readonly #process: ChildProcess;
  readonly #ended: Promise<never>;

  constructor() {
    this.#process = fork(join(import.meta.dirname, "client.ts"), [], {
      serialization: "advanced",
      execArgv: ["--disable-warning=ExperimentalWarning", "--max-old-space-size=2048"],
    });
    this.#ended = once(this.#process, "exit").then(() => {
      throw new Error("a client process ended");
    });
    // Of interest only while something is asked.
    this.#ended.catch(() => undefined);
  }

  async ask(message: ToClient): Promise<FromClient> {
    const answered = once(this.#process, "message") as Promise<[FromClient]>;
    this.#process.send(message);
    const [answer] = await Promise.race([answered, this.#ended]);
    return answer;
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }
}

/** Several processes that send signed events to one stream. */
export class LoadClients {
  readonly #clients: readonly Client[];

  constructor(cleanup: Cleanup) {
    this.#clients = Array.from({ length: CLIENTS }, () => new Client());
    cleanup.add(() => this.stop());
  }

  /** Signs everything first. Call the function that it answers with to start the clock. */
  async prepare(options: LoadOptions): Promise<() => Promise<LoadResult>> {
    const { callers, batchSize, seconds } = options;
    const clients = this.#clients.slice(0, callers);
    const storeId = options.storeId ?? crypto.randomUUID();
    // Two waves at least: a caller whose only request is under way from start to end says nothing about a steady state.
    const rate = options.ceilingRate ?? usualCeilingRate(batchSize);
    const requests = Math.max(2 * callers, Math.ceil((rate * (seconds + WARM_UP_MS / 1_000)) / batchSize));
    await Promise.all(
      clients.map((client, index) => {
        const plan: LoadPlan = {
          ...options.agent,
          ...options.server,
          storeId,
          batchSize,
          commandIds: options.commandIds,
          callers: share(callers, index, clients.length),
          requests: share(requests, index, clients.length),
          prefix: `${crypto.randomUUID().slice(0, 8)}-${index}`,
        };
        return client.ask({ type: "prepare", plan });
      }),
    );
    return async () => {
      const message: ToClient = { type: "run", forMs: WARM_UP_MS + seconds * 1_000 };
      const answers = await Promise.all(clients.map((client) => client.ask(message)));
      return resultOf(
        answers.flatMap((answer) => (answer.type === "ran" ? [answer.run] : [])),
        batchSize,
        seconds,
      );
    };
  }

  stop(): void {
    for (const client of this.#clients) client.stop();
  }
}

/** Events a second that are enough for most machines. On a faster one the clock stops when the requests run out. */
function usualCeilingRate(batchSize: number): number {
  if (batchSize === 1) return 3_000;
  return batchSize === 10 ? 9_000 : 12_000;
}

function share(total: number, index: number, of: number): number {
  return Math.floor(total / of) + (index < total % of ? 1 : 0);
}

/**
 * What happened in the window after the warm-up. A request counts by the share of its time that lies in the window, so
 * that long requests that begin before it or end after it neither add nor lose anything on average.
 */
function resultOf(runs: readonly ClientRun[], batchSize: number, seconds: number): LoadResult {
  const first = Math.min(...runs.map(({ started }) => started[0] ?? Infinity));
  const from = first + WARM_UP_MS;
  const to = Math.min(from + seconds * 1_000, ...runs.map(({ ranOutAt }) => ranOutAt ?? Infinity));
  const latencies: number[] = [];
  let requests = 0;
  for (const { started, ended } of runs) {
    for (const [index, start] of started.entries()) {
      const end = ended[index] ?? start;
      requests += Math.max(0, Math.min(end, to) - Math.max(start, from)) / (end - start);
      if (end >= from && start < to) latencies.push(end - start);
    }
  }
  return {
    eventsPerSecond: (requests * batchSize * 1_000) / (to - from),
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    requests: latencies.length,
    errors: runs.reduce((sum, run) => sum + run.errors, 0),
    firstError: runs.map(({ firstError }) => firstError).find((error) => error !== null) ?? null,
  };
}

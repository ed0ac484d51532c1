import { setTimeout as sleep } from "node:timers/promises";
import { Pool } from "pg";
import type { LocalChain } from "./local-chain.ts";

/*
 * What makes anchoring go on by itself on this machine: Cron Triggers fire in a deployment only, and a chain of our own adds
 * blocks only for transactions.
 */

const CRON_MS = 3_000;
const BLOCK_MS = 500;
/** How long a run that is under way may take to end before its server is stopped. */
const LAST_RUN_MS = 2_000;
/** How long a problem waits to be said. */
const PATIENCE_MS = 250;
/** What the anchoring Worker's lines say of a run. */
const MESSAGE = "a run of the anchoring met a problem";

export interface LocalAnchoring {
  /** Ends it before the server and the database are stopped. */
  readonly stop: () => Promise<void>;
}

/** Says what keeps anchoring from going on once, and not with every run. */
export class ProblemLog {
  #before: ReadonlySet<string> = new Set();
  #now = new Set<string>();

  /** Whether a message of the Workers is to be shown. */
  readonly isNew = (message: string): boolean => {
    const problem = problemOf(message);
    if (problem === undefined) return true;
    const isNew = !this.#before.has(problem) && !this.#now.has(problem);
    this.#now.add(problem);
    return isNew;
  };

  /** Says a problem that no message of the Workers tells of. */
  say(problem: string): void {
    const line = JSON.stringify({ level: "error", message: MESSAGE, time: new Date().toISOString(), error: problem });
    if (this.isNew(line)) process.stderr.write(`${line}\n`);
  }

  /** What the last run did not say is new when a later one does. */
  beginRun(): void {
    this.#before = this.#now;
    this.#now = new Set();
  }
}

/** What a line of a log says that a run met; undefined when it says something else. */
function problemOf(line: string): string | undefined {
  if (!line.includes(MESSAGE)) return undefined;
  const { error } = JSON.parse(line) as { readonly error?: string };
  return error;
}

/** Fires the anchoring Worker's Cron Trigger every few seconds, and adds blocks while something waits for them. */
export function startAnchoring(options: {
  readonly runCron: () => Promise<void>;
  readonly mine: LocalChain["mine"];
  readonly databaseUrl: string;
  /** Whether no other server can be using the database. */
  readonly isDatabaseOurs: boolean;
  readonly problems: ProblemLog;
}): LocalAnchoring {
  const { runCron, mine, problems } = options;
  const stopping = new AbortController();
  const pool = new Pool({ connectionString: options.databaseUrl, max: 1 });
  // A connection that breaks while nobody uses it; the next question gets another one.
  pool.on("error", () => undefined);

  let isLeaseFree = !options.isDatabaseOurs;
  const run = async (): Promise<void> => {
    problems.beginRun();
    try {
      await pool.query(isLeaseFree ? "SELECT 1" : END_LEASE);
      isLeaseFree = true;
      await runCron();
    } catch (error) {
      // Ctrl-C ends the Workers too, and maybe before this process hears of it.
      await pause(PATIENCE_MS, stopping.signal);
      if (!stopping.signal.aborted) problems.say((error as Error).message);
    }
  };
  const addBlock = async (): Promise<void> => {
    try {
      const { rowCount } = await pool.query("SELECT 1 FROM ves_anchor_attempts WHERE status = 'open' LIMIT 1");
      if (rowCount === 1) await mine?.();
    } catch {
      // Runs fail of the same, and say so.
    }
  };
  const running = repeat(run, CRON_MS, stopping.signal);
  const mining = mine === null ? Promise.resolve() : repeat(addBlock, BLOCK_MS, stopping.signal);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await Promise.race([Promise.all([running, mining]), sleep(LAST_RUN_MS, undefined, { ref: false })]);
    await pool.end();
  };
  return { stop };
}

/** A run that was killed with its server would hold up those after it for two minutes. */
const END_LEASE = "UPDATE ves_anchor_state SET lease_holder = NULL, lease_until = NULL";

/** Never two at once. */
async function repeat(work: () => Promise<void>, everyMs: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await work();
    await pause(everyMs, signal);
  }
}

/** Ends early when it is aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

import { spawn } from "node:child_process";
import { openSync } from "node:fs";

/*
 * Runs Postgres for embedded-postgres.ts: `node postgres-guard.ts GUARDED`, where GUARDED is a {@link Guarded} as JSON.
 * Says the postmaster's process id as one line, and ends when Postgres does. When its input ends, it stops Postgres: the
 * system closes that pipe however the program at its other end came to its end, so that nothing is left running.
 */

/** What to run, and as whom. */
export interface Guarded {
  readonly command: string;
  readonly args: readonly string[];
  /** User and group; absent for those of this process. */
  readonly uid?: number;
  readonly gid?: number;
  /** File for what Postgres says; what an earlier run said is dropped. */
  readonly log: string;
}

/** After this long, Postgres is stopped as in a crash: its next start recovers. */
const FAST_STOP_MS = 20_000;

const { command, args, log, ...user } = JSON.parse(process.argv[2] ?? "") as Guarded;
const output = openSync(log, "w", 0o600);
const postgres = spawn(command, args, { ...user, cwd: "/", stdio: ["ignore", output, output] });
postgres.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
postgres.on("exit", (code) => process.exit(code ?? 1));
process.stdin.resume().on("end", stop).on("error", stop);
// Nobody may be there any more to read it.
process.stdout.on("error", () => {});
process.stdout.write(`${postgres.pid}\n`);

function stop(): void {
  // SIGINT: end all sessions, write everything down, and end. SIGQUIT: end at once.
  postgres.kill("SIGINT");
  setTimeout(() => postgres.kill("SIGQUIT"), FAST_STOP_MS).unref();
}

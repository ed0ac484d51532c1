import { spawn } from "node:child_process";
import { openSync } from "node:fs";

/*
 * Runs a server for guarded-process.ts: `node process-guard.ts GUARDED`, where GUARDED is a {@link Guarded} as JSON. Says
 * the server's process id as one line, and ends when the server does. When its input ends, it stops the server: the system
 * closes that pipe however the program at its other end came to its end, so that nothing is left running.
 */

/** What to run, and as whom. */
export interface Guarded {
  readonly command: string;
  readonly args: readonly string[];
  /** User and group; absent for those of this process. */
  readonly uid?: number;
  readonly gid?: number;
  /** File for what the server says; what an earlier run said is dropped. */
  readonly log: string;
}

/** After this long, the server is stopped as in a crash. */
const FAST_STOP_MS = 20_000;

const { command, args, log, ...user } = JSON.parse(process.argv[2] ?? "") as Guarded;
const output = openSync(log, "w", 0o600);
const server = spawn(command, args, { ...user, cwd: "/", stdio: ["ignore", output, output] });
server.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
server.on("exit", (code) => process.exit(code ?? 1));
process.stdin.resume().on("end", stop).on("error", stop);
// Nobody may be there any more to read it.
process.stdout.on("error", () => {});
process.stdout.write(`${server.pid}\n`);

function stop(): void {
  // Postgres and anvil alike write everything down and end on SIGINT, and end at once on SIGQUIT.
  server.kill("SIGINT");
  setTimeout(() => server.kill("SIGQUIT"), FAST_STOP_MS).unref();
}

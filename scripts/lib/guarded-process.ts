import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Guarded } from "./process-guard.ts";

/*
 * A server of the project's own that never outlives the program that started it: the child is a guard, see
 * process-guard.ts, and the server is the guard's.
 */

/** A guard in a session of its own: Ctrl-C in a terminal must not reach the server, which ends after what uses it. */
export function startGuarded(guarded: Guarded): ChildProcess {
  const program = join(import.meta.dirname, "process-guard.ts");
  const args = ["--disable-warning=ExperimentalWarning", program, JSON.stringify(guarded)];
  const guard = spawn(process.execPath, args, { detached: true, cwd: "/", stdio: ["pipe", "pipe", "inherit"] });
  // It may end before its input does.
  guard.stdin.on("error", () => {});
  return guard;
}

/** Ends the server in good order, and its guard. Also fine when they have already ended. */
export async function stopGuarded(guard: ChildProcess): Promise<void> {
  guard.stdin?.end();
  if (!hasEnded(guard)) await once(guard, "exit");
}

/** Whether the guard, and thus its server, has ended. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

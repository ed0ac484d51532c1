import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/*
 * The first process of a running Postgres: the file by which it claims its data, and its end by force.
 */

const POLL_MS = 5;

/** What a postmaster says of itself in its cluster. */
export interface PostmasterLock {
  readonly pid: number;
  /** Whether it accepts connections. */
  readonly isReady: boolean;
}

/** Undefined when no postmaster runs on the cluster, and none has left its file behind. */
export function readLock(cluster: string): PostmasterLock | undefined {
  try {
    // The process id in the first line, what it is doing in the eighth.
    const lines = readFileSync(lockPath(cluster), "utf8").split("\n");
    return { pid: Number(lines[0]), isReady: lines[7]?.trim() === "ready" };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Removes the file of a postmaster that was killed, when its process id is another program's by now. Postgres itself sees
 * only that there is such a process. Returns false when the postmaster is still running.
 */
export function removeStaleLock(cluster: string): boolean {
  const lock = readLock(cluster);
  if (lock !== undefined && processes().some(({ pid, command }) => pid === lock.pid && command.includes("postgres"))) {
    return false;
  }
  rmSync(lockPath(cluster), { force: true });
  return true;
}

/** kill -9 of a postmaster and everything it has started. Returns when none of them is left. */
export async function killPostmaster(postmaster: number): Promise<void> {
  // Stopped, it cannot start another one while its children are looked up.
  if (!signal(postmaster, "SIGSTOP")) return;
  const family = new Set([postmaster]);
  for (const { pid, parent } of processes()) if (parent === postmaster) family.add(pid);
  for (const pid of family) signal(pid, "SIGKILL");
  while (processes().some(({ pid }) => family.has(pid))) await sleep(POLL_MS);
}

function lockPath(cluster: string): string {
  return join(cluster, "postmaster.pid");
}

/** Returns false when the process is gone. */
function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** All processes but those that have ended and wait for their parent to look. */
function processes(): { readonly pid: number; readonly parent: number; readonly command: string }[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid=,stat=,args="], { encoding: "utf8" });
  return stdout.split("\n").flatMap((line) => {
    const [, pid, parent, state = "Z", command = ""] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    return state.startsWith("Z") ? [] : [{ pid: Number(pid), parent: Number(parent), command }];
  });
}

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { tempDir } from "./processes.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");

/**
 * A copy of the project as a fresh clone with installed dependencies: every file that is or could be committed. Its
 * node_modules holds links to the packages, so that an install there, which must not happen, cannot harm the real ones.
 */
export function workingCopy(): string {
  const copy = tempDir();
  const git = spawnSync("git", ["ls-files", "-coz", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" });
  if (git.status !== 0) throw new Error(`git ls-files: ${git.stderr}`);
  for (const file of git.stdout.split("\0").filter((name) => name !== "" && existsSync(join(ROOT, name)))) {
    mkdirSync(join(copy, dirname(file)), { recursive: true });
    copyFileSync(join(ROOT, file), join(copy, file));
  }
  const packages = join(ROOT, "node_modules");
  mkdirSync(join(copy, "node_modules"));
  for (const entry of readdirSync(packages)) symlinkSync(join(packages, entry), join(copy, "node_modules", entry));
  return copy;
}

/** The environment of somebody who types a command: nothing of the test run's own, and the system's Node and npm. */
export function userEnvironment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((entry) => !entry.includes("node_modules"));
  const environment: Record<string, string> = {
    PATH: path.join(delimiter),
    HOME: process.env["HOME"] ?? "",
    // npm's own advertisement for its next version.
    npm_config_update_notifier: "false",
    ...more,
  };
  // The generated types say that every environment holds the Worker's secrets; a user's does not.
  return environment as NodeJS.ProcessEnv;
}

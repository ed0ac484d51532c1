import { spawnSync } from "node:child_process";
import { join } from "node:path";

const PROGRAM = join(import.meta.dirname, "..", "..", "scripts", "admin.ts");

/** What `npm run admin -- ...args` says and ends with. */
export function runAdmin(...args: readonly string[]): {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
} {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", PROGRAM, ...args],
    { encoding: "utf8" },
  );
  return { code: status, out: stdout, error: stderr };
}

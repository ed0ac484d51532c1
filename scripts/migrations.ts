import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

/*
 * `npm run migrations [-- --name NAME]` writes the step that brings migrations/postgres to src/mirror/schema.ts; with
 * --check it fails when one is missing.
 */

const ROOT = join(import.meta.dirname, "..");
const FOLDER = join("migrations", "postgres");

if (!process.argv.includes("--check")) {
  const { status, output } = generate(FOLDER, process.argv.slice(2));
  process.stdout.write(output);
  process.exitCode = status ?? 1;
} else {
  // A copy, to see what would be written. It is below the project because the generator takes relative paths only.
  const copy = mkdtempSync(join(ROOT, "node_modules", ".migrations-"));
  try {
    cpSync(join(ROOT, FOLDER), copy, { recursive: true });
    const { status, output } = generate(copy.slice(ROOT.length + 1), []);
    const isCurrent = readdirSync(copy).length === readdirSync(join(ROOT, FOLDER)).length;
    if (status !== 0 || !isCurrent) {
      process.stderr.write(
        `${status === 0 ? "" : output}migrations/postgres is out of date: run npm run migrations.\n`,
      );
      process.exitCode = 1;
    }
  } finally {
    rmSync(copy, { recursive: true });
  }
}

function generate(
  folder: string,
  args: readonly string[],
): { readonly status: number | null; readonly output: string } {
  const generator = join(ROOT, "node_modules", "drizzle-kit", "bin.cjs");
  const schema = join("src", "mirror", "schema.ts");
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [generator, "generate", "--dialect", "postgresql", "--schema", schema, "--out", folder, ...args],
    // Without an answer to its questions about renamed columns, it fails.
    { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
  );
  return { status, output: stdout + stderr };
}

import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";

const run = promisify(execFile);

const ROOT = join(import.meta.dirname, "..", "..");
const AGENT = join(ROOT, "agent");
const TSC = join(ROOT, "node_modules", "typescript", "bin", "tsc");

/** What the package exports, one file each, and its programs. */
const ENTRIES = {
  index: "index",
  sqlite: "sqlite",
  encryption: "encryption/index",
  protocol: "protocol",
  "stateset-sync": "cli/stateset-sync",
  "stateset-agent-mcp": "mcp/main",
};

/**
 * Builds agent/dist: JavaScript that imports nothing but the packages that agent/package.json names, and declarations.
 *
 * @throws Error when something does not compile
 */
export async function buildAgent(): Promise<void> {
  const out = join(AGENT, "dist");
  rmSync(out, { recursive: true, force: true });
  await Promise.all([
    bundleAgent(out),
    run(process.execPath, [TSC, "--project", AGENT]).catch((error: Error & { stdout?: string }) => {
      throw new Error(`the agent's declarations could not be made:\n${error.stdout}`);
    }),
  ]);
}

/**
 * Writes the package's JavaScript into a directory.
 *
 * @param packages whether the packages that it needs are in it, or imported
 * @throws Error when it cannot be bundled
 */
export async function bundleAgent(directory: string, packages: "bundle" | "external" = "external"): Promise<void> {
  await build({
    entryPoints: Object.entries(ENTRIES).map(([name, path]) => ({ out: name, in: join(AGENT, "src", `${path}.ts`) })),
    outdir: directory,
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    packages,
    external: ["node:*"],
    sourcemap: true,
    logLevel: "error",
  });
}

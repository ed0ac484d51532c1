import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/*
 * Apart from what serves a bundle, which takes a second to load: bundling takes as long, in a process of its own.
 */

const run = promisify(execFile);

const ROOT = join(import.meta.dirname, "..", "..");
const WRANGLER = join(ROOT, "node_modules", "wrangler", "wrangler-dist", "cli.js");

/** The Workers' configuration files. */
export const WORKER_CONFIGS = {
  sequencer: join(ROOT, "wrangler.toml"),
  anchor: join(ROOT, "workers", "anchor", "wrangler.toml"),
};

/** A Worker as one JavaScript module: exactly what `wrangler deploy` would upload. */
export async function bundleWorker(worker: keyof typeof WORKER_CONFIGS = "sequencer"): Promise<string> {
  const out = mkdtempSync(join(tmpdir(), "sequencer-bundle-"));
  try {
    const args = [WRANGLER, "deploy", "--dry-run", "--config", WORKER_CONFIGS[worker], "--outdir", out];
    const env = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", WRANGLER_LOG: "warn" };
    await run(process.execPath, args, { cwd: ROOT, env }).catch(
      (error: Error & { stdout?: string; stderr?: string }) => {
        throw new Error(`the Worker could not be bundled:\n${error.stdout}${error.stderr}`);
      },
    );
    return readFileSync(join(out, "index.js"), "utf8");
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { removeTempDirs, tempDir } from "./support/processes.ts";
import { userEnvironment, workingCopy } from "./support/working-copy.ts";

/** The platform takes 3 MiB on its free plan; what counts is that a dependency of 200 KB does not slip in unseen. */
const MAX_GZIP_KB = 400;

/** Each Worker's script, and what it is bound to. */
const WORKERS = [
  [
    "deploy",
    [
      "env.STREAMS (StreamSequencer)",
      "env.TENANTS (TenantRegistry)",
      "env.LIMITS (RateLimiter)",
      "env.METRICS (Metrics)",
      "env.POSTGRES (",
    ],
  ],
  ["deploy:anchor", ["env.STREAMS (StreamSequencer, defined in stateset-sequencer)", "env.POSTGRES ("]],
] as const;

let clone: string;

beforeAll(() => {
  clone = workingCopy();
});
afterAll(removeTempDirs);

function npm(...args: string[]): { readonly status: number | null; readonly text: string } {
  const env = userEnvironment({ WRANGLER_SEND_METRICS: "false" });
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd: clone, env, encoding: "utf8" });
  return { status, text: stdout + stderr };
}

test.each(WORKERS)("npm run %s passes as a dry run, with a small bundle of one module", (script, bindings) => {
  const out = tempDir();
  const { status, text } = npm("run", script, "--", "--dry-run", "--outdir", out);
  expect(text).toContain("--dry-run: exiting now.");
  expect(text).not.toMatch(/warning|deprecated/i);
  expect(status).toBe(0);
  expect([...text.matchAll(/^env\.\w+ /gm)]).toHaveLength(bindings.length);
  for (const binding of bindings) expect(text).toContain(`\n${binding}`);
  expect(readdirSync(out).filter((name) => /\.(m?js|wasm)$/.test(name))).toEqual(["index.js"]);
  expect(gzipSync(readFileSync(join(out, "index.js"))).length / 1024).toBeLessThan(MAX_GZIP_KB);
});

test("worker-configuration.d.ts is what wrangler generates on a fresh clone", () => {
  const { status, text } = npm("exec", "--", "wrangler", "types", "--check");
  expect(text).toContain("up to date");
  expect(status).toBe(0);
});

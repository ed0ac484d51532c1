import { spawnSync } from "node:child_process";
import { join } from "node:path";

/*
 * `npm test [-- arguments of vitest]`: every suite, in Node and in workerd, and end to end with real processes.
 */

const vitest = join(import.meta.dirname, "..", "node_modules", "vitest", "vitest.mjs");
const { status } = spawnSync(process.execPath, [vitest, "run", ...process.argv.slice(2)], {
  stdio: "inherit",
  env: {
    ...process.env,
    NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
    WRANGLER_LOG: "error",
    WRANGLER_SEND_METRICS: "false",
  },
});
process.exit(status ?? 1);

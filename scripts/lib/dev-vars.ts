import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { generateSeed, toHex } from "../../src/ves/index.ts";
import type { Variables } from "./local-server.ts";

const PATH = join(import.meta.dirname, "..", "..", ".dev.vars");

/** Key of the local administrator: fixed, so that examples can show it. */
export const LOCAL_ADMIN_KEY = "dev_admin_key";

/** New secrets for a server on this machine. */
export function newVariables(): Variables {
  return {
    VES_SEQUENCER_SIGNING_KEY: toHex(generateSeed()),
    BOOTSTRAP_ADMIN_API_KEY: LOCAL_ADMIN_KEY,
    PAYLOAD_ENCRYPTION_KEY: toHex(generateSeed()),
  };
}

/** The secrets in .dev.vars, which is made when it is not there: receipts must verify after a restart too. */
export function localVariables(): Variables {
  if (!existsSync(PATH)) {
    const lines = Object.entries(newVariables()).map(([name, value]) => `${name}=${value}\n`);
    const heading = "# Secrets of the local server. Never commit this file, and never use them elsewhere.\n";
    writeFileSync(PATH, heading + lines.join(""), { mode: 0o600 });
  }
  return parseEnv(readFileSync(PATH, "utf8")) as Variables;
}

import { fromHex, VesError } from "../../../../src/ves/index.ts";
import { UsageError } from "../../../../scripts/lib/usage.ts";
import { command } from "../command.ts";
import { CommandError } from "../command-error.ts";
import { readConfig, writeConfig } from "../config.ts";
import { ENCRYPTION_HELP, ENCRYPTION_OPTION, generateEncryption } from "../encryption-keys.ts";
import { EXIT } from "../exit-codes.ts";
import { KEY_ID_HELP, keyPath, localKeyIds, readKeyId, storeNewKey } from "../key-files.ts";
import { readSecret } from "../secrets.ts";
import { lines } from "../text.ts";

/** The agent's first key. */
export const keysGenerate = command({
  name: "keys generate",
  summary: "make the agent's signing key",
  about: `Makes an Ed25519 key, which the agent signs with from then on. It is kept in the agent's directory,
for nobody but you to read, and printed nowhere. Needs no network. An agent that has a key gets
another with stateset-sync keys rotate.

With --encryption, makes an X25519 key that others encrypt to; the newest is the agent's own, and the
others stay to read what was encrypted to them.
`,
  optionsHelp: `${KEY_ID_HELP}  --seed-file PATH      use the key whose seed, 64 hex digits, is in this file, or in standard input for -
${ENCRYPTION_HELP}`,
  options: { "key-id": { type: "string" }, "seed-file": { type: "string" }, ...ENCRYPTION_OPTION },
  run: async (call, options) => {
    if (options.encryption === true) return generateEncryption(call, options);
    const { files } = call;
    const config = readConfig(files);
    if (config.keyId !== null) {
      const message = `This agent signs with key ${config.keyId} already: run stateset-sync keys rotate for another.`;
      throw new CommandError("KEY_EXISTS", message, EXIT.unsound);
    }
    const next = (localKeyIds(files).at(-1) ?? 0) + 1;
    const keyId = options["key-id"] === undefined ? next : readKeyId(options["key-id"]);
    const path = options["seed-file"];
    const { publicKey } = await storeNewKey(files, keyId, path === undefined ? undefined : readSeed(path));
    writeConfig(files, { ...config, keyId });
    return {
      json: { keyId, publicKey, file: keyPath(files, keyId) },
      text: lines(
        `Made key ${keyId}, with the public key ${publicKey}`,
        "Next: stateset-sync keys register, or have an administrator register what stateset-sync keys export prints",
      ),
    };
  },
});

/** @throws UsageError, which does not repeat what was read */
function readSeed(path: string): Uint8Array {
  try {
    return fromHex(readSecret(path, "--seed-file"), 32);
  } catch (error) {
    if (error instanceof VesError) throw new UsageError("--seed-file: a seed has 64 hex digits.");
    throw error;
  }
}

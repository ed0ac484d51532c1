import { resolve } from "node:path";
import { command } from "../command.ts";
import { readConfig } from "../config.ts";
import { createPrivateFile } from "../files.ts";
import { readKey, readKeyId, signingKeyOfFile, usedKeyId } from "../key-files.ts";
import { registrationOf } from "../registered-keys.ts";

/** What others need of a key, or what it is restored from. */
export const keysExport = command({
  name: "keys export",
  summary: "print what an administrator registers of a key, or keep a copy of it",
  about: `Prints what an administrator sends to POST /api/v1/agents/keys to register the key in use, or key
KEY_ID of those on disk: its public part, and proof that the agent holds it. Needs no network.
`,
  optionalArgs: ["KEY_ID"],
  optionsHelp: `  --seed-to PATH        write the secret seed into this new file, for nobody but you to read:
                        stateset-sync keys generate --seed-file PATH restores the key from it
`,
  options: { "seed-to": { type: "string" } },
  run: async ({ files }, options, [id]) => {
    const config = readConfig(files);
    const keyId = id === undefined ? usedKeyId(config) : readKeyId(id);
    const key = readKey(files, keyId);
    if (options["seed-to"] !== undefined) {
      const file = resolve(options["seed-to"]);
      createPrivateFile(file, `${key.seed}\n`);
      return { json: { keyId, publicKey: key.publicKey, file }, text: `The seed of key ${keyId} is in ${file}.\n` };
    }
    const registration = await registrationOf(config, keyId, await signingKeyOfFile(key));
    return { json: registration, text: `${JSON.stringify(registration, null, 2)}\n` };
  },
});

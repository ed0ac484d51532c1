import { command } from "../command.ts";
import { readConfig } from "../config.ts";
import { ENCRYPTION_HELP, ENCRYPTION_OPTION, registerEncryption } from "../encryption-keys.ts";
import { readKey, readKeyId, signingKeyOfFile, usedKeyId } from "../key-files.ts";
import { registerKey } from "../registered-keys.ts";
import { apiOf, NETWORK_HELP, NETWORK_OPTIONS } from "../session.ts";

/** Makes a key known to the sequencer. */
export const keysRegister = command({
  name: "keys register",
  summary: "register the agent's key with the sequencer",
  about: `Registers the key in use, or key KEY_ID of those on disk, with proof that the agent holds it. That
takes a credential of an administrator. The same again changes nothing.

With --encryption, lists a key for others to encrypt to, signed by the agent: the newest, or the one
with the kid KEY_ID. That takes no administrator.
`,
  optionalArgs: ["KEY_ID"],
  optionsHelp: `  --valid-from TIME     valid from then on, RFC 3339
  --valid-to TIME       valid until then, RFC 3339
${ENCRYPTION_HELP}${NETWORK_HELP}`,
  options: {
    "valid-from": { type: "string" },
    "valid-to": { type: "string" },
    ...ENCRYPTION_OPTION,
    ...NETWORK_OPTIONS,
  },
  run: async (call, options, [id]) => {
    if (options.encryption === true) return registerEncryption(call, options, id);
    const config = readConfig(call.files);
    const keyId = id === undefined ? usedKeyId(config) : readKeyId(id);
    const file = readKey(call.files, keyId);
    const validity = { validFrom: options["valid-from"], validTo: options["valid-to"] };
    const key = await signingKeyOfFile(file);
    const isNew = await registerKey(apiOf(call, config, options), config, keyId, key, validity);
    return {
      json: { keyId, publicKey: file.publicKey, isNew },
      text: `Key ${keyId} is registered${isNew ? "" : " already"}.\n`,
    };
  },
});

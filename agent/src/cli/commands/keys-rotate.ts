import { command } from "../command.ts";
import { readConfig, writeConfig } from "../config.ts";
import type { AgentFiles } from "../files.ts";
import { localKeyIds, readKey, signingKeyOfFile, storeNewKey, usedKeyId } from "../key-files.ts";
import { type RegisteredKey, registeredKeys, registerKey } from "../registered-keys.ts";
import { apiOf, NETWORK_HELP, NETWORK_OPTIONS } from "../session.ts";
import { lines } from "../text.ts";

/** Another key in place of the one in use. */
export const keysRotate = command({
  name: "keys rotate",
  summary: "make and register another key, and sign with it from now on",
  about: `Makes a key, registers it, and then uses it. That takes a credential of an administrator. The old
key stays valid for what was signed with it and is not sent yet: push, and then revoke it with
stateset-sync keys revoke. One that was interrupted is finished by the same again.
`,
  optionsHelp: NETWORK_HELP,
  options: NETWORK_OPTIONS,
  run: async (call, options) => {
    const config = readConfig(call.files);
    const previousKeyId = usedKeyId(config);
    const api = apiOf(call, config, options);
    const registered = await registeredKeys(api, config);
    const keyId = await nextKey(call.files, previousKeyId, registered);
    const file = readKey(call.files, keyId);
    await registerKey(api, config, keyId, await signingKeyOfFile(file));
    writeConfig(call.files, { ...config, keyId });
    return {
      json: { keyId, publicKey: file.publicKey, previousKeyId },
      text: lines(
        `Key ${keyId} signs from now on.`,
        `Key ${previousKeyId} is still valid. When all is pushed: stateset-sync keys revoke ${previousKeyId}`,
      ),
    };
  },
});

/** The id of a key on disk that is newer than the one in use and can be registered, or else of a new one. */
async function nextKey(files: AgentFiles, used: number, registered: readonly RegisteredKey[]): Promise<number> {
  const ids = localKeyIds(files);
  const isUsable = (keyId: number): boolean => {
    const known = registered.find((key) => key.keyId === keyId);
    return known === undefined || (known.status === "active" && known.publicKey === readKey(files, keyId).publicKey);
  };
  const unfinished = ids.find((keyId) => keyId > used && isUsable(keyId));
  if (unfinished !== undefined) return unfinished;
  const { keyId } = await storeNewKey(files, Math.max(...ids, ...registered.map((key) => key.keyId)) + 1);
  return keyId;
}

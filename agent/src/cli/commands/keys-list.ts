import { command } from "../command.ts";
import { type Config, readConfig } from "../config.ts";
import type { AgentFiles } from "../files.ts";
import { ENCRYPTION_HELP, ENCRYPTION_OPTION, listEncryption } from "../encryption-keys.ts";
import { localKeyIds, readKey } from "../key-files.ts";
import { type RegisteredKey, registeredKeys } from "../registered-keys.ts";
import { apiOf, NETWORK_HELP, NETWORK_OPTIONS } from "../session.ts";
import { columns } from "../text.ts";

/** The agent's keys, here and at the sequencer. */
export const keysList = command({
  name: "keys list",
  summary: "list the agent's keys, those on disk and those that are registered",
  about: `Lists the agent's keys by id: whether it is the one in use, whether it is on disk, and what the
sequencer says of it: active, revoked, expired, not_yet_valid, unregistered, or another where the
key that is registered is not the one on disk.

With --encryption, lists those that others encrypt to, by kid; the one in use is the newest on disk.
`,
  optionsHelp: `  --local               do not ask the sequencer
${ENCRYPTION_HELP}${NETWORK_HELP}`,
  options: { local: { type: "boolean" }, ...ENCRYPTION_OPTION, ...NETWORK_OPTIONS },
  run: async (call, options) => {
    const config = readConfig(call.files);
    const api = options.local === true ? null : apiOf(call, config, options);
    if (options.encryption === true) return listEncryption(call, api);
    const registered = api === null ? null : await registeredKeys(api, config);
    const keys = listed(call.files, config, registered);
    const rows = keys.map(({ keyId, publicKey, status, isUsed, isLocal }) => [
      isUsed ? "*" : " ",
      String(keyId),
      status ?? "",
      isLocal ? "on disk" : "not here",
      publicKey,
    ]);
    return { json: { keys }, text: rows.length === 0 ? "There is no key.\n" : `${columns(rows)}\n` };
  },
});

interface ListedKey {
  readonly keyId: number;
  /** Hex. Of the one on disk, where there is one. */
  readonly publicKey: string;
  /** Null when the sequencer was not asked. */
  readonly status: RegisteredKey["status"] | "unregistered" | "another" | null;
  readonly isUsed: boolean;
  readonly isLocal: boolean;
  readonly validFrom: string | null;
  readonly validTo: string | null;
  readonly revokedAt: string | null;
}

function listed(files: AgentFiles, config: Config, registered: readonly RegisteredKey[] | null): ListedKey[] {
  const own = new Map(localKeyIds(files).map((keyId) => [keyId, readKey(files, keyId).publicKey]));
  const others = new Map((registered ?? []).map((key) => [key.keyId, key]));
  const ids = [...new Set([...own.keys(), ...others.keys()])].toSorted((one, other) => one - other);
  return ids.map((keyId) => {
    const [local, known] = [own.get(keyId), others.get(keyId)];
    const isOther = local !== undefined && known !== undefined && local !== known.publicKey;
    const status = registered === null ? null : isOther ? "another" : (known?.status ?? "unregistered");
    return {
      keyId,
      publicKey: local ?? known?.publicKey ?? "",
      status,
      isUsed: keyId === config.keyId,
      isLocal: local !== undefined,
      validFrom: known?.validFrom ?? null,
      validTo: known?.validTo ?? null,
      revokedAt: known?.revokedAt ?? null,
    };
  });
}

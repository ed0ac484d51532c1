import { z } from "zod";
import { fromHex, hex32Field, isRfc3339, toHex } from "../../../src/ves/index.ts";
import { UsageError } from "../../../scripts/lib/usage.ts";
import type { Api } from "../api.ts";
import type { Call, Told } from "./command.ts";
import { CommandError } from "./command-error.ts";
import { type Config, readConfig } from "./config.ts";
import { encryptionKeyPath, localEncryptionKeys, storeNewEncryptionKey } from "./encryption-key-files.ts";
import { EXIT } from "./exit-codes.ts";
import { readKeyId } from "./key-files.ts";
import { apiOf, type NetworkValues, withAgent } from "./session.ts";
import { columns, lines } from "./text.ts";

/*
 * What the commands for keys do with `--encryption`: the same with the keys that others encrypt to.
 */

export const ENCRYPTION_OPTION = { encryption: { type: "boolean" } } as const;

/** The line of `--help` for it. */
export const ENCRYPTION_HELP = `  --encryption          of the keys that others encrypt to, rather than those that the agent signs with
`;

/** @param options that are for signing keys. @throws UsageError when one of them is given; CommandError */
export async function generateEncryption(
  { files }: Call,
  options: { readonly "key-id"?: string | undefined; readonly "seed-file"?: string | undefined },
): Promise<Told> {
  if (options["key-id"] !== undefined || options["seed-file"] !== undefined) {
    throw new UsageError("--encryption makes a new key, with an id that follows from it: leave the rest out.");
  }
  readConfig(files);
  const { kid, publicKey } = await storeNewEncryptionKey(files);
  return {
    json: { kid, publicKey, file: encryptionKeyPath(files, kid) },
    text: lines(
      `Made encryption key ${kid}, with the public key ${publicKey}`,
      "Next: stateset-sync keys register --encryption",
    ),
  };
}

/** @param id of the key; the newest one on disk when absent. @throws UsageError; CommandError NO_KEY; AgentError */
export async function registerEncryption(
  call: Call,
  {
    "valid-from": validFrom,
    "valid-to": validTo,
    ...network
  }: NetworkValues & { readonly "valid-from"?: string | undefined; readonly "valid-to"?: string | undefined },
  id: string | undefined,
): Promise<Told> {
  if (validFrom !== undefined) throw new UsageError("--encryption keys are valid at once: leave --valid-from out.");
  if (validTo !== undefined && !isRfc3339(validTo)) throw new UsageError("--valid-to takes a time of RFC 3339.");
  const keys = localEncryptionKeys(call.files);
  const file = id === undefined ? keys.at(-1) : keys.find(({ kid }) => kid === readKeyId(id));
  if (file === undefined) {
    const message = "There is no such encryption key here: run stateset-sync keys generate --encryption.";
    throw new CommandError("NO_KEY", message, EXIT.usage);
  }
  const { kid, publicKey } = file;
  const key = { kid, publicKey: fromHex(publicKey, 32) };
  const end = validTo === undefined ? {} : { validTo: new Date(validTo) };
  return withAgent(call, { network, signs: true }, async (agent) => {
    await agent.registerEncryptionKey({ key, ...end });
    return { json: { kid, publicKey }, text: `Encryption key ${kid} is registered.\n` };
  });
}

const time = z.string().nullable();

const directoryForm = z.object({
  keys: z.array(z.object({ kid: z.int(), publicKey: hex32Field, validTo: time, revokedAt: time })),
});

/** @param api null: the sequencer is not asked */
export async function listEncryption({ files }: Call, api: Api | null): Promise<Told> {
  const config = readConfig(files);
  const own = new Map(localEncryptionKeys(files).map((key) => [key.kid, key]));
  const registered = api === null ? null : (await api.get(pathOf(config), directoryForm)).keys;
  const known = new Map((registered ?? []).map((key) => [key.kid, key]));
  const usedKid = Array.from(own.keys()).at(-1);
  const keys = [...new Set([...own.keys(), ...known.keys()])].map((kid) => {
    const [local, listed] = [own.get(kid), known.get(kid)];
    const isOver = listed?.validTo != null && Date.parse(listed.validTo) < Date.now();
    const listedAs =
      listed === undefined ? "unregistered" : listed.revokedAt !== null ? "revoked" : isOver ? "expired" : "active";
    return {
      kid,
      publicKey: local?.publicKey ?? (listed === undefined ? "" : toHex(listed.publicKey)),
      status: registered === null ? null : listedAs,
      isUsed: kid === usedKid,
      isLocal: local !== undefined,
      validTo: listed?.validTo ?? null,
      revokedAt: listed?.revokedAt ?? null,
    };
  });
  const rows = keys.map(({ kid, publicKey, status, isUsed, isLocal }) => [
    isUsed ? "*" : " ",
    String(kid),
    status ?? "",
    isLocal ? "on disk" : "not here",
    publicKey,
  ]);
  return { json: { keys }, text: rows.length === 0 ? "There is no encryption key.\n" : `${columns(rows)}\n` };
}

const revokedForm = z.object({ revokedAt: z.string() });

/** @throws AgentError NOT_FOUND when the agent has no such key */
export async function revokeEncryption(call: Call, network: NetworkValues, id: string): Promise<Told> {
  const config = readConfig(call.files);
  const kid = readKeyId(id);
  const { revokedAt } = await apiOf(call, config, network).delete(pathOf(config, `/${kid}`), revokedForm);
  return {
    json: { kid, revokedAt },
    text: lines(
      `Encryption key ${kid} is revoked since ${revokedAt}.`,
      "Keep it for as long as old events are to be read.",
    ),
  };
}

function pathOf({ tenantId, agentId }: Config, kid = ""): string {
  return `/api/v1/agents/${agentId}/encryption-keys${kid}?tenant_id=${tenantId}`;
}

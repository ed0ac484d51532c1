import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { fromHex, generateSeed, type SigningKey, signingKeyFromSeed, toHex, u32Field } from "../../../src/ves/index.ts";
import { readCount } from "../../../scripts/lib/usage.ts";
import { CommandError } from "./command-error.ts";
import type { Config } from "./config.ts";
import { EXIT } from "./exit-codes.ts";
import { type AgentFiles, createPrivateFile, makePrivateDirectory, requirePrivate } from "./files.ts";

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);

const keyForm = z.strictObject({ keyId: u32Field, publicKey: hex32, seed: hex32, createdAt: z.string() });

/** A signing key as it lies on disk. `seed` is the secret. */
export type KeyFile = z.output<typeof keyForm>;

export function keyPath(files: AgentFiles, keyId: number): string {
  return join(files.keys, `${keyId}.json`);
}

/** @throws CommandError KEY_UNREADABLE, UNSAFE_PERMISSIONS */
export function readKey(files: AgentFiles, keyId: number): KeyFile {
  const path = keyPath(files, keyId);
  requirePrivate(files.keys);
  requirePrivate(path);
  try {
    const key = keyForm.parse(JSON.parse(readFileSync(path, "utf8")));
    if (key.keyId !== keyId) throw new Error(`it is key ${key.keyId}`);
    return key;
  } catch (error) {
    // Neither the parser's message nor the form's is repeated: they may quote the secret.
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "it is not there" : code === "EACCES" ? "it may not be read" : "it is malformed";
    const message = `The key file ${path} cannot be used: ${why}. Restore it, or run stateset-sync keys rotate.`;
    throw new CommandError("KEY_UNREADABLE", message, EXIT.unsound);
  }
}

/** Ids of the keys on disk, in order. */
export function localKeyIds(files: AgentFiles): number[] {
  try {
    const ids = readdirSync(files.keys).flatMap((name) => /^(\d+)\.json$/.exec(name)?.[1] ?? []);
    return ids.map(Number).toSorted((one, other) => one - other);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/**
 * Makes a key and stores it. When this returns it is on disk.
 *
 * @param seed of a key that is there already, 32 bytes; a new one when absent
 * @throws CommandError FILE_EXISTS, UNSAFE_PERMISSIONS
 */
export async function storeNewKey(files: AgentFiles, keyId: number, seed = generateSeed()): Promise<KeyFile> {
  const { publicKey } = await signingKeyFromSeed(seed);
  const key = { keyId, publicKey: toHex(publicKey), seed: toHex(seed), createdAt: new Date().toISOString() };
  makePrivateDirectory(files.keys);
  requirePrivate(files.keys);
  createPrivateFile(keyPath(files, keyId), `${JSON.stringify(key, null, 2)}\n`);
  return key;
}

/** The line of `--help` for the id of a new key. */
export const KEY_ID_HELP = `  --key-id N            its id; the next free one when not given
`;

/** @throws UsageError */
export function readKeyId(text: string): number {
  return readCount("The key's id", text, 0, 0xffff_ffff);
}

/** The id of the key in use. @throws CommandError NO_KEY */
export function usedKeyId({ keyId }: Config): number {
  if (keyId !== null) return keyId;
  throw new CommandError("NO_KEY", "This agent has no key: run stateset-sync keys generate.", EXIT.usage);
}

export function signingKeyOfFile({ seed }: KeyFile): Promise<SigningKey> {
  return signingKeyFromSeed(fromHex(seed, 32));
}

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { fromHex, toHex, u32Field } from "../../../src/ves/index.ts";
import { generateEncryptionKey } from "../encryption/index.ts";
import type { EncryptionSettings } from "../encryption-settings.ts";
import { CommandError } from "./command-error.ts";
import { EXIT } from "./exit-codes.ts";
import { type AgentFiles, createPrivateFile, makePrivateDirectory, requirePrivate } from "./files.ts";

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);

const keyForm = z.strictObject({ kid: u32Field, publicKey: hex32, privateKey: hex32, createdAt: z.string() });

/** An encryption key as it lies on disk. `privateKey` is the secret. */
export type EncryptionKeyFile = z.output<typeof keyForm>;

export function encryptionKeyPath(files: AgentFiles, kid: number): string {
  return join(files.encryptionKeys, `${kid}.json`);
}

/** All that are on disk, oldest first: others encrypt to the last one. @throws CommandError KEY_UNREADABLE, UNSAFE_PERMISSIONS */
export function localEncryptionKeys(files: AgentFiles): EncryptionKeyFile[] {
  requirePrivate(files.encryptionKeys);
  return kidsOnDisk(files)
    .map((kid) => readEncryptionKey(files, kid))
    .toSorted((one, other) => Date.parse(one.createdAt) - Date.parse(other.createdAt));
}

/** The directory of the keys, and their files. */
export function encryptionKeyPaths(files: AgentFiles): string[] {
  return [files.encryptionKeys, ...kidsOnDisk(files).map((kid) => encryptionKeyPath(files, kid))];
}

function kidsOnDisk({ encryptionKeys }: AgentFiles): number[] {
  try {
    return readdirSync(encryptionKeys)
      .flatMap((name) => /^(\d+)\.json$/.exec(name)?.[1] ?? [])
      .map(Number);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function readEncryptionKey(files: AgentFiles, kid: number): EncryptionKeyFile {
  const path = encryptionKeyPath(files, kid);
  requirePrivate(path);
  try {
    return keyForm.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    // What was read is not repeated: it may be the secret.
    const message = `The key file ${path} cannot be used: restore it, or move it elsewhere.`;
    throw new CommandError("KEY_UNREADABLE", message, EXIT.unsound);
  }
}

/** Makes a key and stores it. When this returns it is on disk. @throws CommandError FILE_EXISTS, UNSAFE_PERMISSIONS */
export async function storeNewEncryptionKey(files: AgentFiles): Promise<EncryptionKeyFile> {
  const { kid, publicKey, privateKey } = await generateEncryptionKey();
  const createdAt = new Date().toISOString();
  const key = { kid, publicKey: toHex(publicKey), privateKey: toHex(privateKey), createdAt };
  makePrivateDirectory(files.encryptionKeys);
  requirePrivate(files.encryptionKeys);
  createPrivateFile(encryptionKeyPath(files, kid), `${JSON.stringify(key, null, 2)}\n`);
  return key;
}

/** What the agent reads with. @throws CommandError KEY_UNREADABLE, UNSAFE_PERMISSIONS */
export function encryptionOf(files: AgentFiles): EncryptionSettings {
  const keys = localEncryptionKeys(files);
  return { keyring: new Map(keys.map(({ kid, privateKey }) => [kid, fromHex(privateKey, 32)])) };
}

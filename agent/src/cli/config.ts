import { readFileSync } from "node:fs";
import { z } from "zod";
import { u32Field, uuidField } from "../../../src/ves/index.ts";
import type { AgentIdentity } from "../signer.ts";
import { CommandError } from "./command-error.ts";
import { EXIT } from "./exit-codes.ts";
import { type AgentFiles, requirePrivate, writePrivateFile } from "./files.ts";

const configForm = z.strictObject({
  version: z.literal(1),
  url: z.url({ protocol: /^https?$/ }).refine((text) => !hasCredentials(text), "must not hold a password"),
  tenantId: uuidField,
  storeId: uuidField,
  agentId: uuidField,
  /** Of the signing key that is in use; null until there is one. */
  keyId: u32Field.nullable(),
  /** The sequencer's public keys as hex, by version: then no others are believed. */
  sequencerKeys: z.record(z.string().regex(/^\d+$/), z.string().regex(/^[0-9a-f]{64}$/)).optional(),
});

/** What an agent's directory says of it. None of it is secret. */
export type Config = z.output<typeof configForm>;

/** Whether a URL holds a name or password: the sequencer wants neither, and Node would quote them in its errors. */
export function hasCredentials(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && `${url.username}${url.password}` !== "";
}

/** @throws CommandError NOT_SET_UP, MALFORMED_CONFIG, UNSAFE_PERMISSIONS */
export function readConfig(files: AgentFiles): Config {
  requirePrivate(files.directory);
  const config = findConfig(files);
  if (config !== undefined) return config;
  const message = `${files.directory} is no agent's directory: run stateset-sync init, or give --dir.`;
  throw new CommandError("NOT_SET_UP", message, EXIT.usage);
}

/** `undefined` where there is none. @throws CommandError MALFORMED_CONFIG */
export function findConfig({ config }: AgentFiles): Config | undefined {
  const malformed = (why: string): CommandError =>
    new CommandError("MALFORMED_CONFIG", `${config} cannot be used: ${why}. Correct it, or restore it.`, EXIT.unsound);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(config, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw malformed((error as Error).message);
  }
  const parsed = configForm.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw malformed(`${issue?.path.join(".")}: ${issue?.message}`);
}

export function writeConfig(files: AgentFiles, config: Config): void {
  writePrivateFile(files.config, `${JSON.stringify(config, null, 2)}\n`);
}

/** Without a key, the number stands for none: nothing is signed then. */
export function identityOf({ tenantId, storeId, agentId, keyId }: Config): AgentIdentity {
  return { tenantId, storeId, agentId, keyId: keyId ?? 0 };
}

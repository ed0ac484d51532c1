import { readFileSync } from "node:fs";
import { parseUuid } from "../../src/ves/index.ts";
import type { Server } from "../lib/client.ts";
import { serverUrl, UsageError } from "../lib/usage.ts";

/** The options that name a sequencer and a credential for it. */
export const SERVER_OPTIONS = {
  url: { type: "string" },
  "api-key": { type: "string" },
  "key-file": { type: "string" },
} as const;

export interface ServerValues {
  readonly url?: string | undefined;
  readonly "api-key"?: string | undefined;
  readonly "key-file"?: string | undefined;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Null when no URL is given. @throws UsageError */
export function readServer(values: ServerValues, env: Environment): Server | null {
  const givenUrl = values.url ?? (env["SEQUENCER_URL"] || undefined);
  if (givenUrl === undefined) return null;
  const file = values["key-file"];
  const given = values["api-key"];
  if (file !== undefined && given !== undefined) throw new UsageError("Give --api-key or --key-file, not both.");
  const apiKey =
    file === undefined ? (given ?? (env["SEQUENCER_API_KEY"] || undefined)) : readSecret("--key-file", file);
  if (apiKey === undefined) throw new UsageError("The sequencer wants an API key: give --key-file or --api-key.");
  return { url: serverUrl(givenUrl), apiKey };
}

/** @throws UsageError */
export function requireServer(values: ServerValues, env: Environment): Server {
  const server = readServer(values, env);
  if (server === null) throw new UsageError("Give --url.");
  return server;
}

/** What a file holds, without the white space around it. @throws UsageError, which does not repeat it */
export function readSecret(option: string, path: string): string {
  const text = readText(option, path).trim();
  if (text === "" || /\s/.test(text)) throw new UsageError(`${option}: ${path} does not hold one word.`);
  return text;
}

/** @param path `-` is standard input. @throws UsageError */
export function readText(option: string, path: string): string {
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (error) {
    throw new UsageError(`${option}: ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}.`);
  }
}

/** @throws UsageError */
export function uuidOf(option: string, text: string): string {
  const uuid = parseUuid(text);
  if (uuid === undefined) throw new UsageError(`${option} takes a UUID, not ${JSON.stringify(text)}.`);
  return uuid;
}

/** @throws UsageError also when it is not given */
export function requireUuid(option: string, text: string | undefined): string {
  if (text === undefined) throw new UsageError(`Give ${option}.`);
  return uuidOf(option, text);
}

/** A whole number, or undefined when the option is not given. @throws UsageError */
export function wholeNumber(option: string, text: string | undefined, min: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(number) && number >= min) return number;
  throw new UsageError(`${option} takes a whole number from ${min} on, not ${JSON.stringify(text)}.`);
}

import { readFileSync } from "node:fs";
import { UsageError } from "../../../scripts/lib/usage.ts";
import { AgentError } from "../errors.ts";
import type { Call } from "./command.ts";
import { requirePrivate } from "./files.ts";

/*
 * Secrets come from files, from standard input, or from the environment: what stands on a command line is read by every
 * process of the machine, and stays in the shell's history.
 */

/** What a header may carry. Node would quote what it may not carry in its error. */
const CREDENTIAL = /^[\x21-\x7e]+$/;

/** Text of a file, or of standard input for `-`. @throws UsageError */
export function readInput(path: string, option: string): string {
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (error) {
    throw new UsageError(`${option}: ${nameOf(path)} cannot be read: ${reason(error)}.`);
  }
}

/** @param path a file's, or `-` for standard input. @throws UsageError when it cannot be read or holds no secret */
export function readSecret(path: string, option: string): string {
  const secret = readInput(path, option).trim();
  if (CREDENTIAL.test(secret)) return secret;
  const what = secret === "" ? "is empty" : "holds more than one word of letters, digits and signs";
  throw new UsageError(`${option}: ${nameOf(path)} ${what}.`);
}

/**
 * The credential for the sequencer: what the option names, else the environment's, else the agent's own.
 *
 * @throws AgentError UNAUTHORIZED when there is none; CommandError UNSAFE_PERMISSIONS; UsageError when it cannot be read
 */
export function readApiKey({ files, env }: Pick<Call, "files" | "env">, optionPath: string | undefined): string {
  if (optionPath !== undefined) return readSecret(optionPath, "--api-key-file");
  const fromEnvironment = env["SEQUENCER_API_KEY"]?.trim();
  if (fromEnvironment) {
    if (CREDENTIAL.test(fromEnvironment)) return fromEnvironment;
    throw new UsageError("SEQUENCER_API_KEY holds more than one word of letters, digits and signs.");
  }
  try {
    requirePrivate(files.apiKey);
    return readSecret(files.apiKey, "The agent's API key");
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new AgentError("UNAUTHORIZED", "There is no API key to be used", { cause: error });
  }
}

function nameOf(path: string): string {
  return path === "-" ? "standard input" : path;
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "ENOENT" ? "it is not there" : (code ?? message);
}

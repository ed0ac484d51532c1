import { parseArgs, type ParseArgsConfig } from "node:util";

/** The options cannot be used; the message says which and why, in a sentence. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Options by name; whatever else stands on the command line is refused. @throws UsageError */
export function parseOptions<const Options extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  options: Options,
) {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    const [sentence = ""] = (error as Error).message.split(/[.\n]/, 1);
    throw new UsageError(`${sentence}.`);
  }
}

/** A server's URL without a slash at its end. @throws UsageError */
export function serverUrl(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol === "http:" || url?.protocol === "https:") return url.href.replace(/\/+$/, "");
  throw new UsageError(`The URL must begin with http:// or https://, not be ${JSON.stringify(text)}.`);
}

/** A whole number of an option. @throws UsageError */
export function readCount(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${option} takes a whole number from ${min} to ${max}, not ${JSON.stringify(text)}.`);
}

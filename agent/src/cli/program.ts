import { nearest } from "../../../scripts/lib/nearest.ts";
import { silentProgress, textProgress } from "../../../scripts/lib/progress.ts";
import { UsageError } from "../../../scripts/lib/usage.ts";
import type { Command } from "./command.ts";
import { toldError } from "./command-error.ts";
import { commands } from "./commands.ts";
import { EXIT, EXIT_HELP, type ExitCode } from "./exit-codes.ts";
import { interruption } from "./interruption.ts";
import { plain } from "./text.ts";
import { VERSION } from "./version.ts";

const HELP_FLAGS = ["--help", "-h"];

/** @returns the exit code. What goes wrong is told, not thrown */
export async function runProgram(args: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> {
  const isJson = args.includes("--json");
  try {
    const [asked] = args;
    if (asked === "--version") return print(`${VERSION}\n`);
    if (asked === undefined || HELP_FLAGS.includes(asked)) return print(overview());
    if (asked === "help") return print(helpFor(args.slice(1)));
    const name = nameOf(args);
    const command = commandOf(name);
    if (command !== undefined) return await runCommand(command, name, args.slice(name.split(" ").length), env, isJson);
    const [group = "", flag = "--help"] = args;
    if (groups().has(group) && HELP_FLAGS.includes(flag)) return print(overview(group));
    throw unknown(name);
  } catch (error) {
    return tellError(error, isJson);
  }
}

function print(text: string): ExitCode {
  process.stdout.write(text);
  return EXIT.done;
}

async function runCommand(
  command: Command,
  name: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  isJson: boolean,
): Promise<ExitCode> {
  const progress = isJson || !process.stderr.isTTY ? silentProgress : textProgress(process.stderr);
  try {
    const told = await command.run(args, { env, isJson, progress, interruption });
    progress.clear();
    const { json, text, trouble, exitCode } = told;
    process.stdout.write(isJson && json !== null ? `${JSON.stringify(json, null, 2)}\n` : text);
    if (!isJson && trouble !== undefined) process.stderr.write(`${plain(trouble)}\n`);
    return exitCode ?? EXIT.done;
  } catch (error) {
    progress.clear();
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${error.message} See stateset-sync ${name} --help`);
  }
}

function tellError(error: unknown, isJson: boolean): ExitCode {
  const { code, message, exitCode } = toldError(error);
  // One line: it may end what has one document in a line.
  if (isJson) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
  else process.stderr.write(`${plain(message)}\n`);
  return exitCode;
}

/** Commands of a group have names of two words. */
function nameOf([first = "", second = ""]: readonly string[]): string {
  return groups().has(first) && second !== "" && !second.startsWith("-") ? `${first} ${second}` : first;
}

function commandOf(name: string): Command | undefined {
  return Object.hasOwn(commands, name) ? commands[name] : undefined;
}

function groups(): ReadonlySet<string> {
  const names = Object.keys(commands).filter((name) => name.includes(" "));
  return new Set(names.map((name) => name.slice(0, name.indexOf(" "))));
}

/** @throws UsageError */
function helpFor(words: readonly string[]): string {
  const given = words.filter((word) => !word.startsWith("-"));
  const name = nameOf(given);
  const command = commandOf(name);
  if (command !== undefined) return command.help;
  if (name === "" || groups().has(name)) return overview(name);
  throw unknown(name);
}

function unknown(name: string): UsageError {
  const suggestion = nearest(name, [...Object.keys(commands), ...groups()]);
  const [group = ""] = name.split(" ");
  const list = groups().has(group) ? `stateset-sync ${group} --help` : "stateset-sync --help";
  const hint = suggestion === undefined ? `${list} lists the commands.` : `Did you mean ${suggestion}?`;
  // Anything else might be meant to be a secret, and is not repeated.
  const isWord = /^[a-z]{1,16}( [a-z]{1,16})?$/.test(name);
  return new UsageError(`There is no ${isWord ? `command ${name}` : "such command"}. ${hint}`);
}

/** What `stateset-sync --help` prints, or `stateset-sync GROUP --help`. */
function overview(group = ""): string {
  const named = Object.entries(commands).filter(([name]) => group === "" || name.startsWith(`${group} `));
  const width = Math.max(...named.map(([name]) => name.length));
  const list = named.map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}\n`).join("");
  return `Usage: stateset-sync ${group === "" ? "COMMAND" : `${group} COMMAND`} [options]

${list}
stateset-sync help COMMAND tells more.

${EXIT_HELP}`;
}

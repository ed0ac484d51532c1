import { parseArgs, type ParseArgsConfig } from "node:util";
import type { Progress } from "../../../scripts/lib/progress.ts";
import { UsageError } from "../../../scripts/lib/usage.ts";
import type { ExitCode } from "./exit-codes.ts";
import { type AgentFiles, agentFiles } from "./files.ts";

/** What a command has to say. */
export interface Told {
  /** All of it, for `--json`; null when there is nothing beyond what was said meanwhile. */
  readonly json: object | null;
  /** The same for people: lines, the last one ended too. */
  readonly text: string;
  /** What went wrong besides, for people: a sentence for standard error. */
  readonly trouble?: string | undefined;
  /** 0 when absent. */
  readonly exitCode?: ExitCode;
}

/** What surrounds a command, besides its own options. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly isJson: boolean;
  readonly progress: Progress;
  /** Says so on Ctrl-C. Until a command asks for it, Ctrl-C ends the program at once. */
  readonly interruption: () => AbortSignal;
}

/** What a command is called with, besides its own options. */
export interface Call extends Surroundings {
  readonly files: AgentFiles;
}

/** One of the commands of `stateset-sync`. */
export interface Command {
  /** What it does, in a line without a full stop. */
  readonly summary: string;
  /** What `--help` prints. */
  readonly help: string;
  /**
   * @param args what follows the command's name
   * @throws UsageError, AgentError, CommandError
   */
  readonly run: (args: readonly string[], surroundings: Surroundings) => Promise<Told>;
}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Values of options, by name. */
type Values<Own extends Options> = ReturnType<typeof parseArgs<{ options: Own }>>["values"];

const COMMON = {
  dir: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const satisfies Options;

const COMMON_HELP = `  --dir PATH            where the agent's files are; STATESET_DIR, or .stateset when not given
  --json                print one JSON document and nothing else
  --help                print this
`;

/** What of options and arguments a command takes. */
interface Definition<Own extends Options> {
  readonly summary: string;
  /** What `--help` says under the line of usage: paragraphs, the last line ended too. */
  readonly about: string;
  /** The command's name, as it is called. */
  readonly name: string;
  /** What must stand beside the options, in this order. */
  readonly args?: readonly string[];
  /** What may follow them. */
  readonly optionalArgs?: readonly string[];
  readonly options?: Own;
  /** A line of help for each of the options. */
  readonly optionsHelp?: string;
  readonly run: (call: Call, options: Values<Own>, args: readonly string[]) => Promise<Told> | Told;
}

/** A command that reads its options before anything else is done. */
export function command<const Own extends Options>(definition: Definition<Own>): Command {
  const { summary, args: names = [], optionalArgs = [], options = {} as Own, run } = definition;
  const help = helpOf(definition);
  return {
    summary,
    help,
    run: async (given, surroundings) => {
      const { values, positionals } = parse(given, { ...options, ...COMMON });
      const { dir, json: _json, help: isHelp, ...own } = values;
      if (isHelp === true) return { json: null, text: help };
      const missing = names[positionals.length];
      if (missing !== undefined) throw new UsageError(`${missing} is missing.`);
      // What stands there is not repeated: it might be meant to be a secret.
      if (positionals.length > names.length + optionalArgs.length)
        throw new UsageError("There are too many arguments.");
      const files = agentFiles(dir as string | undefined, surroundings.env);
      return run({ ...surroundings, files }, own as Values<Own>, positionals);
    },
  };
}

function helpOf<Own extends Options>(definition: Definition<Own>): string {
  const { name, about, args = [], optionalArgs = [], optionsHelp = "" } = definition;
  const words = ["Usage: stateset-sync", name, ...args, ...optionalArgs.map((arg) => `[${arg}]`), "[options]"];
  return `${words.join(" ")}\n\n${about}\n${optionsHelp}${COMMON_HELP}`;
}

/** @throws UsageError */
function parse(args: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    const [sentence = ""] = (error as Error).message.split(/[.\n]/, 1);
    throw new UsageError(`${sentence}.`);
  }
}

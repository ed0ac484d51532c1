import type { ParseArgsConfig } from "node:util";
import type { Server } from "../lib/client.ts";
import { type Progress, silentProgress, textProgress } from "../lib/progress.ts";
import { parseOptions } from "../lib/usage.ts";
import type { Command } from "./command.ts";
import { requireServer, SERVER_OPTIONS, type ServerValues } from "./server-options.ts";

/** What a command has to tell: as a document with --json, and as text without. */
export interface Told {
  readonly json: unknown;
  readonly text: string;
}

const ENDING = `
  --url URL          the sequencer; SEQUENCER_URL
  --key-file FILE    holds an API key that may do this; otherwise SEQUENCER_API_KEY, or --api-key KEY
  --json             print one JSON document and nothing else
  --help             print this

Exit code 0: done, 1: the sequencer refuses or cannot be reached, and the message says why, 2: wrong usage.
`;

const COMMON = { ...SERVER_OPTIONS, json: { type: "boolean" }, help: { type: "boolean", short: "h" } } as const;

type Options = NonNullable<ParseArgsConfig["options"]>;
type Values<Own extends Options> = ReturnType<typeof parseOptions<Own>>;

/**
 * A command that makes some calls of the API and tells what came of them.
 *
 * @param given.usage what follows `npm run admin -- NAME` in its help: its options and what it does, without the options
 *   that all of these commands have
 */
export function serverCommand<const Own extends Options>(given: {
  readonly summary: string;
  readonly usage: string;
  readonly options: Own;
  readonly run: (server: Server, values: Values<Own>, progress: Progress) => Promise<Told>;
}): Command {
  return {
    summary: given.summary,
    run: async (args) => {
      const values = parseOptions(args, { ...given.options, ...COMMON });
      const common = values as ServerValues & { readonly json?: boolean; readonly help?: boolean };
      if (common.help === true) {
        process.stdout.write(`Usage: npm run admin -- ${given.usage.trimEnd()}\n${ENDING.slice(1)}`);
        return 0;
      }
      const server = requireServer(common, process.env);
      const progress = common.json === true ? silentProgress : textProgress(process.stderr);
      try {
        const { json, text } = await given.run(server, values, progress);
        progress.clear();
        process.stdout.write(common.json === true ? `${JSON.stringify(json, null, 2)}\n` : text);
        return 0;
      } finally {
        progress.clear();
      }
    },
  };
}

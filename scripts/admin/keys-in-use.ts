import { SourceError } from "../fsck/log-source.ts";
import { silentProgress, textProgress } from "../lib/progress.ts";
import { counted } from "../lib/text.ts";
import type { Command } from "./command.ts";
import { keysJson, keysText } from "./payload-report.ts";
import { oldPayloads, readWalkOptions, Refusal, WALK_OPTIONS, walkPayloads } from "./payload-walk.ts";

const HELP = `Usage: npm run admin -- keys-in-use [options]

Says how many payloads are under which encryption key, in the streams' objects and in the database, and whether any but
the current one is still needed. Keys are named by their ids, which the sequencer's log names them by too.

${WALK_OPTIONS}
Exit code 0: only current keys are in use, 1: others are too, or the sequencer refuses, and the message says why, 2: wrong
usage, or something cannot be reached.
`;

export const keysInUse: Command = { summary: "says which keys stored payloads are encrypted under", run };

/** @returns 0 only current keys are in use, 1 others are too, 2 wrong usage or out of reach */
async function run(args: readonly string[]): Promise<number> {
  const progress = args.includes("--json") ? silentProgress : textProgress(process.stderr);
  try {
    const options = await readWalkOptions(args, process.env, {});
    if (options === null) {
      process.stdout.write(HELP);
      return 0;
    }
    const use = await walkPayloads(options, { doing: "Look", isDryRun: true }, progress);
    const { object, database } = oldPayloads(use);
    const old = object + database;
    const verdict =
      old === 0
        ? "Only current keys are in use: earlier ones are not needed for these streams any more.\n"
        : `${counted(old, "payload")} not under the current key: run npm run admin -- reencrypt before a key is taken away.\n`;
    const document = { ok: old === 0, ...keysJson(use) };
    process.stdout.write(options.json ? `${JSON.stringify(document, null, 2)}\n` : `${keysText(use)}\n${verdict}`);
    return old === 0 ? 0 : 1;
  } catch (error) {
    progress.clear();
    if (!(error instanceof Refusal || error instanceof SourceError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error instanceof Refusal ? 1 : 2;
  }
}

import { SourceError } from "../fsck/log-source.ts";
import { silentProgress, textProgress } from "../lib/progress.ts";
import { counted } from "../lib/text.ts";
import type { Command } from "./command.ts";
import { keysJson, keysText, unreadableText } from "./payload-report.ts";
import {
  oldPayloads,
  type PayloadUse,
  readUnmirroredStreams,
  readWalkOptions,
  Refusal,
  WALK_OPTIONS,
  walkPayloads,
} from "./payload-walk.ts";

const HELP = `Usage: npm run admin -- keys-in-use [options]

Says how many payloads are under which encryption key, in the streams' objects and in the database, and whether any but
the current one is still needed. Keys are named by their ids, which the sequencer's log names them by too.

${WALK_OPTIONS}
It asks the streams that the database knows. While the sequencer counts streams with events that are not there yet, there
may be others, and it says so.

Exit code 0: only current keys are in use, 1: others are too, or may be, or the sequencer refuses, and the message says why,
2: wrong usage, or something cannot be reached.
`;

export const keysInUse: Command = { summary: "says which keys stored payloads are encrypted under", run };

/** @returns 0 only current keys are in use, 1 others are too, 2 wrong usage or out of reach */
async function run(args: readonly string[]): Promise<number> {
  const progress = args.includes("--json") ? silentProgress : textProgress(process.stderr);
  try {
    const options = readWalkOptions(args, process.env, {});
    if (options === null) {
      process.stdout.write(HELP);
      return 0;
    }
    // Before the streams are listed: what is in the database by then is among them.
    const unmirrored = options.isAll ? await readUnmirroredStreams(options.server) : undefined;
    const use = await walkPayloads(options, { doing: "Look", isDryRun: true }, progress);
    const { object, database } = oldPayloads(use);
    const old = object + database;
    const doubt = doubtOf(unmirrored);
    const isOk = old === 0 && doubt === "";
    const document = { ok: isOk, ...keysJson(use), streams_unmirrored: unmirrored };
    process.stdout.write(options.json ? `${JSON.stringify(document, null, 2)}\n` : text(use, old, doubt));
    return isOk ? 0 : 1;
  } catch (error) {
    progress.clear();
    if (!(error instanceof Refusal || error instanceof SourceError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error instanceof Refusal ? 1 : 2;
  }
}

function text(use: PayloadUse, old: number, doubt: string): string {
  const streams = counted(use.streams, "stream");
  const verdict =
    old === 0
      ? `Only current keys are in use in ${streams}: earlier ones are not needed for them any more.\n`
      : `${counted(old, "payload")} in ${streams} not under the current key: run npm run admin -- reencrypt before a key is taken away.\n`;
  return `${keysText(use)}\n${unreadableText(use)}${verdict}${doubt}`;
}

/** Why there may be streams that were not asked; empty when there are none. @param unmirrored undefined: one was named */
function doubtOf(unmirrored: number | null | undefined): string {
  if (unmirrored === undefined || unmirrored === 0) return "";
  return unmirrored === null
    ? "The sequencer cannot tell whether the database knows all streams: keep every key, or name each stream.\n"
    : `${counted(unmirrored, "stream")} with events that are not in the database yet may not be among them: keep every key, and ask again later.\n`;
}

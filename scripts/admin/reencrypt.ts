import { SourceError } from "../fsck/log-source.ts";
import { silentProgress, textProgress } from "../lib/progress.ts";
import { counted } from "../lib/text.ts";
import type { Command } from "./command.ts";
import { keysJson, unreadableText } from "./payload-report.ts";
import { oldPayloads, type PayloadUse, readWalkOptions, Refusal, WALK_OPTIONS, walkPayloads } from "./payload-walk.ts";

const HELP = `Usage: npm run admin -- reencrypt [options]

Encrypts payloads that are under another key than the current one, or under none, under the current one: in the streams'
objects and in the database. What is under it already is left alone: when it is interrupted, run it again. A payload that no
key opens stays as it is and is named, the first 100 of them; all others are done.

  --dry-run           say what would be encrypted, and change nothing
${WALK_OPTIONS}
Exit code 0: all payloads are under the current key (with --dry-run: all can be), 1: some are not (cannot be), or the
sequencer refuses, and the message says why, 2: wrong usage, or something cannot be reached.
`;

export const reencrypt: Command = { summary: "brings stored payloads under the current encryption key", run };

/** @returns 0 all are under the current key, 1 some are not, 2 wrong usage or out of reach */
async function run(args: readonly string[]): Promise<number> {
  const progress = args.includes("--json") ? silentProgress : textProgress(process.stderr);
  try {
    const options = readWalkOptions(args, process.env, { "dry-run": { type: "boolean" } });
    if (options === null) {
      process.stdout.write(HELP);
      return 0;
    }
    if (options.flags.has("dry-run")) {
      const use = await walkPayloads(options, { doing: "Look", isDryRun: true }, progress);
      process.stdout.write(options.json ? json(use, oldPayloads(use)) : dryRunText(use));
      return use.unreadable.count === 0 ? 0 : 1;
    }
    const use = await walkPayloads(options, { doing: "Reencrypt", isDryRun: false }, progress);
    // Workers that had the earlier keys a moment ago, and a mirror on its way, may have written behind its back.
    const left = oldPayloads(await walkPayloads(options, { doing: "Check", isDryRun: true }, progress));
    process.stdout.write(options.json ? json(use, left) : text(use, left));
    return left.object + left.database === 0 ? 0 : 1;
  } catch (error) {
    progress.clear();
    if (!(error instanceof Refusal || error instanceof SourceError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error instanceof Refusal ? 1 : 2;
  }
}

type Left = ReturnType<typeof oldPayloads>;

function dryRunText(use: PayloadUse): string {
  const { object, database } = oldPayloads(use);
  const payloads = `${counted(object, "payload")} in objects and ${database} in the database`;
  return use.unreadable.count === 0
    ? `${payloads} would be encrypted under the current key.\n`
    : `${payloads} are not under the current key.\n${unreadableText(use)}`;
}

function text(use: PayloadUse, left: Left): string {
  const { object, database, unreadable } = use;
  const done = `Encrypted ${counted(object.reencrypted, "payload")} in objects and ${database.reencrypted} in the database under the current key.\n`;
  // What cannot be opened is left in both storages.
  const since = [left.object, left.database].reduce((sum, old) => sum + Math.max(0, old - unreadable.count), 0);
  const rest =
    since === 0 ? "" : `${counted(since, "payload")} more came to be under another one meanwhile: run it again.\n`;
  return done + unreadableText(use) + rest;
}

function json(use: PayloadUse, left: Left): string {
  return `${JSON.stringify({ ...keysJson(use), left }, null, 2)}\n`;
}

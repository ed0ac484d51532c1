import { setTimeout } from "node:timers/promises";
import { styleText } from "node:util";
import { type Cleanup, endProperly, newCleanup } from "./demo/cleanup.ts";
import { type DemoOptions, HELP, readOptions } from "./demo/options.ts";
import { play } from "./demo/play.ts";
import { report } from "./demo/report.ts";
import { chooseServer } from "./demo/server.ts";
import { type Progress, silentProgress, textProgress } from "./lib/progress.ts";
import { UsageError } from "./lib/usage.ts";

/*
 * `npm run demo`: a day of a shop against a sequencer, with everything that comes back verified.
 */

const SIGNAL_TURN_MS = 20;

process.exitCode = await main();

async function main(): Promise<number> {
  let options: DemoOptions;
  try {
    options = readOptions(process.argv.slice(2), process.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message} See npm run demo -- --help\n`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const progress = options.json ? silentProgress : textProgress(process.stdout);
  const cleanup = newCleanup();
  endProperly(cleanup);
  try {
    await demonstrate(options, progress, cleanup);
    return 0;
  } catch (error) {
    // A signal that arrived while a child process was waited for gets its turn now, and ends the program.
    await setTimeout(SIGNAL_TURN_MS);
    progress.clear();
    // What fails because of being stopped is not worth a word.
    if (!cleanup.hasBegun()) process.stderr.write(`${sentenceOf(error)}\n`);
    return 1;
  } finally {
    await cleanup.run();
  }
}

async function demonstrate(options: DemoOptions, progress: Progress, cleanup: Cleanup): Promise<void> {
  if (!options.json) process.stdout.write(`\n${styleText("bold", "A verifiable day in a shop")}\n\n`);
  progress.start("Find");
  const server = await chooseServer(options, cleanup, () => progress.start("Start a server"));
  progress.done(
    "Found",
    server.isOwn ? "no server running, so the demo started its own" : `the sequencer at ${server.url}`,
  );
  const summary = await play(server, options, progress);
  process.stdout.write(options.json ? `${JSON.stringify(summary, null, 2)}\n` : report(summary));
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // What fetch throws says no more than that it failed; its cause says why.
  const why = error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
  return `The demo failed: ${why}`;
}

import type { StreamRef } from "../../src/stream-ref.ts";
import { toHex } from "../../src/ves/index.ts";
import { checkLog } from "../fsck/check-log.ts";
import { differencesOf, type StreamReport } from "../fsck/check-stream.ts";
import { openHttpSource } from "../fsck/http-source.ts";
import { tallyJson } from "../fsck/json-report.ts";
import { SourceError } from "../fsck/log-source.ts";
import { CHECKS, newTallies } from "../fsck/tally.ts";
import { streamText } from "../fsck/text-report.ts";
import type { Server } from "../lib/client.ts";
import { type Progress, textProgress } from "../lib/progress.ts";
import { counted } from "../lib/text.ts";
import { parseOptions, UsageError } from "../lib/usage.ts";
import type { Command } from "./command.ts";
import { eventLine } from "./event-line.ts";
import { type ExportSink, fileSink, streamSink } from "./export-sink.ts";
import { readStream } from "./fsck-options.ts";
import { type Environment, requireServer, SERVER_OPTIONS, wholeNumber } from "./server-options.ts";

const HELP = `Usage: npm run admin -- export-events --tenant ID --store ID [options]

Writes a stream's events as lines of JSON, each with its number and its receipt, as they were signed: whoever has the file can
verify them. All of it is verified on the way: that no number is left out, hashes, signatures, receipts, and of sealed events the
batches' roots and the chain of state roots. Reading begins with the batch that --from is in, for its root.

  --tenant ID      the stream's tenant
  --store ID       and its store
  --from N         the first event that is wanted, such as the one after the last of an earlier export; 1 when not given
  --to N           the last one; the head when not given
  --output FILE    where to; it appears when everything is there and verified. Standard output when not given
  --url URL        the sequencer; SEQUENCER_URL
  --key-file FILE  holds an API key that may read the stream and the tenant's agent keys; otherwise SEQUENCER_API_KEY, or
                   --api-key KEY
  --json           with --output: print what was exported as one JSON document, and no progress
  --help           print this

Exit code 0: exported and verified, 1: something does not verify, and FILE is not written, 2: wrong usage, or the sequencer or
FILE cannot be reached.
`;

interface ExportOptions {
  readonly server: Server;
  readonly stream: StreamRef;
  readonly from: number;
  /** Undefined: the head. */
  readonly to: number | undefined;
  /** Null: standard output. */
  readonly output: string | null;
  readonly json: boolean;
}

interface Exported {
  readonly report: StreamReport;
  /** Of what was written; null when nothing was. */
  readonly first: number | null;
  readonly last: number | null;
  readonly events: number;
}

export const exportEvents: Command = { summary: "writes a stream's events to a file, and verifies them", run };

/** @returns 0 exported, 1 something does not verify, 2 wrong usage or out of reach */
async function run(args: readonly string[]): Promise<number> {
  const options = readOptions(args, process.env);
  if (options === null) {
    process.stdout.write(HELP);
    return 0;
  }
  const progress = textProgress(process.stderr);
  const sink = options.output === null ? streamSink(process.stdout) : fileSink(options.output);
  try {
    const exported = await exportTo(sink, options, progress);
    const isSound = differencesOf(exported.report) === 0;
    await (isSound ? sink.keep() : sink.discard());
    progress.clear();
    tell(options, exported);
    return isSound ? 0 : 1;
  } catch (error) {
    await sink.discard();
    progress.clear();
    if (!(error instanceof SourceError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

function readOptions(args: readonly string[], env: Environment): ExportOptions | null {
  const values = parseOptions(args, {
    ...SERVER_OPTIONS,
    tenant: { type: "string" },
    store: { type: "string" },
    from: { type: "string" },
    to: { type: "string" },
    output: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help === true) return null;
  const stream = readStream(values.tenant, values.store);
  if (stream === null) throw new UsageError("Give --tenant and --store.");
  const output = values.output ?? null;
  const json = values.json ?? false;
  if (json && output === null) throw new UsageError("--json goes with --output: standard output is for the events.");
  const from = wholeNumber("--from", values.from, 1) ?? 1;
  const to = wholeNumber("--to", values.to, 1);
  if (to !== undefined && to < from) throw new UsageError("--to lies before --from.");
  return { server: requireServer(values, env), stream, from, to, output, json };
}

async function exportTo(sink: ExportSink, options: ExportOptions, progress: Progress): Promise<Exported> {
  const { server, stream, from, to, json } = options;
  const source = await openHttpSource(server, stream, { receipts: true, from, to });
  const { head, start } = source;
  if (from > head.headSequence + 1) {
    throw new SourceError(`There is no event ${from}: the stream ends with ${head.headSequence}.`);
  }
  const tallies = newTallies("log");
  if (!json) progress.startEvents("Export", head.headSequence - (start?.sequenceNumber ?? 1) + 1);
  let [first, last, events]: [number | null, number | null, number] = [null, null, 0];
  for await (const page of checkLog(source, tallies)) {
    const wanted = page.filter(({ sequenceNumber: n }) => n >= from && n <= (to ?? Infinity));
    await sink.write(wanted.map((event) => `${eventLine(event)}\n`).join(""));
    first ??= wanted[0]?.sequenceNumber ?? null;
    last = wanted.at(-1)?.sequenceNumber ?? last;
    events += wanted.length;
    progress.advance(page.length);
  }
  const report: StreamReport = {
    stream,
    events: tallies.numbers.checked,
    batches: tallies.batches.checked,
    heads: { log: head, database: null },
    // That a stream takes no writes says nothing about what it holds.
    tallies: CHECKS.filter((check) => check !== "frozen").map((check) => tallies[check]),
    warnings: head.frozen === null ? [] : [`The stream is frozen: ${head.frozen}.`],
  };
  return { report, first, last, events };
}

function tell({ output, json, stream }: ExportOptions, { report, first, last, events }: Exported): void {
  const differences = differencesOf(report);
  if (json) {
    const head = report.heads.log;
    const document = {
      ok: differences === 0,
      tenant_id: stream.tenantId,
      store_id: stream.storeId,
      output: differences === 0 ? output : null,
      events,
      first,
      last,
      batches: report.batches,
      state_root: head?.stateRoot == null ? null : toHex(head.stateRoot),
      differences,
      checks: report.tallies.map(tallyJson),
      warnings: report.warnings,
    };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  const range = first === null ? "" : `, ${first} to ${last}`;
  const what = `${counted(events, "event")}${range}, and ${counted(report.batches, "batch")}`;
  const where = output === null ? "written" : `written to ${output}`;
  process.stderr.write(
    differences === 0
      ? `${what}: verified and ${where}.\n${report.warnings.map((warning) => `${warning}\n`).join("")}`
      : `${streamText(report)}${counted(differences, "difference")}: this is not to be relied on${output === null ? "" : `, and ${output} is not written`}.\n`,
  );
}

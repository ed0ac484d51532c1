import type { Client } from "pg";
import type { StreamRef } from "../../src/stream-ref.ts";
import { checkStream, differencesOf, type StreamReport } from "../fsck/check-stream.ts";
import { openHttpSource } from "../fsck/http-source.ts";
import { jsonReport } from "../fsck/json-report.ts";
import { SourceError } from "../fsck/log-source.ts";
import { inSnapshot, listStreams, openPostgresSource } from "../fsck/postgres-source.ts";
import { closingText, streamText } from "../fsck/text-report.ts";
import { type Progress, textProgress } from "../lib/progress.ts";
import type { Command } from "./command.ts";
import { withDatabase } from "./database.ts";
import { FSCK_HELP, type FsckOptions, readFsckOptions } from "./fsck-options.ts";

export const fsck: Command = { summary: "derives again everything that the sequencer and the database say", run };

/** @returns 0 no differences, 1 some, 2 it could not be found out */
async function run(args: readonly string[]): Promise<number> {
  const progress = textProgress(process.stderr);
  try {
    const options = readFsckOptions(args, process.env);
    if (options === null) {
      process.stdout.write(FSCK_HELP);
      return 0;
    }
    const reports = await checkAll(options, progress);
    process.stdout.write(options.json ? jsonReport(reports) : closingText(reports));
    return reports.some((report) => differencesOf(report) > 0) ? 1 : 0;
  } catch (error) {
    progress.clear();
    if (!(error instanceof SourceError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

function checkAll(options: FsckOptions, progress: Progress): Promise<StreamReport[]> {
  if (options.databaseUrl === null) return checkStreams(options, null, progress);
  return withDatabase(options.databaseUrl, (client) => checkStreams(options, client, progress));
}

/** Each stream's report is printed as soon as it is there, unless all are to be one document. */
async function checkStreams(options: FsckOptions, client: Client | null, progress: Progress): Promise<StreamReport[]> {
  progress.start("Find");
  const streams = options.stream === null ? await listStreams(connected(client)) : [options.stream];
  const reports: StreamReport[] = [];
  for (const stream of streams) {
    const check = (): Promise<StreamReport> => checkOne(stream, options, client, progress);
    const report = await (client === null ? check() : inSnapshot(client, check));
    progress.clear();
    if (!options.json) process.stdout.write(streamText(report));
    reports.push(report);
  }
  progress.clear();
  return reports;
}

async function checkOne(
  stream: StreamRef,
  { server, receipts, payloadKeys }: FsckOptions,
  client: Client | null,
  progress: Progress,
): Promise<StreamReport> {
  // The mirror first: what it holds at this moment, the log holds at any later one.
  const database = client === null ? null : await openPostgresSource(client, stream, payloadKeys);
  const log = server === null ? null : await openHttpSource(server, stream, { receipts });
  progress.startEvents("Check", (log?.head.headSequence ?? 0) + (database?.head.headSequence ?? 0));
  return checkStream(stream, { log, database }, Date.now(), progress.advance);
}

function connected(client: Client | null): Client {
  if (client === null) throw new Error("without a stream there is a database");
  return client;
}

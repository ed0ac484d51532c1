import type { Client } from "pg";
import type { StreamRef } from "../../src/stream-ref.ts";
import { checkStream, type StreamReport } from "../fsck/check-stream.ts";
import { jsonReport } from "../fsck/json-report.ts";
import { SourceError } from "../fsck/log-source.ts";
import { inSnapshot, listStreams, openPostgresSource } from "../fsck/postgres-source.ts";
import type { CheckName } from "../fsck/tally.ts";
import { streamText } from "../fsck/text-report.ts";
import { type Progress, silentProgress, textProgress } from "../lib/progress.ts";
import { counted } from "../lib/text.ts";
import { parseOptions, UsageError } from "../lib/usage.ts";
import type { Command } from "./command.ts";
import { withDatabase } from "./database.ts";
import { readDatabaseUrl, readStream } from "./fsck-options.ts";

const HELP = `Usage: npm run admin -- backfill-state-roots [options]

Derives the roots and the chain of state roots of the database's commitments again from its events, and says which of them are
missing or wrong. It never writes: a commitment has its roots from the beginning and never changes, so that one that is wrong was
changed by hand. The stream's object has the right ones: docs/fsck.md says what to do.

  --tenant ID         one stream only: its tenant
  --store ID          and its store
  --database-url URL  the database; DATABASE_URL of the environment when not given
  --dry-run           makes no difference
  --json              print one JSON document, as fsck does
  --help              print this

Exit code 0: all are there and right, 1: some are not, 2: wrong usage, or the database cannot be read.
`;

/** What state roots follow from. */
const CHECKS: readonly CheckName[] = ["numbers", "signing_hashes", "batches", "merkle_roots", "state_roots"];

export const backfillStateRoots: Command = { summary: "derives the database's state roots again from its events", run };

/** @returns 0 all are right, 1 some are not, 2 it could not be found out */
async function run(args: readonly string[]): Promise<number> {
  const values = parseOptions(args, {
    tenant: { type: "string" },
    store: { type: "string" },
    "database-url": { type: "string" },
    "dry-run": { type: "boolean" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const url = readDatabaseUrl(values["database-url"] ?? (process.env["DATABASE_URL"] || undefined));
  if (url === null) throw new UsageError("Give --database-url.");
  const stream = readStream(values.tenant, values.store);
  const progress = values.json === true ? silentProgress : textProgress(process.stderr);
  try {
    const reports = await withDatabase(url, (client) => deriveAll(client, stream, progress));
    progress.clear();
    process.stdout.write(values.json === true ? jsonReport(reports) : text(reports));
    return reports.some(isWrong) ? 1 : 0;
  } catch (error) {
    progress.clear();
    if (!(error instanceof SourceError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

async function deriveAll(client: Client, only: StreamRef | null, progress: Progress): Promise<StreamReport[]> {
  progress.start("Find");
  const reports: StreamReport[] = [];
  for (const stream of only === null ? await listStreams(client) : [only]) {
    const report = await inSnapshot(client, async () => {
      const database = await openPostgresSource(client, stream, null);
      progress.startEvents("Derive", database.head.headSequence);
      return checkStream(stream, { log: null, database }, Date.now(), progress.advance);
    });
    reports.push({ ...report, tallies: report.tallies.filter(({ check }) => CHECKS.includes(check)), warnings: [] });
  }
  return reports;
}

function isWrong({ tallies }: StreamReport): boolean {
  return tallies.some(({ differences }) => differences > 0);
}

function text(reports: readonly StreamReport[]): string {
  const wrong = reports.filter(isWrong);
  const batches = reports.reduce((sum, report) => sum + report.batches, 0);
  const done = `${counted(batches, "batch")} of ${counted(reports.length, "stream")} derived again`;
  if (wrong.length === 0) return `${done}: all state roots are there and right.\n`;
  const what = `${counted(wrong.length, "stream")} of them with something missing or wrong`;
  return `${wrong.map(streamText).join("")}\n${done}, ${what}. docs/fsck.md says what to do.\n`;
}

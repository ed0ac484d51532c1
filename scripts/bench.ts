import { writeFileSync } from "node:fs";
import { Bench } from "./bench/bench.ts";
import { Cleanup } from "./bench/cleanup.ts";
import { machineFacts } from "./bench/machine.ts";
import { type Options, parseOptions, type SectionId, UsageError } from "./bench/options.ts";
import { formatSection, formatTarget, isMet, type SectionResult } from "./bench/report.ts";
import { accessSection } from "./bench/sections/access.ts";
import { groupCommitSection } from "./bench/sections/group-commit.ts";
import { growthSection } from "./bench/sections/growth.ts";
import { ingestSection } from "./bench/sections/ingest.ts";
import { limitsSection } from "./bench/sections/limits.ts";
import { objectSection } from "./bench/sections/object.ts";
import { mirrorSection } from "./bench/sections/mirror.ts";
import { proofsSection } from "./bench/sections/proofs.ts";
import { revocationSection } from "./bench/sections/revocation.ts";
import { sealingSection } from "./bench/sections/sealing.ts";

/*
 * `npm run bench`: how fast the sequencer is on this machine, measured in one run so that its figures can be compared.
 */

const HELP = `Usage: npm run bench -- [options]

Measures the sequencer in workerd on this machine, with its data on disk, and prints what it found. Absolute figures are
the machine's; the ratios are what counts, and those with a bound are marked "pass" or "MISS".

  --only A,C      only these sections
  --quick         shorter measurements (a few minutes in all), fewer of them in A, and a smaller log in D and H
  --seconds N     length of each measurement over HTTP; 3, or 0.7 with --quick
  --mirror-seconds N
                  length of the long run in I; 60, or 15 with --quick
  --json FILE     also writes all figures to FILE
  --check         exit code 1 when a target is missed
  --help          this text

Events have payloads of about 400 bytes and come four to an entity. They are made and signed before any clock starts, and
sent by processes of their own over keep-alive connections; each measurement begins with a warm-up that does not count.
Sides that are compared take turns, and rounds are compared one by one; E takes the fastest; A, F and the long run of I are
single runs; J takes turns request by request. Where a whole Worker is measured its streams seal their events, as they
always do; a mirror is only in I.

  A  Ingest end to end over HTTP: verify, sequence, store durably, sign receipts. One stream, one workerd.
  B  Group commit: one-event requests of 32 callers, against the same Worker made to commit each request by itself.
  C  The stream object alone: appendEvents against plain INSERTs of the same rows into the same schema, in workerd, in
     batches of 100. Also the rows written for each event, which is what an object is billed for.
  D  The cost of an append to a log of 1,000,000 events (100,000 with --quick) against one of 1,000.
  E  Where the time of an event goes, part by part, and what the machine can do at best: commits, verifications. Also what
     checking a payload against a registered schema takes.
  F  How long revoking a key takes while 8 callers push.
  G  How long the object takes to seal a batch of 1,024 events, and what that is of verifying their signatures.
  H  The object's time for the proof of a random event in a log of 1,000,000 (100,000 with --quick) and of one batch.
  I  What sealing and mirroring take of the ingest rate, and whether the mirror, a PostgreSQL server on this machine that
     writes to disk, keeps up with a long load.
  J  What authentication by API key and rate limits take of the ingest rate, against a Worker that asks nobody who they are.
`;

const SECTIONS: Record<
  SectionId,
  { readonly title: string; readonly measure: (bench: Bench) => Promise<SectionResult> }
> = {
  A: { title: "A. Verified ingest end to end", measure: ingestSection },
  B: { title: "B. Group commit", measure: groupCommitSection },
  C: { title: "C. The stream object alone", measure: objectSection },
  D: { title: "D. Growth of the log", measure: growthSection },
  E: { title: "E. Where the time goes", measure: limitsSection },
  F: { title: "F. Revocation under load", measure: revocationSection },
  G: { title: "G. Sealing", measure: sealingSection },
  H: { title: "H. Proofs", measure: proofsSection },
  I: { title: "I. The mirror", measure: mirrorSection },
  J: { title: "J. Authentication and limits", measure: accessSection },
};

process.exitCode = await main(process.argv.slice(2));

/** @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseOptions(args);
    if (!options.help) return await run(options);
    process.stdout.write(HELP);
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\nSee npm run bench -- --help\n`);
    return 2;
  }
}

async function run(options: Options): Promise<number> {
  const cleanup = new Cleanup();
  try {
    return await measure(options, new Bench(options, cleanup));
  } finally {
    await cleanup.run();
  }
}

async function measure(given: Options, bench: Bench): Promise<number> {
  const started = performance.now();
  const machine = machineFacts(bench.servers.dataDirectory);
  for (const [name, value] of Object.entries(machine)) process.stdout.write(`${name.padEnd(10)}${value}\n`);

  const results: Partial<Record<SectionId, SectionResult>> = {};
  for (const id of given.only) {
    const { title, measure: measureSection } = SECTIONS[id];
    const result = await measureSection(bench);
    results[id] = result;
    process.stdout.write(formatSection(title, result));
  }

  const targets = Object.values(results).flatMap((result) => result.targets);
  const missed = targets.filter((target) => !isMet(target));
  const seconds = (performance.now() - started) / 1_000;
  process.stdout.write(
    `\n${targets.length - missed.length} of ${targets.length} targets met, in ${seconds.toFixed(0)} s.\n`,
  );
  for (const target of missed) process.stdout.write(`${formatTarget(target)}\n`);
  if (given.json !== null) {
    writeFileSync(given.json, `${JSON.stringify({ machine, options: given, seconds, results }, null, 2)}\n`);
  }
  return given.check && missed.length > 0 ? 1 : 0;
}

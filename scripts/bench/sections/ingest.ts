import type { Bench } from "../bench.ts";
import { newLoadAgent } from "../load.ts";
import { progress, type SectionResult } from "../report.ts";

const BATCH_SIZES = [1, 10, 100, 1_000];
const COMMAND_CALLERS = 8;
const TARGET_BATCH = 100;

/** A: the whole way over HTTP, as an agent sees it. */
export async function ingestSection(bench: Bench): Promise<SectionResult> {
  const server = await bench.servers.start("production");
  const agent = await newLoadAgent(server);
  const { seconds, quick } = bench.options;
  const callerCounts = quick ? [1, 8] : [1, 8, 32];
  const commandBatchSizes = quick ? [100] : BATCH_SIZES;
  let errors = 0;
  const failures: string[] = [];

  async function cell(batchSize: number, callers: number, commandIds: boolean): Promise<(string | number)[]> {
    progress(`A: ${batchSize} events a request, ${callers} callers${commandIds ? ", command ids" : ""}`);
    const run = await bench.clients.prepare({ server, agent, batchSize, callers, commandIds, seconds });
    const result = await run();
    errors += result.errors;
    if (result.firstError !== null) failures.push(result.firstError);
    const { eventsPerSecond, p50Ms, p99Ms, requests } = result;
    return [batchSize, callers, eventsPerSecond, p50Ms, p99Ms, requests, result.errors];
  }

  const columns = ["events/request", "callers", "events/s", "p50 ms", "p99 ms", "requests timed", "errors"];
  const plain: (string | number)[][] = [];
  for (const batchSize of BATCH_SIZES) {
    for (const callers of callerCounts) plain.push(await cell(batchSize, callers, false));
  }
  const withCommands: (string | number)[][] = [];
  for (const batchSize of commandBatchSizes) withCommands.push(await cell(batchSize, COMMAND_CALLERS, true));

  const best = Math.max(...plain.filter(([batchSize]) => batchSize === TARGET_BATCH).map((row) => Number(row[2])));
  return {
    tables: [
      { title: "Verified ingest into one stream, one workerd", columns, rows: plain },
      { title: "The same with a command_id on every event", columns, rows: withCommands },
    ],
    targets: [
      // An absolute figure, so it says as much about the machine: section E sets it beside what the machine can do.
      { name: `best events/s in requests of ${TARGET_BATCH}`, value: best, bound: { atLeast: 8_000 } },
      { name: "errors", value: errors, bound: { atMost: 0 } },
    ],
    notes: [
      "Where few requests were timed, the 99th percentile is the slowest of them.",
      ...failures.slice(0, 3).map((failure) => `error: ${failure}`),
    ],
  };
}

import type { Server } from "../../lib/client.ts";
import type { Bench } from "../bench.ts";
import { type LoadResult, newLoadAgent } from "../load.ts";
import { waitForMirror } from "../mirror-samples.ts";
import { progress, type Table } from "../report.ts";
import { median } from "../statistics.ts";

export const BATCH_SIZE = 100;
export const CALLERS = 8;
/** Signing takes longer than pushing: enough for rounds twice as fast as any before. */
const SPARE = 2;
/** Shorter than a batch, so it waits for its time. */
const UNSEALED_REST = 1_023;

/** What the streams do with their events beside storing them. */
const SIDES = ["neither", "sealed", "mirrored"] as const;
type Side = (typeof SIDES)[number];

const NAMES: Record<Side, string> = {
  neither: "neither sealed nor mirrored",
  sealed: "sealed, no mirror",
  mirrored: "sealed and mirrored",
};

/** What sealing and mirroring take of the ingest rate. */
export interface MirrorCosts {
  readonly table: Table;
  readonly notes: readonly string[];
  readonly errors: readonly LoadResult[];
  /** Highest rate that was seen with the mirror. */
  readonly bestMirrored: number;
}

/** The three sides take turns, so that other work on the machine meets all of them. */
export async function mirrorCosts(bench: Bench): Promise<MirrorCosts> {
  const servers: Record<Side, Server> = {
    neither: await bench.servers.start("unsealed"),
    sealed: await bench.servers.start("production"),
    mirrored: await bench.servers.startMirrored(),
  };
  const results: Record<Side, LoadResult[]> = { neither: [], sealed: [], mirrored: [] };
  const rounds = bench.options.quick ? 3 : 5;
  let ceilingRate: number | undefined;
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    progress(`I: round ${round + 1} of ${rounds + 1}`);
    for (const side of SIDES) {
      const result = await measure(bench, servers[side], { isMirrored: side === "mirrored", ceilingRate });
      ceilingRate = Math.max(ceilingRate ?? 0, result.eventsPerSecond * SPARE);
      if (round > 0) results[side].push(result);
    }
  }
  return {
    table: {
      title: `Verified ingest in requests of ${BATCH_SIZE}, ${CALLERS} callers; medians of ${rounds} rounds`,
      columns: ["", "events/s", "p50 ms", "p99 ms"],
      rows: SIDES.map((side) => [
        NAMES[side],
        median(results[side].map(({ eventsPerSecond }) => eventsPerSecond)),
        median(results[side].map(({ p50Ms }) => p50Ms)),
        median(results[side].map(({ p99Ms }) => p99Ms)),
      ]),
    },
    notes: [
      `Sealing takes ${share(results.sealed, results.neither)} of the ingest rate, mirroring ` +
        `${share(results.mirrored, results.sealed)}, both together ${share(results.mirrored, results.neither)}.`,
      "PostgreSQL and the load share the machine's cores with the Worker.",
    ],
    errors: SIDES.flatMap((side) => results[side]).filter(({ errors }) => errors > 0),
    bestMirrored: Math.max(...results.mirrored.map(({ eventsPerSecond }) => eventsPerSecond)),
  };
}

async function measure(
  bench: Bench,
  server: Server,
  { isMirrored, ceilingRate }: { readonly isMirrored: boolean; readonly ceilingRate: number | undefined },
): Promise<LoadResult> {
  const agent = await newLoadAgent(server);
  const stream = { tenantId: agent.tenantId, storeId: crypto.randomUUID() };
  const load = { server, agent, storeId: stream.storeId, batchSize: BATCH_SIZE, callers: CALLERS, commandIds: false };
  const ceiling = ceilingRate === undefined ? {} : { ceilingRate };
  const run = await bench.clients.prepare({ ...load, ...ceiling, seconds: bench.options.seconds });
  const result = await run();
  // What it has still to do must not meet the next side.
  if (isMirrored) await waitForMirror(server, stream, UNSEALED_REST);
  return result;
}

/** Other work that disturbs a round disturbs all of its sides, so rounds are compared one by one. */
function share(withIt: readonly LoadResult[], without: readonly LoadResult[]): string {
  const ratios = withIt.map(({ eventsPerSecond }, round) => eventsPerSecond / (without[round]?.eventsPerSecond ?? NaN));
  return `${((1 - median(ratios)) * 100).toFixed(0)} %`;
}

import type { Server } from "../../lib/client.ts";
import { type Bench, median } from "../bench.ts";
import { progress, type SectionResult } from "../report.ts";
import { objectCall } from "../servers.ts";
import { EVENTS_PER_ENTITY } from "../workload.ts";

const SMALL = 1_000;
const BATCH_SIZE = 100;
const BATCHES = 20;
/** Events of one call: what shows progress. */
const FILL_STEP = 50_000;

interface Workload {
  readonly name: string;
  readonly orderedIds: boolean;
  readonly oldEntities: boolean;
}

/** The first is the one with a target; the others tell what it is made of. */
const WORKLOADS: readonly Workload[] = [
  { name: "random event ids (UUIDv4), new entities", orderedIds: false, oldEntities: false },
  { name: "event ids that rise (UUIDv7), new entities", orderedIds: true, oldEntities: false },
  { name: "event ids that rise (UUIDv7), old entities at random", orderedIds: true, oldEntities: true },
];

/** D: whether an append gets dearer as the log grows. */
export async function growthSection(bench: Bench): Promise<SectionResult> {
  const server = await bench.servers.start("index");
  const large = bench.options.quick ? 100_000 : 1_000_000;
  const started = performance.now();
  for (let events = 0; events < large; events += FILL_STEP) {
    progress(`D: filling, ${events.toLocaleString("en-US")} of ${large.toLocaleString("en-US")}`);
    await objectCall(server, "large", { op: "fill", events: Math.min(FILL_STEP, large - events) });
  }
  const fillSeconds = (performance.now() - started) / 1_000;

  const rounds = bench.options.quick ? 5 : 13;
  const times = new Map(WORKLOADS.map(({ name }) => [name, { small: [] as number[], large: [] as number[] }]));
  for (let round = 0; round < rounds; round++) {
    progress(`D: measuring, round ${round + 1} of ${rounds}`);
    for (const workload of WORKLOADS) {
      // A new one each time: it must not outgrow its size while it is measured.
      const small = `small ${round} ${workload.name}`;
      await objectCall(server, small, { op: "fill", events: SMALL });
      times.get(workload.name)?.small.push(await measure(server, small, SMALL, workload));
      times.get(workload.name)?.large.push(await measure(server, "large", large, workload));
    }
  }
  const rows = Array.from(times, ([name, { small, large: big }]): [string, number, number, number] => [
    name,
    perEvent(small),
    perEvent(big),
    // The first round warmed up. Other work that disturbs a round disturbs both of its sides.
    median(big.map((ms, round) => ms / (small[round] ?? NaN)).slice(1)),
  ]);
  const count = large.toLocaleString("en-US");
  return {
    tables: [
      {
        title: "appendEvents in batches of 100 with a commit each: us/event by the number of events stored",
        columns: ["", "1,000 stored", `${count} stored`, "ratio"],
        rows,
      },
    ],
    targets: [
      { name: `cost at ${count} / cost at 1,000, random ids`, value: rows[0]?.[3] ?? NaN, bound: { atMost: 1.2 } },
    ],
    notes: [`Filled through appendEvents in ${fillSeconds.toFixed(1)} s, making the events included.`],
  };
}

function perEvent(ms: readonly number[]): number {
  return (median(ms.slice(1)) * 1_000) / (BATCHES * BATCH_SIZE);
}

async function measure(server: Server, object: string, stored: number, workload: Workload): Promise<number> {
  await objectCall(server, object, {
    op: "prepare",
    batches: BATCHES,
    batchSize: BATCH_SIZE,
    commandIds: false,
    orderedIds: workload.orderedIds,
    ...(workload.oldEntities ? { knownEntities: stored / EVENTS_PER_ENTITY } : {}),
  });
  return (await objectCall(server, object, { op: "append", commitEach: true })).ms;
}

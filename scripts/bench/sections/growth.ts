import type { Server } from "../../lib/client.ts";
import type { Bench } from "../bench.ts";
import { fillObject, LARGE_OBJECT } from "../filled-object.ts";
import { newLoadAgent } from "../load.ts";
import { progress, type SectionResult } from "../report.ts";
import { objectCall } from "../servers.ts";
import { median } from "../statistics.ts";
import type { FillRequest } from "../worker/growing.ts";
import { EVENTS_PER_ENTITY } from "../workload.ts";

const SMALL = 1_000;
const BATCH_SIZE = 100;
const BATCHES = 20;
/** Events of one call: what shows progress. */
const FILL_STEP = 50_000;
const CALLERS = 8;
/** Of each round of the whole way. */
const SECONDS = 2;

interface Workload {
  readonly name: string;
  readonly orderedIds: boolean;
  readonly oldEntities: boolean;
}

/** Time-ordered ids keep the index's new entries together; random ones each touch a page of their own. */
const WORKLOADS: readonly Workload[] = [
  { name: "random event ids (UUIDv4), new entities", orderedIds: false, oldEntities: false },
  { name: "event ids that rise (UUIDv7), new entities", orderedIds: true, oldEntities: false },
  { name: "event ids that rise (UUIDv7), old entities at random", orderedIds: true, oldEntities: true },
];

/** D: whether an event gets dearer as the log grows: all of its way, and the object's share of it. */
export async function growthSection(bench: Bench): Promise<SectionResult> {
  const large = bench.options.quick ? 100_000 : 1_000_000;
  const whole = await wholeWay(bench, large);
  const share = await objectsShare(bench, large);
  const count = large.toLocaleString("en-US");
  const columns = ["", "1,000 stored", `${count} stored`, "ratio"];
  const rows = [["verified events, random ids (UUIDv4), 8 callers", ...whole]];
  return {
    tables: [
      { title: "End to end in requests of 100: us/event by the number of events stored", columns, rows },
      { title: "appendEvents alone in batches of 100 with a commit each: us/event", columns, rows: share },
    ],
    targets: [{ name: `cost at ${count} / cost at 1,000, end to end`, value: whole[2], bound: { atMost: 1.2 } }],
  };
}

type Growth = readonly [small: number, large: number, ratio: number];

/** The same agents push to a short stream and to a long one, in turns. */
async function wholeWay(bench: Bench, large: number): Promise<Growth> {
  const server = await bench.servers.start("growing");
  const agent = await newLoadAgent(server);
  const longStore = crypto.randomUUID();
  await fillStream(server, { tenantId: agent.tenantId, storeId: longStore, events: large });

  const times = { small: [] as number[], large: [] as number[] };
  const rounds = bench.options.quick ? 4 : 7;
  for (let round = 0; round < rounds; round++) {
    progress(`D: end to end, round ${round + 1} of ${rounds}`);
    const shortStore = crypto.randomUUID();
    await fillStream(server, { tenantId: agent.tenantId, storeId: shortStore, events: SMALL });
    for (const [size, storeId] of [
      ["small", shortStore],
      ["large", longStore],
    ] as const) {
      const load = { server, agent, storeId, batchSize: BATCH_SIZE, callers: CALLERS, commandIds: false };
      const run = await bench.clients.prepare({ ...load, seconds: SECONDS });
      times[size].push(1_000_000 / (await run()).eventsPerSecond);
    }
  }
  return growthOf(times);
}

async function fillStream(server: Server, request: FillRequest): Promise<void> {
  for (let done = 0; done < request.events; done += FILL_STEP) {
    progress(`D: filling a stream, ${done.toLocaleString("en-US")} of ${request.events.toLocaleString("en-US")}`);
    const body = JSON.stringify({ ...request, events: Math.min(FILL_STEP, request.events - done) });
    const response = await fetch(`${server.url}/fill`, { method: "POST", body });
    if (!response.ok) throw new Error(`the stream could not be filled: ${response.status} ${await response.text()}`);
  }
}

async function objectsShare(bench: Bench, large: number): Promise<(string | number)[][]> {
  const server = await bench.servers.start("index");
  await fillObject(server, { section: "D", object: LARGE_OBJECT, events: large });
  const rounds = bench.options.quick ? 5 : 13;
  const times = new Map(WORKLOADS.map(({ name }) => [name, { small: [] as number[], large: [] as number[] }]));
  for (let round = 0; round < rounds; round++) {
    progress(`D: the object alone, round ${round + 1} of ${rounds}`);
    for (const workload of WORKLOADS) {
      // A new one each time: it must not outgrow its size while it is measured.
      const small = `small ${round} ${workload.name}`;
      await objectCall(server, small, { op: "fillTo", events: SMALL });
      times.get(workload.name)?.small.push(await measure(server, small, SMALL, workload));
      times.get(workload.name)?.large.push(await measure(server, LARGE_OBJECT, large, workload));
    }
  }
  return Array.from(times, ([name, measured]) => [name, ...growthOf(measured)]);
}

/** The first round warmed up. Other work that disturbs a round disturbs both of its sides. */
function growthOf({ small, large }: { readonly small: readonly number[]; readonly large: readonly number[] }): Growth {
  const ratios = large.map((us, round) => us / (small[round] ?? NaN));
  return [median(small.slice(1)), median(large.slice(1)), median(ratios.slice(1))];
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
  const { ms } = await objectCall(server, object, { op: "append", commitEach: true });
  return (ms * 1_000) / (BATCHES * BATCH_SIZE);
}

import { Client } from "pg";
import type { StreamRef } from "../../../src/stream-ref.ts";
import type { Bench } from "../bench.ts";
import { type LoadResult, newLoadAgent } from "../load.ts";
import { type Sample, sampleDuring, secondsBehind, waitForMirror } from "../mirror-samples.ts";
import { progress, type SectionResult, type Table } from "../report.ts";
import { BATCH_SIZE, CALLERS, mirrorCosts } from "./mirror-costs.ts";

/** More events are signed than were taken a second before: the machine may have been busy then. */
const SPARE = 1.3;
const ROWS_SHOWN = 12;

/** I: whether the mirror keeps up with ingest, and what it takes of it. */
export async function mirrorSection(bench: Bench): Promise<SectionResult> {
  const costs = await mirrorCosts(bench);
  const long = await longRun(bench, costs.bestMirrored * SPARE);
  const { samples, drained, stored, result } = long;
  const results = [...costs.errors, result];
  const worst = Math.max(...samples.map((sample) => secondsBehind(samples, sample)));
  return {
    tables: [costs.table, overTime(samples, result)],
    targets: [
      { name: "mirrored / accepted in the second half of the load", value: keptUp(samples), bound: { atLeast: 0.95 } },
      {
        name: "from the end of the load to the last event in PostgreSQL",
        value: drained.seconds,
        unit: " s",
        bound: { atMost: 10 },
      },
      { name: "events of the head that PostgreSQL lacks", value: drained.head - stored.count, bound: { atMost: 0 } },
      {
        name: "PostgreSQL's last number - the head",
        value: Math.abs(stored.last - drained.head),
        bound: { atMost: 0 },
      },
      { name: "errors", value: results.reduce((sum, { errors }) => sum + errors, 0), bound: { atMost: 0 } },
    ],
    notes: [
      ...costs.notes,
      `Furthest behind, by the samples: ${Math.max(...samples.map(behind)).toLocaleString("en-US")} events, ${worst.toFixed(1)} s. ` +
        "The last events wait 5 s for their batch to be sealed.",
      ...results.flatMap(({ firstError }) => (firstError === null ? [] : [`error: ${firstError}`])).slice(0, 3),
    ],
  };
}

interface LongRun {
  readonly result: LoadResult;
  readonly samples: readonly Sample[];
  /** When the mirror had everything, in seconds after the end of the load. */
  readonly drained: Sample;
  readonly stored: Stored;
}

async function longRun(bench: Bench, ceilingRate: number): Promise<LongRun> {
  const server = await bench.servers.startMirrored();
  const agent = await newLoadAgent(server);
  const stream = { tenantId: agent.tenantId, storeId: crypto.randomUUID() };
  const seconds = bench.options.mirrorSeconds;
  progress(`I: signing events for ${seconds} s`);
  const load = { server, agent, storeId: stream.storeId, batchSize: BATCH_SIZE, callers: CALLERS, commandIds: false };
  const run = await bench.clients.prepare({ ...load, seconds, ceilingRate });
  progress(`I: pushing for ${seconds} s`);
  const { result, samples } = await sampleDuring(server, stream, run());
  progress("I: waiting for the mirror");
  const drained = await waitForMirror(server, stream, 0);
  return { result, samples, drained, stored: await storedIn(server.databaseUrl, stream) };
}

interface Stored {
  readonly count: number;
  readonly last: number;
}

async function storedIn(databaseUrl: string, { tenantId, storeId }: StreamRef): Promise<Stored> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    // `bigint` comes as text.
    const { rows } = await client.query<{ count: string; last: string | null }>(
      "SELECT count(*) AS count, max(sequence_number) AS last FROM ves_events WHERE tenant_id = $1 AND store_id = $2",
      [tenantId, storeId],
    );
    return { count: Number(rows[0]?.count), last: Number(rows[0]?.last) };
  } finally {
    await client.end();
  }
}

function behind({ head, mirrored }: Sample): number {
  return head - mirrored;
}

/** A mirror that falls behind for good shows it here, however long the load is. */
function keptUp(samples: readonly Sample[]): number {
  const end = samples.at(-1);
  const middle = samples.find(({ seconds }) => seconds >= (end?.seconds ?? 0) / 2);
  if (end === undefined || middle === undefined) return NaN;
  return (end.mirrored - middle.mirrored) / (end.head - middle.head);
}

function overTime(samples: readonly Sample[], { eventsPerSecond, p50Ms, p99Ms }: LoadResult): Table {
  const stride = Math.ceil((samples.length - 1) / ROWS_SHOWN);
  const shown = samples.filter((_, index) => index > 0 && (index % stride === 0 || index === samples.length - 1));
  return {
    title:
      `The mirror under load: ${Math.round(eventsPerSecond).toLocaleString("en-US")} events/s, ` +
      `p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms`,
    columns: ["second", "head", "sealed", "mirrored", "events behind", "seconds behind"],
    rows: shown.map((sample) => [
      Math.round(sample.seconds),
      sample.head,
      sample.sealed,
      sample.mirrored,
      behind(sample),
      secondsBehind(samples, sample),
    ]),
  };
}

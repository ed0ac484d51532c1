import type { Server } from "../../lib/client.ts";
import type { Bench } from "../bench.ts";
import { progress, type SectionResult, type Table } from "../report.ts";
import { objectCall } from "../servers.ts";
import { median } from "../statistics.ts";

const BATCH_SIZE = 100;
const MODES = ["raw", "append"] as const;
type Mode = (typeof MODES)[number];

/** C: the object's side alone: what appendEvents costs beside plain INSERTs of the same rows. */
export async function objectSection(bench: Bench): Promise<SectionResult> {
  const server = await bench.servers.start("index");
  const batches = bench.options.quick ? 40 : 100;
  const rounds = bench.options.quick ? 5 : 11;
  const durable = await compare(server, { batches, rounds, commitEach: true });
  const unwaited = await compare(server, { batches, rounds, commitEach: false });
  const rows = await rowsTable(server);
  return {
    tables: [
      storageTable("Stored by the object in batches of 100, each with its own commit; median rounds", durable),
      storageTable("The same without waiting for the disk: one commit at the end", unwaited),
      rows,
    ],
    targets: [
      { name: "appendEvents / raw rate", value: ratio(durable), bound: { atLeast: 0.8 } },
      {
        name: "appendEvents / raw rate, not waiting for the disk",
        value: ratio(unwaited),
        bound: { atLeast: 0.8 },
      },
      {
        name: `rows written per event in batches of ${BATCH_SIZE}, no command ids`,
        value: Number(rows.rows[1]?.[2]),
        bound: { atMost: 3.1 },
      },
    ],
  };
}

interface Comparison {
  /** Milliseconds of each round, by mode. */
  readonly times: Readonly<Record<Mode, readonly number[]>>;
  readonly events: number;
}

/** The modes take turns on objects of their own that grow alike; the first round warms up. */
async function compare(
  server: Server,
  { batches, rounds, commitEach }: { batches: number; rounds: number; commitEach: boolean },
): Promise<Comparison> {
  const times: Record<Mode, number[]> = { raw: [], append: [] };
  for (let round = 0; round < rounds; round++) {
    progress(`C: ${commitEach ? "committing each batch" : "one commit"}, round ${round + 1} of ${rounds}`);
    for (const mode of MODES) {
      const object = `${mode} ${commitEach}`;
      const raw = mode === "raw";
      await objectCall(server, object, { op: "prepare", batches, batchSize: BATCH_SIZE, commandIds: false, raw });
      const { ms } = await objectCall(server, object, { op: mode, commitEach });
      if (round > 0) times[mode].push(ms);
    }
  }
  return { times, events: batches * BATCH_SIZE };
}

/** Other work that disturbs a round disturbs both of its sides, so rounds are compared one by one. */
function ratio({ times }: Comparison): number {
  return median(times.append.map((ms, round) => (times.raw[round] ?? NaN) / ms));
}

function storageTable(title: string, comparison: Comparison): Table {
  const names: Record<Mode, string> = { raw: "plain INSERTs of the same rows", append: "appendEvents" };
  return {
    title,
    columns: ["", "events/s", "us/event"],
    rows: MODES.map((mode) => {
      const ms = median(comparison.times[mode]);
      return [names[mode], (comparison.events * 1_000) / ms, (ms * 1_000) / comparison.events];
    }),
  };
}

async function rowsTable(server: Server): Promise<Table> {
  const rows: (string | number)[][] = [];
  for (const commandIds of [false, true]) {
    for (const batchSize of [1, BATCH_SIZE]) {
      const object = `rows ${commandIds} ${batchSize}`;
      const batches = 8;
      // The first batch also makes the tables.
      await objectCall(server, object, { op: "fillTo", events: 1_000 });
      await objectCall(server, object, { op: "prepare", batches, batchSize, commandIds });
      const { answer } = await objectCall(server, object, { op: "countRows" });
      rows.push([
        commandIds ? "command_id on each event" : "no command ids",
        batchSize,
        answer.rowsWritten / (batches * batchSize),
      ]);
    }
  }
  return {
    title: "Rows written, as billed (index entries count; four events an entity)",
    columns: ["", "events/request", "rows/event"],
    rows,
  };
}

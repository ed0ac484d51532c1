import type { Server } from "../../lib/client.ts";
import type { Bench } from "../bench.ts";
import { partCosts } from "../part-costs.ts";
import { progress, type SectionResult } from "../report.ts";
import { objectCall } from "../servers.ts";
import { median, percentile } from "../statistics.ts";
import type { ObjectCall } from "../worker/messages.ts";

const BATCH_EVENTS = 1_024;
/** Appended for one round of turns. */
const PREPARED_BATCHES = 12;
const WARM_UP_ROUNDS = 1;

interface Turn {
  readonly name: string;
  readonly call: ObjectCall;
  /** Sealed in one turn: one under steady load, four at most when a stream has fallen behind. */
  readonly batches: number;
}

const WITHOUT_COMMIT: Turn = { name: "one batch, without the commit", call: { op: "sealAndUndo" }, batches: 1 };
const TURNS: readonly Turn[] = [
  WITHOUT_COMMIT,
  { name: "one batch, committed to disk", call: { op: "seal", batches: 1 }, batches: 1 },
  { name: "each of four batches, one commit", call: { op: "seal", batches: 4 }, batches: 4 },
];

/** G: how long sealing keeps a stream's object from its appends. */
export async function sealingSection(bench: Bench): Promise<SectionResult> {
  const { quick } = bench.options;
  const server = await bench.servers.start("index");
  const rounds = quick ? 3 : 8;
  const times = new Map(TURNS.map((turn) => [turn, [] as number[]]));
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    progress(`G: round ${round + 1 + WARM_UP_ROUNDS} of ${rounds + WARM_UP_ROUNDS}`);
    for (const [turn, measured] of times) {
      const each = await takeTurns(server, turn);
      if (round >= 0) measured.push(...each);
    }
  }
  const { verifyEd25519 } = await partCosts(server, { section: "G", parts: ["verifyEd25519"], quick });
  const rows = Array.from(times, ([{ name, batches }, measured]): (string | number)[] => {
    const usPerEvent = (median(measured) * 1_000) / BATCH_EVENTS;
    const share = usPerEvent / verifyEd25519;
    const [fastest, p95] = [Math.min(...measured), percentile(measured, 0.95)];
    return [name, measured.length * batches, fastest, median(measured), p95, usPerEvent, share];
  });
  const sealing = times.get(WITHOUT_COMMIT) ?? [];
  const limit = { unit: " ms", bound: { atMost: 20 } };
  return {
    tables: [
      {
        title: `Sealing ${BATCH_EVENTS.toLocaleString("en-US")} stored events, less an empty call`,
        columns: ["", "batches", "fastest ms", "median ms", "p95 ms", "us/event", "of a verification"],
        rows,
      },
    ],
    targets: [
      { name: "sealing a batch, median", value: median(sealing), ...limit },
      { name: "sealing a batch, 95th percentile", value: percentile(sealing, 0.95), ...limit },
    ],
    notes: [
      `Verifying an event's signature takes ${verifyEd25519.toFixed(1)} us in the same run. The limits are the object's own ` +
        "work; a commit is the disk's, and appends of the same turn share it.",
    ],
  };
}

/** Milliseconds a batch of each turn, less what an empty call takes. */
async function takeTurns(server: Server, { name, call, batches }: Turn): Promise<number[]> {
  const prepared = { batches: PREPARED_BATCHES, batchSize: BATCH_EVENTS, commandIds: false };
  await objectCall(server, name, { op: "prepare", ...prepared });
  await objectCall(server, name, { op: "append", commitEach: true });
  const empty: number[] = [];
  const turns: number[] = [];
  for (let sealed = 0; sealed < PREPARED_BATCHES; sealed += batches) {
    empty.push((await objectCall(server, name, { op: "nothing" })).ms);
    turns.push((await objectCall(server, name, call)).ms);
  }
  return turns.map((ms) => (ms - median(empty)) / batches);
}

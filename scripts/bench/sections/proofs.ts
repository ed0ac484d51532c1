import type { Bench } from "../bench.ts";
import { fillObject, LARGE_OBJECT } from "../filled-object.ts";
import { progress, type SectionResult } from "../report.ts";
import { objectCall } from "../servers.ts";
import { median, percentile } from "../statistics.ts";

/** One batch. */
const SMALL = 1_024;
/** Of one call: a single one is too short to be seen from outside. */
const PROOFS = 100;
const WARM_UP_ROUNDS = 5;

/** H: whether a proof gets dearer as the log grows. */
export async function proofsSection(bench: Bench): Promise<SectionResult> {
  const { quick } = bench.options;
  const server = await bench.servers.start("index");
  const large = quick ? 100_000 : 1_000_000;
  const sizes = [
    { object: "small proofs", events: SMALL },
    { object: LARGE_OBJECT, events: large },
  ].map((size) => ({ ...size, times: [] as number[] }));
  for (const { object, events } of sizes) await fillObject(server, { section: "H", object, events });

  const rounds = quick ? 40 : 120;
  const calls: number[] = [];
  progress(`H: ${rounds} rounds of ${PROOFS} proofs`);
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    const empty = await objectCall(server, LARGE_OBJECT, { op: "nothing" });
    if (round >= 0) calls.push(empty.ms);
    for (const { object, times } of sizes) {
      const { ms } = await objectCall(server, object, { op: "prove", proofs: PROOFS });
      if (round >= 0) times.push(ms);
    }
  }
  const emptyCall = median(calls);
  const rows = sizes.map(({ events, times }) => {
    const each = times.map((ms) => Math.max(0, ms - emptyCall) / PROOFS);
    return [events.toLocaleString("en-US"), rounds * PROOFS, median(each), percentile(each, 0.95)] as const;
  });
  const [small, long] = rows;
  const count = large.toLocaleString("en-US");
  const limit = { unit: " ms", bound: { atMost: 2 } };
  return {
    tables: [
      {
        title: `The object's time for a proof of a random event, over calls of ${PROOFS}, less an empty call`,
        columns: ["events stored", "proofs", "median ms", "p95 ms"],
        rows,
      },
    ],
    targets: [
      { name: `a proof at ${count}, median`, value: long?.[2] ?? NaN, ...limit },
      { name: `a proof at ${count}, 95th percentile`, value: long?.[3] ?? NaN, ...limit },
    ],
    notes: [
      `At ${count} a proof takes ${((long?.[2] ?? NaN) / (small?.[2] ?? NaN)).toFixed(2)} times what it takes in a log of one batch.`,
    ],
  };
}

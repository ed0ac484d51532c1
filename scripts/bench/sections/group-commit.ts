import type { Bench } from "../bench.ts";
import { newLoadAgent } from "../load.ts";
import { progress, type SectionResult } from "../report.ts";
import type { Variant } from "../servers.ts";
import { median } from "../statistics.ts";

const CALLERS = 32;
/** Short turns, many of them: other work on the machine comes in bursts. */
const MAX_SECONDS = 1.5;

/** B: what sharing commits gains. The two servers take turns, so that other work on the machine meets both. */
export async function groupCommitSection(bench: Bench): Promise<SectionResult> {
  const seconds = Math.min(bench.options.seconds, MAX_SECONDS);
  const rounds = bench.options.quick ? 3 : 9;
  const rates: Record<"production" | "one-commit-each", number[]> = { production: [], "one-commit-each": [] };
  const latencies: typeof rates = { production: [], "one-commit-each": [] };
  let errors = 0;

  async function measure(variant: Variant & keyof typeof rates): Promise<void> {
    const server = await bench.servers.start(variant);
    const agent = await newLoadAgent(server);
    const run = await bench.clients.prepare({
      server,
      agent,
      batchSize: 1,
      callers: CALLERS,
      commandIds: false,
      seconds,
    });
    const result = await run();
    rates[variant].push(result.eventsPerSecond);
    latencies[variant].push(result.p50Ms);
    errors += result.errors;
  }

  for (let round = 1; round <= rounds; round++) {
    progress(`B: round ${round} of ${rounds}`);
    await measure("production");
    await measure("one-commit-each");
  }
  // Other work that disturbs a round disturbs both of its sides, so rounds are compared one by one.
  const gains = rates.production.map((shared, round) => shared / (rates["one-commit-each"][round] ?? NaN));
  return {
    tables: [
      {
        title: `One event a request, ${CALLERS} callers; medians of ${rounds} rounds`,
        columns: ["commits", "events/s", "p50 ms"],
        rows: [
          ["shared by all requests of a turn", median(rates.production), median(latencies.production)],
          ["one for each request", median(rates["one-commit-each"]), median(latencies["one-commit-each"])],
        ],
      },
    ],
    targets: [
      { name: "shared commits / one commit each", value: median(gains), bound: { atLeast: 1.5 } },
      { name: "errors", value: errors, bound: { atMost: 0 } },
    ],
  };
}

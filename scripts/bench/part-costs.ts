import { generateSeed, signingKeyFromSeed, toHex } from "../../src/ves/index.ts";
import type { Server } from "../lib/client.ts";
import { signEvent } from "../lib/signer.ts";
import { progress } from "./report.ts";
import { timedCall } from "./servers.ts";
import type { Part } from "./worker/messages.ts";
import { factOf } from "./workload.ts";

/** Events of the request that the parts work on. */
export const PART_BATCH = 100;
/** Of one timed call, over all events of the request. */
const PASSES = 20;

/** Microseconds an event of each of these parts of what the Worker does. */
export async function partCosts<Measured extends Part>(
  server: Server,
  { section, parts, quick }: { readonly section: string; readonly parts: readonly Measured[]; readonly quick: boolean },
): Promise<Record<Measured, number>> {
  const signer = {
    tenantId: crypto.randomUUID(),
    storeId: crypto.randomUUID(),
    agentId: crypto.randomUUID(),
    keyId: 1,
    key: await signingKeyFromSeed(generateSeed()),
  };
  const facts = Array.from({ length: PART_BATCH }, (_, index) => factOf(index, { prefix: "order", commandIds: false }));
  const events = await Promise.all(facts.map((fact) => signEvent(signer, fact)));
  const text = JSON.stringify({ agentId: signer.agentId, events });
  await timedCall(server, { op: "body", text, publicKey: toHex(signer.key.publicKey) });

  const timings = new Map<Part, number[]>();
  // The parts take turns, so that other work on the machine meets all of them; the first rounds warm up.
  for (let round = quick ? -1 : -3; round < (quick ? 3 : 9); round++) {
    progress(`${section}: parts`);
    for (const part of new Set<Part>(["nothing", ...parts])) {
      const { ms } = await timedCall(server, { op: "part", part, rounds: PASSES });
      if (round >= 0) timings.set(part, [...(timings.get(part) ?? []), ms]);
    }
  }
  // What disturbs a round only ever makes it slower, so the fastest one is closest to the cost.
  const fastest = (part: Part): number => Math.min(...(timings.get(part) ?? []));
  const cost = (part: Part): number =>
    (Math.max(0, fastest(part) - fastest("nothing")) * 1_000) / (PASSES * PART_BATCH);
  return Object.fromEntries(parts.map((part) => [part, cost(part)])) as Record<Measured, number>;
}

import { generateSeed, signingKeyFromSeed } from "../../../src/ves/index.ts";
import { call, registerKey, type Server } from "../../lib/client.ts";
import type { Bench } from "../bench.ts";
import { type LoadAgent, newLoadAgent } from "../load.ts";
import { progress, type SectionResult } from "../report.ts";

const CALLERS = 8;
const BATCH_SIZE = 10;
/** A revocation takes up to two seconds by design, and there is a moment before the first. */
const SECONDS_EACH = 2.7;

/** F: how long a revocation takes while the same agent pushes with another key. */
export async function revocationSection(bench: Bench): Promise<SectionResult> {
  const revocations = bench.options.quick ? 1 : 3;
  const server = await bench.servers.start("production");
  const agent = await newLoadAgent(server);
  progress("F: signing events");
  const seconds = revocations * SECONDS_EACH;
  const run = await bench.clients.prepare({
    server,
    agent,
    batchSize: BATCH_SIZE,
    callers: CALLERS,
    commandIds: false,
    seconds,
  });

  const pushing = run();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const times: number[] = [];
  for (let i = 0; i < revocations; i++) {
    progress(`F: revocation ${i + 1} of ${revocations}`);
    times.push(await revokeNewKey(server, agent, 2 + i));
  }
  const { eventsPerSecond, p99Ms, errors, firstError } = await pushing;
  const slowest = Math.max(...times);
  return {
    tables: [
      {
        title: `${CALLERS} callers push ${BATCH_SIZE} events a request while keys of their agent are revoked`,
        columns: ["revocations", "slowest s", "fastest s", "events/s meanwhile", "p99 ms meanwhile", "errors"],
        rows: [[revocations, slowest, Math.min(...times), eventsPerSecond, p99Ms, errors]],
      },
    ],
    targets: [
      { name: "slowest revocation", value: slowest, unit: " s", bound: { atMost: 3 } },
      { name: "errors", value: errors, bound: { atMost: 0 } },
    ],
    notes: firstError === null ? [] : [`error: ${firstError}`],
  };
}

/** Registers one more key, revokes it, and answers with the seconds that the revocation took. */
async function revokeNewKey(server: Server, { tenantId, agentId }: LoadAgent, keyId: number): Promise<number> {
  const key = await signingKeyFromSeed(generateSeed());
  await registerKey(server, { tenantId, storeId: crypto.randomUUID(), agentId, keyId, key });
  const started = performance.now();
  await call(server, "DELETE", `/api/v1/agent-keys/${keyId}?tenant_id=${tenantId}&agent_id=${agentId}`);
  return (performance.now() - started) / 1_000;
}

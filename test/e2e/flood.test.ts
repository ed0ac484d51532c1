import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { median } from "../../scripts/bench/statistics.ts";
import { call, push, registerKey, type Server } from "../../scripts/lib/client.ts";
import { newSigner, type Signer, signEvent } from "../../scripts/lib/signer.ts";
import { bundleFile, removeTempDirs, type ServerProcess, startServer, tempDir } from "./support/processes.ts";

/** Of the flooding agent's key, in a minute. */
const LIMIT = 10;
/** Requests of the flood that are made at once, all to one stream, and events of each. */
const BURST = 200;
const EVENTS = 20;
/** From the last answer of a burst to the next burst. */
const REST_MS = 200;
/** Requests of a phase whose latency is measured, and the time between two of them. */
const SAMPLES = 40;
const PAUSE_MS = 20;
/** As {@link SAMPLES}, while a flood is served: each waits long. */
const SLOW_SAMPLES = 5;
const ROUNDS = 2;
/** How much longer a request may take, in the median, while somebody else's flood is refused. */
const MAX_RATIO = 2;

let server: ServerProcess;

beforeAll(async () => {
  server = await startServer(await bundleFile(), tempDir());
});
afterAll(async () => {
  await server.kill();
  removeTempDirs();
});

/** An agent of a tenant of its own, and the server with its key. */
interface Agent {
  readonly signer: Signer;
  readonly caller: Server;
}

async function newAgent(rateLimit: number | null): Promise<Agent> {
  const signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
  await registerKey(server, signer);
  const body = { tenantId: signer.tenantId, rateLimit };
  const path = `/api/v1/agents/${signer.agentId}/api-keys`;
  const { apiKey } = await call<{ apiKey: string }>(server, "POST", path, body);
  return { signer, caller: { url: server.url, apiKey } };
}

function newEvent(signer: Signer): ReturnType<typeof signEvent> {
  return signEvent(signer, { entityType: "order", entityId: "1", eventType: "order.changed", payload: { n: 1 } });
}

/** A flood of one request, over and over: events that are there already are verified all the same. */
async function newFlood(rateLimit: number | null): Promise<() => Promise<readonly number[]>> {
  const { signer, caller } = await newAgent(rateLimit);
  const events = await Promise.all(Array.from({ length: EVENTS }, () => newEvent(signer)));
  const request = {
    method: "POST",
    headers: { authorization: `ApiKey ${caller.apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ agentId: signer.agentId, events }),
  };
  const send = async (): Promise<number> => {
    const response = await fetch(`${server.url}/api/v1/ves/events/ingest`, request);
    await response.arrayBuffer();
    return response.status;
  };
  return () => Promise.all(Array.from({ length: BURST }, send));
}

/** Latencies of one agent's requests of one event, one after the other. */
async function latencies({ signer, caller }: Agent, samples: number): Promise<readonly number[]> {
  const taken: number[] = [];
  for (let n = 0; n < samples; n++) {
    const event = await newEvent(signer);
    const started = performance.now();
    expect(await push(caller, signer.agentId, [event])).toMatchObject({ eventsAccepted: 1 });
    taken.push(performance.now() - started);
    await sleep(PAUSE_MS);
  }
  return taken;
}

/** As {@link latencies}, with one burst of the flood after the other meanwhile. */
async function latenciesDuring(flood: () => Promise<readonly number[]>, agent: Agent, samples: number) {
  const statuses: number[] = [];
  const over = new AbortController();
  const flooding = (async () => {
    for (; !over.signal.aborted; await sleep(REST_MS)) statuses.push(...(await flood()));
  })();
  const taken = await latencies(agent, samples);
  over.abort();
  await flooding;
  return { taken, statuses };
}

test("a flood that is refused leaves another tenant's latency as it was; one that is served does not", async () => {
  const victim = await newAgent(null);
  const limited = await newFlood(LIMIT);
  const unlimited = await newFlood(null);
  const all: Record<"quiet" | "limited" | "unlimited", number[]> = { quiet: [], limited: [], unlimited: [] };
  const statuses: number[] = [];
  await latencies(victim, SAMPLES);
  // Phases take turns, so that other work on the machine meets all of them.
  for (let round = 0; round < ROUNDS; round++) {
    all.quiet.push(...(await latencies(victim, SAMPLES)));
    const refused = await latenciesDuring(limited, victim, SAMPLES);
    all.limited.push(...refused.taken);
    statuses.push(...refused.statuses);
    all.unlimited.push(...(await latenciesDuring(unlimited, victim, SLOW_SAMPLES)).taken);
  }
  expect(statuses.length).toBeGreaterThanOrEqual(ROUNDS * BURST);
  expect(new Set(statuses)).toEqual(new Set([200, 429]));
  expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(2 * LIMIT);
  expect(median(all.limited) / median(all.quiet)).toBeLessThan(MAX_RATIO);
  // Or else the flood was none.
  expect(median(all.unlimited) / median(all.quiet)).toBeGreaterThan(MAX_RATIO);
});

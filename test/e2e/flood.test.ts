import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { median } from "../../scripts/bench/statistics.ts";
import { call, push, registerKey, type Server } from "../../scripts/lib/client.ts";
import { newSigner, type Signer, signEvent } from "../../scripts/lib/signer.ts";
import { bundleFile, removeTempDirs, type ServerProcess, startServer, tempDir } from "./support/processes.ts";

/** Of the flooding agent's key, in a minute. */
const LIMIT = 10;
/** Callers of a flood, all to one stream, and events of each request. They begin together. */
const FLOOD_CALLERS = 200;
const EVENTS = 100;
/** How long each waits before its next request, on average: they ask for 20,000 events a second, more than can be served. */
const FLOOD_PAUSE_MS = 1_000;
/** Requests of a phase whose latency is measured, and the time between two of them. */
const SAMPLES = 80;
const PAUSE_MS = 20;
/** As {@link SAMPLES}, while a flood is served: each waits long. */
const SLOW_SAMPLES = 6;
const ROUNDS = 2;
/** How much longer a request may take, in the median, while somebody else's flood is refused. */
const MAX_RATIO = 3;

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

/** Floods until it is told to stop, and then gives the statuses of its answers. */
type Flood = (until: AbortSignal) => Promise<readonly number[]>;

/** A flood of one request, over and over: events that are there already are verified all the same. */
async function newFlood(rateLimit: number | null): Promise<Flood> {
  const { signer, caller } = await newAgent(rateLimit);
  const events = await Promise.all(Array.from({ length: EVENTS }, () => newEvent(signer)));
  const request = {
    method: "POST",
    headers: { authorization: `ApiKey ${caller.apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ agentId: signer.agentId, events }),
  };
  return async (until) => {
    const statuses: number[] = [];
    const flood = async (): Promise<void> => {
      while (!until.aborted) {
        const response = await fetch(`${server.url}/api/v1/ves/events/ingest`, request);
        await response.arrayBuffer();
        statuses.push(response.status);
        await sleep(FLOOD_PAUSE_MS * (0.5 + Math.random()));
      }
    };
    await Promise.all(Array.from({ length: FLOOD_CALLERS }, flood));
    return statuses;
  };
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

/** As {@link latencies}, while the flood goes on. */
async function latenciesDuring(flood: Flood, agent: Agent, samples: number) {
  const over = new AbortController();
  const flooding = flood(over.signal);
  const taken = await latencies(agent, samples);
  over.abort();
  return { taken, statuses: await flooding };
}

test(
  "a flood that is refused leaves another tenant's latency nearly as it was; one that is served does not",
  { timeout: 300_000 },
  async () => {
    const victim = await newAgent(null);
    const limited = await newFlood(LIMIT);
    const unlimited = await newFlood(null);
    const quiet: number[] = [];
    const whileRefused: number[] = [];
    const statuses: number[] = [];
    await latencies(victim, SAMPLES);
    // Phases take turns, so that other work on the machine meets both.
    for (let round = 0; round < ROUNDS; round++) {
      quiet.push(...(await latencies(victim, SAMPLES)));
      const refused = await latenciesDuring(limited, victim, SAMPLES);
      whileRefused.push(...refused.taken);
      statuses.push(...refused.statuses);
    }
    const { taken: whileServed } = await latenciesDuring(unlimited, victim, SLOW_SAMPLES);
    expect(statuses.length).toBeGreaterThanOrEqual(ROUNDS * FLOOD_CALLERS);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    // The phases may lie in two windows.
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(2 * LIMIT);
    expect(median(whileRefused) / median(quiet)).toBeLessThan(MAX_RATIO);
    // Or else the flood was none.
    expect(median(whileServed) / median(quiet)).toBeGreaterThan(MAX_RATIO);
  },
);

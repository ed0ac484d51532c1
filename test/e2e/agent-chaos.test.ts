import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AgentEvent } from "../../agent/src/index.ts";
import { call } from "../../scripts/lib/client.ts";
import type { StreamRef } from "../../src/stream-ref.ts";
import { type Mishap, startHttpProxy } from "../support/http-proxy.ts";
import { readHead } from "./support/admin.ts";
import { readServedLog } from "./support/derive-log.ts";
import { type AgentProcess, type Member, newMember, reopen, startAgent } from "./support/agents.ts";
import {
  bundleFile,
  removeTempDirs,
  type ServerProcess,
  startServer,
  tempDir,
  waitUntil,
} from "./support/processes.ts";
import { type Random, seededRandom } from "./support/random.ts";

/** One round takes about 8 s. */
const ROUNDS = process.env["LONG_TESTS"] === "1" ? 100 : 3;
const AGENTS = 3;
const EVENTS_EACH = 60;
const SHARED_ENTITIES = 2;
/** How often in a round each agent is killed, and the server. */
const KILLS = 2;
/** Answers that a server gives before it is killed, at most. */
const MAX_ANSWERS = 60;
/** What an agent's process takes to start. */
const START_MS = 150;
/** It is killed at most this long after that. */
const MAX_LIFE_MS = 900;

let bundle: string;

beforeAll(async () => {
  bundle = await bundleFile();
});
afterAll(removeTempDirs);

describe("three agents, a bad network, and kill -9 of everybody", () => {
  test(
    "every event is in the log once, in its agent's order, and all agents have the same log",
    { timeout: ROUNDS * 120_000 },
    async () => {
      const given = process.env["SEED"];
      const seed = given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given);
      for (let round = 0; round < ROUNDS; round++) {
        try {
          await runRound(seededRandom(seed + round));
        } catch (error) {
          throw new Error(`with SEED=${seed + round}: ${(error as Error).message}`, { cause: error });
        }
      }
    },
  );
});

async function runRound(random: Random): Promise<void> {
  const dataDirectory = tempDir();
  const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
  let server = await startServer(bundle, dataDirectory);
  const proxy = await startHttpProxy(server.url);
  const running = new Set<AgentProcess>();
  try {
    const members: Member[] = [];
    for (let who = 0; who < AGENTS; who++) members.push(await newMember(server, stream, planOf(who, random)));
    proxy.mishap = () => mishapOf(random);
    const lives = members.map((member) => live(member, proxy.url, server.apiKey, random, running));
    const ending = Promise.all(lives);
    for (let kill = 0; kill < KILLS; kill++) {
      const next = proxy.answered + random.below(MAX_ANSWERS);
      // An agent that fails ends the wait at once.
      await Promise.race([
        waitUntil(() => proxy.answered >= next, 60_000, "the agents get answers"),
        ending.then(() => undefined),
      ]);
      await server.kill();
      server = await startServer(bundle, dataDirectory);
      proxy.target = server.url;
    }
    await ending;
    // Else this test would not have tested what it says.
    expect(proxy.counts.size).toBeGreaterThan(2);
    proxy.mishap = () => undefined;
    await checkLog(server, stream, members);
  } finally {
    for (const { child } of running) child.kill("SIGKILL");
    await proxy.close();
    await server.kill();
  }
}

/** Runs the agent again whenever it was killed, until it has come to its end. */
async function live(
  member: Member,
  url: string,
  apiKey: string,
  random: Random,
  running: Set<AgentProcess>,
): Promise<void> {
  for (let life = 0; ; life++) {
    const agent: AgentProcess = startAgent({ ...member, url, apiKey, burst: 1 + random.below(12) });
    running.add(agent);
    const death = life < KILLS ? new AbortController() : undefined;
    const killing = sleep(START_MS + random.below(MAX_LIFE_MS), undefined, { signal: death?.signal }).then(
      () => death !== undefined && agent.child.kill("SIGKILL"),
      () => undefined,
    );
    const isWhole = await agent.ended;
    running.delete(agent);
    death?.abort();
    if (death !== undefined) await killing;
    if (isWhole) return;
  }
}

/** Plain events of own entities, and events of shared ones that expect their version. */
function planOf(who: number, random: Random): AgentEvent[] {
  return Array.from({ length: EVENTS_EACH }, (_, n) => ({
    entityType: "order",
    eventType: "order.changed",
    eventId: crypto.randomUUID(),
    payload: { who, n },
    ...(random.chance(0.25)
      ? { entityId: `shared${random.below(SHARED_ENTITIES)}`, baseVersion: "current" as const }
      : { entityId: `own${who}` }),
  }));
}

function mishapOf(random: Random): Mishap | undefined {
  if (random.chance(0.6)) return undefined;
  const ms = random.below(300);
  return ([{ kind: "cut" }, { kind: "answer lost" }, { kind: "late", ms }, { kind: "twice", ms }] satisfies Mishap[])[
    random.below(4)
  ];
}

async function checkLog(server: ServerProcess, stream: StreamRef, members: readonly Member[]): Promise<void> {
  const { head_sequence: head, sealed_sequence: sealed } = await readHead(server, stream);
  if (sealed < head) {
    await call(server, "POST", "/api/v1/ves/commitments", { ...stream, sequenceStart: sealed + 1, sequenceEnd: head });
  }
  const log = (await readServedLog(server, stream)).map(({ event_id: id, entity_id: entity, payload }) => {
    const { who, n } = payload as { who: number; n: number };
    return { id, entity, who, n };
  });
  for (const who of members.keys()) {
    const own = log.filter((event) => event.who === who);
    expect(own.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(Array.from({ length: EVENTS_EACH }, (_, n) => n));
    // What is said again after a conflict comes after what it did not wait for, but never before what was said of its entity.
    for (const events of Map.groupBy(own, ({ entity }) => entity).values()) {
      expect(events.map(({ n }) => n)).toEqual(events.map(({ n }) => n).toSorted((a, b) => a - b));
    }
  }
  const { state_root: root } = await readHead(server, stream);
  for (const member of members) {
    const agent = await reopen(server, member);
    await agent.sync();
    expect(agent.status()).toMatchObject({
      outbox: { pending: 0, conflict: 0, rejected: 0 },
      pulledSequence: head,
      sealedSequence: head,
      stateRoot: root,
      quarantined: 0,
      contradiction: null,
    });
    await agent.close();
  }
}

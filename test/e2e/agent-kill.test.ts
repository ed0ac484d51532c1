import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readServedLog } from "./support/derive-log.ts";
import { liveOnce } from "./support/agent-life.ts";
import { newMember, reopen, startAgent } from "./support/agents.ts";
import { bundleFile, removeTempDirs, type ServerProcess, startServer, tempDir } from "./support/processes.ts";

/** Every so many steps the agent is killed; LONG_TESTS=1 kills it at each. */
const STRIDE = process.env["LONG_TESTS"] === "1" ? 1 : 11;
/** More than a life has, so that the last agent is not killed. */
const MAX_STEPS = 400;
const AT_ONCE = 3;

let server: ServerProcess;

beforeAll(async () => {
  server = await startServer(await bundleFile(), tempDir());
});
afterAll(async () => {
  await server.kill();
  removeTempDirs();
});

const change = { entityType: "order", entityId: "1", eventType: "order.changed" };

function newPlan() {
  return [0, 1, 2, 3].map((n) => ({
    ...change,
    eventId: crypto.randomUUID(),
    payload: { n },
    ...(n < 2 ? { baseVersion: "current" as const } : {}),
  }));
}

/** Kills an agent at a step, lets it live again, and looks at the log. @returns whether it was killed */
async function killAt(diesAt: number): Promise<boolean> {
  const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
  const plan = newPlan();
  const member = await newMember(server, stream, plan);
  const settings = { ...member, url: server.url, apiKey: server.apiKey, burst: 2 };
  const isWhole = await startAgent(settings, diesAt).ended;
  await liveOnce(settings, () => undefined);

  const ids = plan.map(({ eventId }) => eventId);
  const served = await readServedLog(server, stream);
  expect(served.map(({ event_id: id }) => id)).toEqual(ids);
  const agent = await reopen(server, member);
  expect(agent.status()).toMatchObject({ outbox: { accepted: 4, pending: 0 }, pulledSequence: 4, quarantined: 0 });
  expect((await agent.history("order", "1")).events.map(({ eventId }) => eventId)).toEqual(ids);
  await agent.close();
  return !isWhole;
}

describe("kill -9 of an agent between any two steps", () => {
  test("loses and duplicates nothing", { timeout: STRIDE === 1 ? 1_200_000 : 120_000 }, async () => {
    const offset = Math.floor(Math.random() * STRIDE);
    let killed = 0;
    for (let at = 1 + offset; at < MAX_STEPS; at += AT_ONCE * STRIDE) {
      const steps = Array.from({ length: AT_ONCE }, (_, index) => at + index * STRIDE);
      const were = await Promise.all(steps.map(killAt));
      killed += were.filter((isKilled) => isKilled).length;
      if (were.includes(false)) break;
    }
    // Else this test would not have tested what it says.
    expect(killed).toBeGreaterThan(40 / STRIDE);
  });
});

describe("two processes on one file", () => {
  test("record and push at the same time, and everything is in the log once", async () => {
    const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
    const plans = [0, 1].map((who) =>
      Array.from({ length: 60 }, (_, n) => ({
        ...change,
        entityId: `${who}`,
        eventId: crypto.randomUUID(),
        payload: { who, n },
      })),
    );
    const member = await newMember(server, stream, []);
    const { url, apiKey } = server;
    const agents = plans.map((plan) => startAgent({ ...member, plan, url, apiKey, burst: 5 }));
    expect(await Promise.all(agents.map(({ ended }) => ended))).toEqual([true, true]);
    const served = await readServedLog(server, stream);
    for (const [who, plan] of plans.entries()) {
      const theirs = served.filter(({ entity_id: id }) => id === `${who}`).map(({ event_id: id }) => id);
      expect(theirs).toEqual(plan.map(({ eventId }) => eventId));
    }
    expect(served).toHaveLength(120);
    const agent = await reopen(server, member);
    await agent.sync();
    expect(agent.status()).toMatchObject({
      outbox: { accepted: 120, pending: 0 },
      pulledSequence: 120,
      quarantined: 0,
    });
    await agent.close();
  });
});

import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { streamObjectName } from "../../../src/stream-ref.ts";
import { auditLog } from "./audit-log.ts";
import { call, event, expectError, ingest, mint, newAgent, readLog, streamQuery, textOf, url } from "./harness.ts";

const PATH = "/api/v1/admin/streams/restore";
type Agent = Awaited<ReturnType<typeof newAgent>>;

const restore = (agent: Agent, key?: string) =>
  call(`POST`, PATH, { body: streamQuery(agent), ...(key === undefined ? {} : { key }) });

/** An agent with three mirrored events. */
async function mirrored(): Promise<Agent> {
  const agent = await newAgent();
  await ingest(agent, [await event(agent), await event(agent), await event(agent)]);
  const body = { ...streamQuery(agent), sequence_start: 1, sequence_end: 3 };
  expect((await call("POST", "/api/v1/ves/commitments", { body })).status).toBe(200);
  await vi.waitFor(async () => {
    const { body: head } = await call<{ mirrored_sequence: number }>(
      "GET",
      url("/api/v1/ves/head", streamQuery(agent)),
    );
    expect(head.mirrored_sequence).toBe(3);
  });
  return agent;
}

async function lose(agent: Agent): Promise<void> {
  const stub = env.STREAMS.getByName(streamObjectName(agent));
  await runInDurableObject(stub, (_, state) => state.storage.deleteAll());
  await evictDurableObject(stub);
}

describe("POST /api/v1/admin/streams/restore", () => {
  test("rebuilds a lost stream, which until then refuses events and says why", async () => {
    const agent = await mirrored();
    const before = await readLog(agent);
    const receipt = () =>
      call("GET", url(`/api/v1/ves/receipts/${textOf(before.events[1]?.envelope, "event_id")}`, streamQuery(agent)));
    const { text } = await receipt();
    await lose(agent);
    const refused = await ingest(agent, [await event(agent)]);
    expectError(refused, "STREAM_FROZEN", /this stream is empty and Postgres holds its events up to 3: restore it/);
    expect(refused.headers.get("retry-after")).toBe("60");

    const reply = await restore(agent);
    expect(reply.body).toEqual({ status: "restored", restored_sequence: 3, total_sequence: 3 });
    expect(await readLog(agent)).toEqual(before);
    expect((await receipt()).text).toBe(text);
    expect((await ingest(agent, [await event(agent)])).body).toMatchObject({ eventsAccepted: 1, sequenceStart: 4 });
  });

  test("refuses a stream that holds events, and one that Postgres does not know", async () => {
    const agent = await mirrored();
    expectError(
      await restore(agent),
      "ALREADY_EXISTS",
      "The stream holds events up to 3: only an empty one is restored",
    );
    expectError(await restore(await newAgent()), "RESOURCE_NOT_FOUND", "Postgres holds no batch of this stream");
  });

  test("with dryRun says what it would begin with, and changes nothing", async () => {
    const agent = await mirrored();
    const outlook = (of: Agent) => call("POST", PATH, { body: { ...streamQuery(of), dryRun: true } });
    const found = { total_sequence: 3, batches: 1 };
    expect((await outlook(agent)).body).toEqual({ status: "not_empty", restored_sequence: 3, ...found });
    await lose(agent);
    for (let time = 0; time < 2; time++) {
      expect((await outlook(agent)).body).toEqual({ status: "restorable", restored_sequence: 0, ...found });
    }
    expect((await readLog(agent)).events).toEqual([]);
    expectError(await outlook(await newAgent()), "RESOURCE_NOT_FOUND", "Postgres holds no batch of this stream");
    const actions = (await auditLog(agent.tenantId)).map(({ action }) => action);
    expect(actions).not.toContain("stream.restoration_requested");
  });

  test("is for the bootstrap administrator alone", async () => {
    const agent = await newAgent();
    const key = await mint(agent, { permissions: ["admin"] });
    expectError(await restore(agent, key), "INSUFFICIENT_PERMISSIONS", "Bootstrap administrator required");
    expectError(await call("POST", PATH, { key: null, body: streamQuery(agent) }), "AUTH_REQUIRED", /./);
  });
});

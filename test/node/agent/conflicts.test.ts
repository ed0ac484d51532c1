import { describe, expect, test } from "vitest";
import type { Agent } from "../../../agent/src/agent.ts";
import { sendableTogether } from "../../../agent/src/push.ts";
import { memoryStore } from "../../../agent/src/store/memory.ts";
import type { OutboxRow } from "../../../agent/src/store/store.ts";
import { generateSeed, signingKeyFromSeed } from "../../../src/ves/index.ts";
import { testStream } from "../../support/agents.ts";

const change = { entityType: "order", entityId: "1", eventType: "order.changed", payload: { by: "me" } };
const based = { ...change, baseVersion: "current" as const };

async function twoAgents(options = {}) {
  const { model, agent: newAgent } = await testStream();
  const { agent: other } = await newAgent();
  const { agent } = await newAgent(options);
  /** The other agent gets in between. */
  const interrupt = async (): Promise<void> => {
    await other.record({ ...change, payload: { by: "other" } });
    expect((await other.push()).stopped).toBeNull();
  };
  const payloads = (): unknown[] => model.log.map(({ payload }) => (payload as { by: unknown }).by);
  return { model, agent, interrupt, payloads };
}

describe("conflicts", () => {
  test("an event that the sequencer refuses for its version waits for a decision", async () => {
    const { model, agent, interrupt } = await twoAgents();
    const { eventId } = await agent.record(based);
    await interrupt();
    const { push, pull, rebased } = await agent.sync();
    const reason = "version_conflict: expected 0, actual 1";
    expect(push.outcomes).toMatchObject([{ kind: "rejected", advice: "resolve", reason }]);
    expect([pull.pulled, rebased]).toEqual([1, 0]);
    expect(agent.conflicts()).toMatchObject([{ eventId, kind: "version", baseVersion: 0, currentVersion: 1 }]);
    expect(await agent.sync()).toMatchObject({ push: { outcomes: [] } });

    const replacement = await agent.resolve(eventId, "rebase");
    expect((await agent.push()).outcomes).toMatchObject([{ kind: "accepted", eventId: replacement }]);
    // The command keeps a late copy of the first from having its effect as well.
    expect(model.log[1]).toMatchObject({ base_version: 1, command_id: eventId, payload: change.payload });
    await expect(agent.resolve(eventId, "drop")).rejects.toMatchObject({ code: "NO_CONFLICT" });
    expect(agent.status().outbox).toMatchObject({ rebased: 1, accepted: 1, conflict: 0 });
  });

  test("what follows on it expects a version that it was to make, and is rebased after it", async () => {
    const { agent, interrupt, payloads } = await twoAgents({ onConflict: "rebase" });
    for (const by of [1, 2, 3]) await agent.record({ ...based, payload: { by } });
    await agent.record({ ...change, entityId: "2", payload: { by: "unrelated" } });
    await interrupt();
    const { push, rebased } = await agent.sync();
    expect(push.stopped).toBeNull();
    expect(rebased).toBe(3);
    expect(payloads()).toEqual(["other", "unrelated", 1, 2, 3]);
    expect(await agent.history("order", "1")).toMatchObject({ version: 4 });
    expect(agent.conflicts()).toEqual([]);
  });

  test("what is recorded while one is in conflict follows on it too", async () => {
    const { model, agent, interrupt, payloads } = await twoAgents({ onConflict: "rebase" });
    await agent.record({ ...based, payload: { by: 1 } });
    await interrupt();
    await agent.push();
    await agent.pull();
    const { eventId } = await agent.record({ ...based, payload: { by: 2 } });
    await agent.record({ ...change, payload: { by: "expects nothing" } });
    expect(agent.conflicts().map(({ kind }) => kind)).toEqual(["version", "follows"]);
    await agent.push();
    expect(model.log.some((event) => event.event_id === eventId)).toBe(false);
    await agent.sync();
    expect(payloads()).toEqual(["other", "expects nothing", 1, 2]);
  });

  test("one that is said again and refused again stays before what follows on it", async () => {
    const { agent, interrupt, payloads } = await twoAgents({ onConflict: "rebase" });
    for (const by of [1, 2, 3]) await agent.record({ ...based, payload: { by } });
    await interrupt();
    await agent.push();
    await agent.pull();
    // The agent goes no further than the first of them, and others come in between once more.
    const [first] = agent.conflicts();
    await agent.resolve(first?.eventId ?? "", "rebase");
    await interrupt();
    await agent.push();
    expect(agent.conflicts().map(({ event }) => event.payload)).toEqual([{ by: 1 }, { by: 2 }, { by: 3 }]);
    await agent.sync();
    expect(payloads()).toEqual(["other", "other", 1, 2, 3]);
  });

  test("events of others that are pulled first are noticed before anything is sent", async () => {
    const { model, agent, interrupt } = await twoAgents();
    const { eventId } = await agent.record(based);
    const second = await agent.record(based);
    await interrupt();
    const requests = model.pushed.length;
    await agent.pull();
    expect(agent.conflicts()).toMatchObject([
      { eventId, kind: "concurrent" },
      { eventId: second.eventId, kind: "follows" },
    ]);
    await agent.push();
    expect(model.pushed.length).toBe(requests);
    await agent.resolve(eventId, "drop");
    await agent.resolve(second.eventId, "rebase");
    await agent.sync();
    expect(model.log).toHaveLength(2);
    expect(model.log[1]).toMatchObject({ base_version: 1, command_id: second.eventId });
  });

  test("what is said again is signed with the key that the agent has by then", async () => {
    const { model, agent: newAgent } = await testStream();
    const store = { ...memoryStore(), close: () => undefined };
    const { agent: before, identity } = await newAgent({ store });
    const { agent: other } = await newAgent();
    const { eventId } = await before.record(based);
    await other.record(change);
    await other.push();
    await before.sync();
    await before.close();

    const rotated = { ...identity, keyId: 2 };
    const key = await signingKeyFromSeed(generateSeed());
    model.register(rotated, key);
    const { agent: after } = await newAgent({ store, identity: rotated, key });
    await after.resolve(eventId, "rebase");
    await after.sync();
    expect(model.log[1]).toMatchObject({ agent_key_id: 2, command_id: eventId });
    expect(await other.pull()).toMatchObject({ pulled: 2, quarantined: 0 });
  });

  test("keep their order when what they were said as before is pruned", async () => {
    const { agent, interrupt, payloads } = await twoAgents();
    const first = await agent.record({ ...based, payload: { by: 1 } });
    await agent.record({ ...based, payload: { by: 2 } });
    await interrupt();
    await agent.sync();
    await agent.resolve(first.eventId, "rebase");
    await interrupt();
    await agent.sync();
    expect(agent.prune(-1_000)).toBe(0);
    for (const { eventId } of agent.conflicts()) await agent.resolve(eventId, "rebase");
    await agent.sync();
    expect(payloads()).toEqual(["other", "other", 1, 2]);
    while (agent.prune(-1_000) > 0);
    expect(agent.status().outbox).toMatchObject({ accepted: 0, rebased: 0 });
  });

  test("one that another process has ended meanwhile is left alone", async () => {
    const agents: Agent[] = [];
    const { agent, interrupt, payloads } = await twoAgents({
      onConflict: async ({ eventId }: { eventId: string }) => {
        await agents[0]?.resolve(eventId, "drop");
        return "rebase";
      },
    });
    agents.push(agent);
    await agent.record(based);
    await interrupt();
    expect(await agent.sync()).toMatchObject({ rebased: 0, unresolved: [] });
    expect(payloads()).toEqual(["other"]);
  });

  test("each may be decided by itself", async () => {
    const asked: string[] = [];
    const { agent, interrupt, payloads } = await twoAgents({
      onConflict: async ({ event, kind }: { event: { payload?: unknown }; kind: string }) => {
        asked.push(kind);
        return (event.payload as { by: number }).by === 1 ? "drop" : "rebase";
      },
    });
    for (const by of [1, 2]) await agent.record({ ...based, payload: { by } });
    await interrupt();
    await agent.sync();
    expect(asked).toEqual(["version", "follows"]);
    expect(payloads()).toEqual(["other", 2]);
    expect(agent.status().outbox).toMatchObject({ dropped: 1, rebased: 1, accepted: 1 });
  });

  test("a late copy of a rebased event does not count twice", async () => {
    const { model, agent, interrupt, payloads } = await twoAgents({ onConflict: "rebase" });
    const first = await agent.record({ ...based, payload: { by: "me" } });
    await interrupt();
    // Its rejection is heard, then a copy of it is let in all the same.
    await agent.push();
    const { eventId } = first;
    const copy = JSON.parse(first.envelope) as (typeof model.log)[0];
    model.log.push({ ...copy, sequence_number: 2, sequenced_at: "2026-01-01T00:00:00.002Z" });
    model.rejections.set("order.changed", "duplicate_command_id");
    const { push } = await agent.sync();
    expect(payloads()).toEqual(["other", "me"]);
    expect(push.stopped).toBeNull();
    await agent.sync();
    expect(agent.outcome(eventId)).toMatchObject({ kind: "accepted", sequenceNumber: 2 });
  });

  test("two events that expect versions of one entity never share a request", () => {
    const row = (entityId: string, baseVersion: number | null, envelope = "{}") =>
      ({ entityType: "order", entityId, baseVersion, envelope }) as OutboxRow;
    const chain = [row("1", 0), row("2", 0), row("1", null), row("1", 2), row("3", 0)];
    expect(sendableTogether(chain, 1_000)).toBe(3);
    expect(sendableTogether(chain.slice(3), 1_000)).toBe(2);
    expect(sendableTogether([row("1", null, "x".repeat(2_000)), row("2", null)], 1_000)).toBe(1);
  });
});

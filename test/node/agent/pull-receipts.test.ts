import { describe, expect, test } from "vitest";
import { auditStore } from "../../../agent/src/audit.ts";
import { memoryStore } from "../../../agent/src/store/memory.ts";
import type { JsonObject } from "../../../src/ves/index.ts";
import type { ModelSequencer } from "../../support/model-sequencer.ts";
import { orderEvent, pushSome, type TestAgent, testStream } from "../../support/agents.ts";

describe("receipts and the log that is pulled", () => {
  test.each([
    ["gives an own event's number to another event", (model: ModelSequencer) => void model.log.splice(1, 2)],
    ["moves an own event", (model: ModelSequencer) => void model.log.splice(0, 1)],
  ])("a log that %s contradicts the receipt, and own rows stay", async (_what, harm) => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    const other = await newAgent();
    const own = await pushSome({ agent } as TestAgent, 3);
    const sound = structuredClone(model.log);
    harm(model);
    for (const [index, event] of model.log.entries()) event.sequence_number = index + 1;
    await pushSome(other, 5);
    await expect(agent.pull()).rejects.toMatchObject({ code: "LOG_CONTRADICTION", message: /receipt says/ });
    expect(agent.status()).toMatchObject({ pulledSequence: 0, outbox: { accepted: 3 } });
    expect(agent.status().contradiction).toMatch(/receipt says/);
    expect(agent.prune(-1_000)).toBe(0);
    expect(own.map((id) => agent.outcome(id))).toMatchObject([1, 2, 3].map((sequenceNumber) => ({ sequenceNumber })));
    // It was a mistake that its operator has taken back.
    model.log.splice(0, model.log.length, ...sound);
    await agent.pull();
    expect(agent.status()).toMatchObject({ pulledSequence: 3, contradiction: null });
    expect(agent.prune(-1_000)).toBe(3);
  });

  test("a receipt that comes when the log was pulled is held against it, and both are kept", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    const other = await newAgent();
    const { eventId } = await agent.record(orderEvent());
    model.interfere = ({ method }) => (method === "POST" ? "answer lost" : undefined);
    await agent.push();
    model.interfere = () => undefined;
    const promised = model.log.splice(0, 1);
    await pushSome(other, 1);
    await agent.pull();
    const shown = model.log.splice(0, 1, ...promised);
    const { outcomes, stopped } = await agent.push();
    const why = `The receipt of event ${eventId} says 1, where the log that was pulled has event ${shown[0]?.event_id}`;
    expect(stopped).toMatchObject({ code: "LOG_CONTRADICTION", message: why });
    expect(outcomes).toMatchObject([{ kind: "replayed", eventId, sequenceNumber: 1 }]);
    await agent.pull();
    expect(agent.prune(-1_000)).toBe(0);
    expect(agent.status()).toMatchObject({ contradiction: why, outbox: { accepted: 1 } });
  });

  test.each([
    [
      "says another number than the log that was pulled",
      "accepted",
      /says 9, and the log that was pulled has it at 1$/,
    ],
    [
      "denies what the log that was pulled has",
      "rejected",
      /rejects event [^ ]+, which the log that was pulled has at 1$/,
    ],
  ])("an answer that %s contradicts it", async (_what, kind, why) => {
    const { model, agent: newAgent } = await testStream();
    const store = memoryStore();
    const { agent, identity } = await newAgent({ store });
    const { eventId } = await agent.record(orderEvent());
    model.interfere = ({ method }) => (method === "POST" ? "answer lost" : undefined);
    await agent.push();
    model.interfere = () => undefined;
    await agent.pull();
    const rejections = [{ event_id: eventId, reason: "policy_violation", message: "no" }];
    const denied = (answer: JsonObject): JsonObject => ({ ...answer, receipts: [], rejections });
    if (kind === "accepted") Object.assign(model.log[0] ?? {}, { sequence_number: 9 });
    else model.interfere = ({ method }) => (method === "POST" ? denied : undefined);
    const { outcomes, stopped } = await agent.push();
    expect(stopped).toMatchObject({ code: "LOG_CONTRADICTION", message: expect.stringMatching(why) });
    if (kind === "accepted") {
      expect(outcomes).toMatchObject([{ kind: "replayed", eventId }]);
      expect(agent.status().contradiction).toMatch(why);
      const { problems } = await auditStore(store, identity, { sequencerKeys: new Map() });
      expect(problems).toContainEqual(expect.stringMatching(why));
    } else {
      expect(outcomes).toMatchObject([{ kind: "unknown", eventId }]);
      model.interfere = () => undefined;
      expect(await agent.push()).toMatchObject({ outcomes: [{ kind: "replayed" }], stopped: null });
      expect(agent.status().contradiction).toBeNull();
    }
  });

  test("a log that is shorter than a receipt says contradicts it, and an empty page clears nothing up", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    await pushSome({ agent } as TestAgent, 3);
    const sound = model.log.splice(1);
    const why = /^The log ends at 1, and a receipt says that an own event stands at 3$/;
    await expect(agent.pull()).rejects.toMatchObject({
      code: "LOG_CONTRADICTION",
      message: expect.stringMatching(why),
    });
    model.interfere = () => (answer) => ({ ...answer, head_sequence: 3, events: [], has_more: false });
    expect(await agent.pull()).toMatchObject({ pulled: 0 });
    expect(agent.status().contradiction).toMatch(why);
    model.interfere = () => undefined;
    model.log.push(...sound);
    expect(await agent.pull()).toMatchObject({ pulled: 3 });
    expect(agent.status().contradiction).toBeNull();
  });
});

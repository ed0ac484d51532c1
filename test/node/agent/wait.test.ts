import { describe, expect, test } from "vitest";
import type { Transport } from "../../../agent/src/transport.ts";
import { orderEvent, pushSome, testStream } from "../../support/agents.ts";

describe("a sequencer that holds no question", () => {
  /** As it does when very many readers wait already. */
  async function busyStream() {
    const { model, agent: newAgent } = await testStream();
    const send: Transport["send"] = (request) =>
      model.transport.send({ ...request, path: request.path.replace(/wait=\d+/, "wait=0") });
    const { agent: writer } = await newAgent();
    await writer.record(orderEvent());
    await writer.push();
    const { agent } = await newAgent({ transport: { send }, retry: { attempts: 1 } });
    await agent.pull();
    model.requests.length = 0;
    return { model, agent, writer };
  }

  test("is not asked without a pause by who waits for an event", async () => {
    const { model, agent, writer } = await busyStream();
    await expect(agent.waitFor(crypto.randomUUID(), { timeoutMs: 450 })).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(model.requests.length).toBeGreaterThan(2);
    expect(model.requests.length).toBeLessThan(30);
    const waiting = agent.waitFor(() => true, { timeoutMs: 5_000 });
    const { eventId } = await writer.record(orderEvent());
    await writer.push();
    expect(await waiting).toMatchObject({ eventId });
  });

  test.each([
    ["answers with nothing", undefined],
    ["refuses every question that could wait", { status: 503, code: "SERVICE_UNAVAILABLE" }],
  ])("is not asked without a pause by who watches when it %s", async (_what, interference) => {
    const { model, agent } = await busyStream();
    model.interfere = ({ path }) => (path.includes("wait=") ? interference : undefined);
    const watching = async (): Promise<void> => {
      const events = agent.watch({ from: 2, signal: AbortSignal.timeout(450) });
      for await (const { kind } of events) expect.unreachable(kind);
    };
    await expect(watching()).rejects.toMatchObject({ code: "ABORTED" });
    expect(model.requests.length).toBeGreaterThan(2);
    expect(model.requests.length).toBeLessThan(30);
  });
});

describe("waitFor", () => {
  test("an event of another agent, by what it is", async () => {
    const { agent: newAgent } = await testStream();
    const writer = await newAgent();
    const { agent: reader } = await newAgent();
    await pushSome(writer, 2);
    const waiting = reader.waitFor(({ payload }) => (payload as { total: number }).total === 7, { timeoutMs: 5_000 });
    await writer.agent.record(orderEvent(7));
    await writer.agent.push();
    expect(await waiting).toMatchObject({ sequenceNumber: 3, payload: { total: 7 } });
    // It is in the copy by now, and is found from its number on.
    expect(await reader.waitFor(() => true, { from: 2 })).toMatchObject({ sequenceNumber: 2 });
  });

  test("ends in time, and when it is told to", async () => {
    const { agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    await expect(agent.waitFor(crypto.randomUUID(), { timeoutMs: 30 })).rejects.toMatchObject({ code: "TIMEOUT" });
    const { agent: other } = await newAgent();
    const waiting = other.waitFor(crypto.randomUUID(), { signal: AbortSignal.timeout(30) });
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
    await other.close();
    await expect(other.push()).rejects.toMatchObject({ code: "CLOSED" });
  });

  test("ends in time behind a pull that takes longer, and so does a push behind another", async () => {
    const { model, agent: newAgent } = await testStream();
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    let asked = 0;
    const send: Transport["send"] = async (request) => {
      // What is waited for is there, and the pull that would bring it is not answered.
      if (!request.path.includes("wait=") && asked++ < 2) await answered;
      return model.transport.send(request);
    };
    const { agent } = await newAgent({ transport: { send } });
    await pushSome(await newAgent(), 1);
    await agent.record(orderEvent());
    const [pulling, pushing] = [agent.pull(), agent.push()];
    const waiting = agent.waitFor(crypto.randomUUID(), { timeoutMs: 30 });
    await expect(waiting).rejects.toMatchObject({ code: "TIMEOUT" });
    const { outcomes, stopped } = await agent.push({ signal: AbortSignal.timeout(30) });
    expect({ outcomes, code: stopped?.code }).toEqual({ outcomes: [], code: "ABORTED" });
    answer();
    expect((await pushing).stopped).toBeNull();
    expect((await pulling).pulled).toBeGreaterThan(0);
  });

  test("outlasts a sequencer that cannot be reached", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    const { eventId } = await agent.record(orderEvent());
    await agent.push();
    let cut = 5;
    model.interfere = () => (cut-- > 0 ? "cut" : undefined);
    expect(await agent.waitFor(eventId, { timeoutMs: 5_000 })).toMatchObject({ eventId });
  });
});

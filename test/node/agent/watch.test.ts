import { describe, expect, test } from "vitest";
import { createContext } from "../../../agent/src/create-context.ts";
import type { LiveTimes } from "../../../agent/src/live-news.ts";
import { createMutex } from "../../../agent/src/mutex.ts";
import { pull } from "../../../agent/src/pull.ts";
import { memoryStore } from "../../../agent/src/store/memory.ts";
import { type Watched, watchLog, type WatchOptions } from "../../../agent/src/watch.ts";
import { generateSeed } from "../../../src/ves/index.ts";
import { orderEvent, QUICK, testStream } from "../../support/agents.ts";
import { type FakeSocket, type FakeSockets, fakeSockets } from "../../support/fake-sockets.ts";

/** So that nobody has to wait for what takes minutes otherwise. */
const TIMES: LiveTimes = {
  openMs: 50,
  pingMs: 20,
  pongMs: 20,
  ackMs: 5,
  firstDelayMs: 8,
  maxDelayMs: 200,
  longestPauseMs: 10,
  stableMs: 60_000,
  unreadableMs: 150,
  unprovenPollMs: 1_000,
};
/** Pings are not looked at. */
const SILENT = { pingMs: 60_000 };
const MANY = 1_203;

/** A watcher of a stream that another agent writes to. What it has told is in `told`, what ended it in `error`. */
async function watcher(
  options: WatchOptions = {},
  { sockets, times = {} }: { readonly sockets?: FakeSockets | undefined; readonly times?: Partial<LiveTimes> } = {},
) {
  const { model, agent: newAgent } = await testStream();
  const { agent: writer, identity } = await newAgent();
  const write = async (count = 1): Promise<void> => {
    for (let n = 0; n < count; n++) await writer.record(orderEvent());
    await writer.push();
  };
  const transport = { ...model.transport, sockets };
  const context = await createContext({
    transport,
    identity,
    keys: { signing: generateSeed() },
    store: memoryStore(),
    retry: QUICK,
  });
  const controller = new AbortController();
  const told: string[] = [];
  const state: { error: unknown } = { error: undefined };
  const mutex = createMutex();
  const run = async (): Promise<void> => {
    const { signal } = controller;
    const log = watchLog(context, options, signal, () => mutex(() => pull(context, signal)), { ...TIMES, ...times });
    for await (const watched of log) told.push(nameOf(watched));
  };
  return {
    model,
    writer,
    write,
    told,
    state,
    start: () => void run().catch((error: unknown) => (state.error = error)),
    stop: () => controller.abort(),
  };
}

function nameOf(watched: Watched): string {
  if (watched.kind === "batch") return `${watched.batch.sequenceStart}-${watched.batch.sequenceEnd}`;
  return watched.kind === "event" ? `${watched.event.sequenceNumber}` : `!${watched.event.sequenceNumber}`;
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`);

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 5_000, interval: 2 }).toBe(true);
}

const last = ({ opened }: FakeSockets): FakeSocket => opened.at(-1) as FakeSocket;

describe("what a watcher tells", () => {
  test("is every event from a number on, and each batch after the last of its events", async () => {
    const { model, write, told, start, stop } = await watcher({ from: 2 });
    await write(4);
    model.seal(3);
    start();
    await until(() => told.length === 4);
    expect(told).toEqual(["2", "3", "1-3", "4"]);
    model.seal();
    await write(1);
    await until(() => told.length === 6);
    expect(told.slice(4)).toEqual(["4-4", "5"]);
    stop();
  });

  test("goes on after a restart where it was, with events and with batches", async () => {
    const { model, write, told, start, stop } = await watcher({ from: 5, proven: 1 });
    await write(5);
    model.seal(1);
    model.seal(3);
    start();
    await until(() => told.length === 2);
    expect(told).toEqual(["2-4", "5"]);
    stop();
  });

  test("is what comes after the head, unless it is told where to begin", async () => {
    const { write, told, start, stop, model } = await watcher();
    await write(3);
    start();
    await until(() => model.requests.length > 6);
    await write();
    await until(() => told.length === 1);
    expect(told).toEqual(["4"]);
    stop();
  });

  test("does not pass off as an event what does not verify", async () => {
    const { model, write, told, start, stop } = await watcher({ from: 1 });
    await write(3);
    Object.assign(model.log[1] ?? {}, { payload: { total: "another" } });
    start();
    await until(() => told.length === 3);
    expect(told).toEqual(["1", "!2", "3"]);
    stop();
  });

  test("is a long log as well, in its order", async () => {
    const { model, write, told, start, stop } = await watcher({ from: 1 });
    await write(MANY);
    model.seal(700);
    start();
    await until(() => told.length === MANY + 1);
    expect(told).toEqual([...numbers(1, 700), "1-700", ...numbers(701, MANY)]);
    stop();
  });

  test.each([{ from: 0 }, { from: 1.5 }, { from: 3, proven: 3 }, { from: 3, proven: -1 }])(
    "begins nowhere else: %j",
    async (options) => {
      const { agent } = await (await testStream()).agent();
      expect(() => agent.watch(options)).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }));
    },
  );

  test("ends with its signal, with a break, and with its agent", async () => {
    const { agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    await agent.record(orderEvent());
    await agent.push();
    const controller = new AbortController();
    const watching = agent.watch({ from: 1, signal: controller.signal });
    expect(await watching.next()).toMatchObject({ value: { kind: "event" } });
    const next = watching.next();
    controller.abort();
    await expect(next).rejects.toMatchObject({ code: "ABORTED" });
    for await (const watched of agent.watch({ from: 1 })) {
      expect(watched.kind).toBe("event");
      break;
    }
    const other = agent.watch({ from: 2 }).next();
    await agent.close();
    await expect(other).rejects.toMatchObject({ code: "ABORTED", cause: { code: "CLOSED" } });
    expect(() => agent.watch()).toThrow(expect.objectContaining({ code: "CLOSED" }));
  });
});

describe("a live subscription", () => {
  test("tells when to pull, and is told what was taken in", async () => {
    const sockets = fakeSockets();
    const { model, write, told, start, stop } = await watcher({ from: 1 }, { sockets, times: SILENT });
    await write(2);
    model.seal();
    await write(1);
    start();
    await until(() => sockets.opened.length === 1);
    expect(last(sockets).path).toMatch(/^\/api\/v1\/ves\/live\?tenant_id=.*&store_id=.*&from=4&proven=2$/);
    expect(told).toEqual(["1", "2", "1-2", "3"]);
    await write(2);
    last(sockets).tell({ type: "events", sequence: 4 });
    last(sockets).tell({ type: "events", sequence: 5 });
    await until(() => told.length === 6);
    model.seal();
    last(sockets).tell({ type: "batch", proven: 5 });
    await until(() => told.length === 7);
    expect(told.slice(4)).toEqual(["4", "5", "3-5"]);
    const acknowledged = (): unknown =>
      Object.assign({}, ...last(sockets).said.map((text) => JSON.parse(text) as object)) as unknown;
    await expect.poll(acknowledged).toEqual({ type: "ack", sequence: 5, proven: 5 });
    // What the store has already is no news.
    const before = model.requests.length;
    last(sockets).tell({ type: "events", sequence: 5 });
    last(sockets).tell({ type: "something new" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(model.requests).toHaveLength(before);
    stop();
    await until(() => last(sockets).isClosed);
  });

  test("is asked for once there is an event, and never without WebSockets", async () => {
    const sockets = fakeSockets();
    const { write, told, start, stop } = await watcher({ from: 1 }, { sockets });
    start();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(sockets.opened).toEqual([]);
    await write();
    await until(() => told.length === 1 && sockets.opened.length === 1);
    stop();
  });

  test("is given up when nobody answers", async () => {
    const sockets = fakeSockets();
    const { write, start, stop } = await watcher({ from: 1 }, { sockets });
    await write();
    start();
    await until(() => sockets.opened.length === 2);
    const [first] = sockets.opened as [FakeSocket];
    expect([first.said, first.isClosed]).toEqual([["ping"], true]);
    sockets.onOpen = () => undefined;
    await until(() => sockets.opened.length === 4);
    stop();
  });

  test("ends with its agent, also while nobody asks for more", async () => {
    const { model, agent: newAgent } = await testStream();
    const sockets = fakeSockets();
    const { agent } = await newAgent({ transport: { ...model.transport, sockets } });
    await agent.record(orderEvent());
    await agent.push();
    const watching = agent.watch({ from: 1 });
    await watching.next();
    const second = watching.next();
    await until(() => sockets.opened.length === 1);
    await agent.record(orderEvent());
    await agent.push();
    last(sockets).tell({ type: "events", sequence: 2 });
    expect(await second).toMatchObject({ value: { event: { sequenceNumber: 2 } } });
    expect(last(sockets).isClosed).toBe(false);
    await agent.close();
    expect(last(sockets).isClosed).toBe(true);
  });

  test("lasts for as long as pings are answered", async () => {
    const sockets = fakeSockets();
    const { write, start, stop } = await watcher({ from: 1 }, { sockets });
    sockets.onOpen = (socket) => {
      socket.tell({ type: "subscribed" });
      const push = socket.said.push.bind(socket.said);
      socket.said.push = (text) => {
        setTimeout(() => socket.tell("pong"));
        return push(text);
      };
    };
    await write();
    start();
    await until(() => (sockets.opened[0]?.said.length ?? 0) >= 4);
    expect(sockets.opened).toHaveLength(1);
    stop();
  });

  test.each([1006, 1011, 4408, 1012])("that ends with %i is resumed where the store is", async (code) => {
    const sockets = fakeSockets();
    const { model, write, told, start, stop } = await watcher({ from: 1 }, { sockets, times: SILENT });
    await write();
    start();
    await until(() => sockets.opened.length === 1);
    await write();
    model.seal();
    last(sockets).end(code);
    await until(() => sockets.opened.length === 2);
    expect(last(sockets).path).toContain("&from=3&proven=2");
    expect(told).toEqual(["1", "2", "1-2"]);
    stop();
  });

  test("whose words are not understood is an error", async () => {
    const sockets = fakeSockets();
    const { write, state, start } = await watcher({ from: 1 }, { sockets, times: SILENT });
    await write();
    start();
    await until(() => sockets.opened.length === 1);
    last(sockets).end(4400);
    await until(() => state.error !== undefined);
    expect(state.error).toMatchObject({ name: "AgentError", code: "REFUSED" });
  });

  test("whose credential has ended is an error, unless there is another by now", async () => {
    const sockets = fakeSockets();
    const { write, state, start } = await watcher({ from: 1 }, { sockets, times: SILENT });
    await write();
    start();
    await until(() => sockets.opened.length === 1);
    sockets.secret = "another";
    last(sockets).end(4401);
    await until(() => sockets.opened.length === 2);
    expect(state.error).toBeUndefined();
    last(sockets).end(4401);
    await until(() => state.error !== undefined);
    expect(state.error).toMatchObject({ name: "AgentError", code: "UNAUTHORIZED" });
  });

  test("that cannot be told a payload is resumed after a while, and so is pulling", async () => {
    const sockets = fakeSockets();
    const { model, write, told, start, stop } = await watcher({ from: 1 }, { sockets, times: SILENT });
    await write();
    start();
    await until(() => sockets.opened.length === 1);
    await write();
    model.interfere = ({ path }) =>
      path.includes("/events?") ? { status: 503, code: "PAYLOAD_UNREADABLE" } : undefined;
    const endedAt = Date.now();
    last(sockets).end(4503);
    setTimeout(() => (model.interfere = () => undefined), 50);
    await until(() => sockets.opened.length === 2);
    expect(last(sockets).at - endedAt).toBeGreaterThanOrEqual(TIMES.unreadableMs);
    expect(told).toEqual(["1", "2"]);
    stop();
  });

  test("that does not get through is tried after waits that grow, and long polls tell everything meanwhile", async () => {
    const sockets = fakeSockets();
    sockets.onOpen = ({ fail }) => fail();
    const times = { ...SILENT, firstDelayMs: 20, maxDelayMs: 3_000 };
    const { write, told, start, stop } = await watcher({ from: 1 }, { sockets, times });
    await write();
    start();
    // 20 ms doubled each time, and at least half of it.
    await until(() => sockets.opened.length === 6);
    const waits = sockets.opened.slice(1).map(({ at }, index) => at - (sockets.opened[index]?.at ?? 0));
    for (const [index, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual(10 * 2 ** (index + 1) - 1);
    for (let n = 2; n <= 5; n++) {
      await write();
      await until(() => told.length === n);
    }
    expect(told).toEqual(numbers(1, 5));
    stop();
  });

  test("that the platform does not open at all is one that did not get through", async () => {
    const sockets = fakeSockets();
    let tries = 0;
    const closed = {
      ...sockets,
      open: () => {
        tries++;
        throw new DOMException("not here", "SecurityError");
      },
    };
    const { write, told, start, stop } = await watcher({ from: 1 }, { sockets: closed, times: { firstDelayMs: 400 } });
    await write();
    start();
    await until(() => tries === 2);
    await write();
    await until(() => told.length === 2);
    stop();
  });
});

describe("a sequencer that is away", () => {
  test("is waited for, and what is in the store is told meanwhile", async () => {
    const { model, write, told, state, start, stop } = await watcher({ from: 1 });
    await write(2);
    let isAway = true;
    model.interfere = () => (isAway ? "cut" : undefined);
    start();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(told).toEqual([]);
    isAway = false;
    await until(() => told.length === 2);
    expect(state.error).toBeUndefined();
    stop();
  });

  test.each([
    [401, "UNAUTHORIZED"],
    [403, "FORBIDDEN"],
  ])("is something else than one that answers %i", async (status, code) => {
    const { model, write, state, start } = await watcher({ from: 1 });
    await write();
    model.interfere = () => ({ status, code: "NO" });
    start();
    await until(() => state.error !== undefined);
    expect(state.error).toMatchObject({ name: "AgentError", code });
  });
});

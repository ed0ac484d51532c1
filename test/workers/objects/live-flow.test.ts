import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { MAX_UNACKED_BYTES } from "../../../src/stream/live-credit.ts";
import { LivePush } from "../../../src/stream/live-push.ts";
import { liveRequest } from "../../../src/stream/live-request.ts";
import type { Subscription } from "../../../src/stream/live-subscription.ts";
import { mint, newAgent } from "../http/harness.ts";
import { commit, fireAlarm, later, push, range, sealAll, stubOf, subscribe } from "./subscribers.ts";

/** A payload of which four are more than one subscriber is sent without acknowledging. */
const LONG = { payload: { text: "x".repeat(400_000) } };
const MORE_THAN_PATIENCE_MS = 31_000;
const MORE_THAN_IDLE_CHECK_MS = 16 * 60_000;

afterEach(() => vi.restoreAllMocks());

function alarmAt(stream: Parameters<typeof stubOf>[0]): Promise<number | null> {
  return runInDurableObject(stubOf(stream), (_, state) => state.storage.getAlarm());
}

describe("a slow reader", () => {
  test("is sent no more than its credit, then dropped, and resumes where it was; others see nothing of it", async () => {
    const signer = await newAgent();
    await push(signer, 1);
    const [slow, quick] = await Promise.all([subscribe(signer, {}, { acks: false }), subscribe(signer)]);
    for (let n = 0; n < 3; n++) await push(signer, 2, LONG);
    await quick.until(() => quick.sequence === 7);
    const received = slow.numbers.length;
    expect(received).toBeLessThan(5);

    const due = await alarmAt(signer);
    expect(due).toBeLessThanOrEqual(Date.now() + 30_000);
    await fireAlarm(signer);
    await scheduler.wait(100);
    expect(slow.closed).toBeNull();
    await later(MORE_THAN_PATIENCE_MS, async () => {
      await fireAlarm(signer);
      expect(await slow.untilClosed()).toEqual({
        code: 4408,
        reason: "nothing was acknowledged for 30 s while data waited: resume",
      });
    });
    expect(slow.numbers).toEqual(range(1, received));
    const again = await subscribe(signer, { from: slow.sequence + 1 });
    await again.until(() => again.sequence === 7);
    expect([...slow.numbers, ...again.numbers]).toEqual(range(1, 7));
    expect(quick.numbers).toEqual(range(1, 7));
    expect(quick.closed).toBeNull();
  });

  test("goes on as soon as it acknowledges, however late within its patience", async () => {
    const signer = await newAgent();
    await push(signer, 1);
    for (let n = 0; n < 3; n++) await push(signer, 2, LONG);
    const client = await subscribe(signer, {}, { acks: false });
    await client.until(() => client.numbers.length >= 3);
    await scheduler.wait(100);
    expect(client.sequence).toBeLessThan(7);
    // It acknowledges a part, and gets as much again; the clock of its patience begins anew.
    client.say({ type: "ack", sequence: client.numbers[1] });
    const before = client.sequence;
    await client.until(() => client.sequence > before);
    client.startAcknowledging();
    await client.until(() => client.sequence === 7);
    expect(client.numbers).toEqual(range(1, 7));
    await later(MORE_THAN_PATIENCE_MS, () => fireAlarm(signer));
    await push(signer, 1);
    await client.until(() => client.sequence === 8);
  });

  test("that owes acknowledgements is left alone while nothing waits for it", async () => {
    const signer = await newAgent();
    await push(signer, 2);
    const client = await subscribe(signer, {}, { acks: false });
    await client.until(() => client.sequence === 2);
    await later(MORE_THAN_PATIENCE_MS, () => fireAlarm(signer));
    await push(signer, 1);
    await client.until(() => client.sequence === 3);
  });
});

describe("what a client says", () => {
  test.each([
    "hello",
    "[]",
    '{"type":"ack"}',
    '{"type":"ack","sequence":-1}',
    '{"type":"ack","sequence":1.5}',
    '{"type":"ack","sequence":3}',
    '{"type":"ack","proven":1}',
    JSON.stringify({ type: "ack", sequence: 1, text: "x".repeat(1_000) }),
  ])("%s ends its subscription", async (text) => {
    const signer = await newAgent();
    await push(signer, 2);
    const client = await subscribe(signer, {}, { acks: false });
    await client.until(() => client.sequence === 2);
    client.say(text);
    expect(await client.untilClosed()).toMatchObject({ code: 4400, reason: expect.stringMatching(/^expected/) });
  });

  test("twice the same is no matter", async () => {
    const signer = await newAgent();
    await push(signer, 2);
    const client = await subscribe(signer);
    await client.until(() => client.sequence === 2);
    for (const sequence of [2, 1, 2, 0]) client.say({ type: "ack", sequence });
    await push(signer, 1);
    await client.until(() => client.sequence === 3);
  });
});

test("nobody is looked at any more after the last has left", async () => {
  const signer = await newAgent();
  await push(signer, 1);
  const client = await subscribe(signer);
  await client.until(() => client.sequence === 1);
  const nextCheck = vi.spyOn(LivePush.prototype, "nextCheckAt");
  const asked = () => nextCheck.mock.results.at(-1)?.value as number | null;
  await fireAlarm(signer);
  await vi.waitFor(() => expect(asked()).toBeGreaterThan(Date.now()));
  client.socket.close(1000);
  await vi.waitFor(async () => expect(await openSockets(signer)).toBe(0));
  // Appends keep the object in memory meanwhile.
  await push(signer, 1);
  await later(MORE_THAN_IDLE_CHECK_MS, async () => {
    await fireAlarm(signer);
    expect(asked()).toBeNull();
  });
});

describe("an object that leaves memory", () => {
  test("loses nothing of its subscriptions: neither their place, nor filters, nor what is not acknowledged", async () => {
    const signer = await newAgent();
    await push(signer, 1, { entityType: "order" });
    const [all, orders, silent] = await Promise.all([
      subscribe(signer),
      subscribe(signer, { entity_type: "order" }),
      subscribe(signer, {}, { acks: false }),
    ]);
    for (let n = 0; n < 3; n++) {
      await all.until(() => all.sequence === 1 + 4 * n);
      await evict(signer);
      await push(signer, 3);
      await evict(signer);
      await push(signer, 1, { entityType: "order" });
    }
    await evict(signer);
    await sealAll(signer);
    await all.until(() => all.proven === 13);
    await orders.until(() => orders.proven === 13);
    expect(all.numbers).toEqual(range(1, 13));
    expect(orders.numbers).toEqual([1, 5, 9, 13]);
    const [attachment] = (await attachments(signer)).filter(({ unackedEvents }) => unackedEvents.length > 0);
    expect(attachment?.unackedEvents.map(([number]) => number).at(-1)).toBe(13);
    await silent.until(() => silent.sequence === 13);
    silent.startAcknowledging();
    await vi.waitFor(async () => expect((await attachments(signer)).flatMap((kept) => kept.unackedEvents)).toEqual([]));
  });

  test("goes on with whom others kept waiting by what they had not acknowledged", async () => {
    const signer = await newAgent();
    await push(signer, 1);
    const silent = await subscribe(signer, {}, { acks: false });
    await silent.until(() => silent.sequence === 1);
    // It has all that there is, and all together are sent nothing more until it acknowledges.
    await keepWith(signer, (kept) => ({ ...kept, unackedEvents: [[1, MAX_UNACKED_BYTES]] }));
    const client = await subscribe(signer);
    await scheduler.wait(100);
    expect(client.sequence).toBe(0);
    await evict(signer);
    silent.say({ type: "ack", sequence: 1 });
    // Before the seal, which would wake everybody.
    await client.until(() => client.sequence === 1, 2_000);
    expect(client.numbers).toEqual([1]);
  });

  test("the control: a subscription that was in memory alone is lost", async () => {
    vi.spyOn(WebSocket.prototype, "serializeAttachment").mockImplementation(() => undefined);
    const signer = await newAgent();
    await push(signer, 1);
    const client = await subscribe(signer);
    await push(signer, 1);
    await client.until(() => client.sequence === 2);
    await evict(signer);
    await push(signer, 1);
    expect(await client.untilClosed()).toMatchObject({ code: 1011 });
    expect(client.numbers).toEqual([1, 2]);
  });

  test("is not called back by pings, which are answered for it", async () => {
    const signer = await newAgent();
    await push(signer, 1);
    const client = await subscribe(signer);
    await client.until(() => client.sequence === 1);
    await evict(signer);
    // Whatever makes an object asks when its subscribers are to be looked at.
    const made = vi.spyOn(LivePush.prototype, "nextCheckAt");
    const asked = vi.spyOn(LivePush.prototype, "receive");
    for (let n = 0; n < 3; n++) client.say("ping");
    await client.until(() => client.pongs.length === 3);
    expect([made.mock.calls.length, asked.mock.calls.length]).toEqual([0, 0]);
    client.say({ type: "ack", sequence: 1 });
    await vi.waitFor(() => expect(asked).toHaveBeenCalledOnce());
    expect(made).toHaveBeenCalled();
  });

  test("keeps less than 2 KB with each socket, whatever the subscription", async () => {
    const signer = await newAgent();
    const names = { entityType: "e".repeat(128), eventType: "t".repeat(256) };
    await push(signer, 1, names);
    const key = await mint(signer, { expiresAt: new Date(Date.now() + 3_600_000).toISOString() });
    const query = { entity_type: names.entityType, event_type: names.eventType, agent_id: signer.agentId };
    const client = await subscribe(signer, query, { key, acks: false });
    for (let n = 1; n <= 20; n++) {
      await push(signer, 1, names);
      await client.until(() => client.sequence === n + 1);
      await commit(signer, n === 1 ? 1 : n + 1, n + 1);
      await client.until(() => client.proven === n + 1);
    }
    const [attachment] = await attachments(signer);
    expect(attachment?.unackedEvents).toHaveLength(16);
    expect(attachment?.unackedProofs).toHaveLength(16);
    // As JSON, which is longer than what the platform makes of it.
    expect(JSON.stringify(attachment).length).toBeLessThan(2_048);
  });
});

test("a stream has no more than 1,000 subscribers", async () => {
  const signer = await newAgent();
  await push(signer, 1);
  const client = await subscribe(signer);
  const full = await runInDurableObject(stubOf(signer), (instance, state) => {
    const [socket] = state.getWebSockets();
    vi.spyOn(state, "getWebSockets").mockReturnValue(Array.from({ length: 1_000 }, () => socket as WebSocket));
    const credential = { expiresAt: null, apiKeyHash: null };
    return instance.fetch(liveRequest({ from: 1, proven: 0, filters: {}, credential })).status;
  });
  expect(full).toBe(503);
  vi.restoreAllMocks();
  expect((await subscribe(signer)).closed).toBeNull();
  expect(client.closed).toBeNull();
});

test("subscribers cost no row", async () => {
  const signer = await newAgent();
  const silent = await newAgent();
  for (const stream of [signer, silent]) await push(stream, 1);
  const clients = await Promise.all(range(1, 20).map(() => subscribe(signer)));
  const writes = async (stream: typeof signer, done: () => Promise<unknown>): Promise<number> => {
    const before = await changes(stream);
    for (let n = 0; n < 5; n++) await push(stream, 2);
    await done();
    return (await changes(stream)) - before;
  };
  const allHave = () => Promise.all(clients.map((client) => client.until(() => client.sequence === 11)));
  const withSubscribers = await writes(signer, allHave);
  expect(withSubscribers).toBeGreaterThanOrEqual(20);
  expect(withSubscribers).toBe(await writes(silent, () => Promise.resolve()));
});

/** Rows that the object has written since it was made. */
function changes(stream: Parameters<typeof stubOf>[0]): Promise<number> {
  return runInDurableObject(stubOf(stream), (_, state) =>
    Number(state.storage.sql.exec("SELECT total_changes() AS changes").one()["changes"]),
  );
}

/** Takes the object out of memory, and makes sure that it was. */
async function evict(stream: Parameters<typeof stubOf>[0]): Promise<void> {
  const mark = (instance: object): void => void Object.assign(instance, { wasThere: true });
  await runInDurableObject(stubOf(stream), mark);
  await evictDurableObject(stubOf(stream));
  await runInDurableObject(stubOf(stream), (instance) => expect(instance).not.toHaveProperty("wasThere"));
  await evictDurableObject(stubOf(stream));
}

function openSockets(stream: Parameters<typeof stubOf>[0]): Promise<number> {
  return runInDurableObject(
    stubOf(stream),
    (_, state) => state.getWebSockets().filter(({ readyState }) => readyState === WebSocket.OPEN).length,
  );
}

/** Changes what is kept with each socket, and takes the object out of memory, so that it is read again. */
async function keepWith(
  stream: Parameters<typeof stubOf>[0],
  change: (kept: Subscription) => Subscription,
): Promise<void> {
  await runInDurableObject(stubOf(stream), (_, state) => {
    for (const socket of state.getWebSockets()) {
      socket.serializeAttachment(change(socket.deserializeAttachment() as Subscription));
    }
  });
  await evict(stream);
}

function attachments(stream: Parameters<typeof stubOf>[0]): Promise<Subscription[]> {
  return runInDurableObject(stubOf(stream), (_, state) =>
    state.getWebSockets().map((socket) => socket.deserializeAttachment() as Subscription),
  );
}

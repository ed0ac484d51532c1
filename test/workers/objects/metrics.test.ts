import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { readMetrics, reportLag } from "../../../src/observe/metrics-client.ts";
import { recorder } from "../../../src/observe/recorder.ts";
import { NO_LAG } from "../../../src/observe/stream-lag.ts";
import { newAgent } from "../http/harness.ts";
import { alarmOf, append, newStream, type TestStream, untilMirrored, upkeep } from "./streams.ts";
import { push, sealAll, subscribe } from "./subscribers.ts";

const SERIES = "sequencer_events_ingested";
const ALL = { tenantId: null, storeIds: null };

const newShard = () => env.METRICS.getByName(crypto.randomUUID());
const piece = (name: string, number: number, by: number) => ({ recorder: name, number, series: { [SERIES]: [by] } });
const lagOf = async ({ tenantId }: { tenantId: string }, storeIds: readonly string[] | null = null) =>
  (await readMetrics(env.METRICS, { tenantId, storeIds })).lag;

const lag = (head: number, sealedSequence: number, mirroredSequence: number | null) => ({
  head,
  sealedSequence,
  mirroredSequence,
  unsealedSince: sealedSequence < head ? 2_000 : null,
  unmirroredSince: mirroredSequence !== null && mirroredSequence < sealedSequence ? 1_000 : null,
});

describe("a shard", () => {
  it("counts a piece once, and has on disk what it has answered for", async () => {
    const shard = newShard();
    await Promise.all([shard.add(piece("a", 1, 5)), shard.add(piece("b", 1, 7)), shard.add(piece("a", 1, 5))]);
    await evictDurableObject(shard);
    await shard.add(piece("a", 1, 5));
    expect((await shard.read(ALL)).series[SERIES]).toEqual([12]);
    await shard.add(piece("a", 2, 1));
    await evictDurableObject(shard);
    expect((await shard.read(ALL)).series[SERIES]).toEqual([13]);
  });

  it("writes one row for the pieces of a second, however many series are in them", async () => {
    const shard = newShard();
    const rows = async (): Promise<number> =>
      (await shard.read(ALL)).series['sequencer_rows_written_total{object="metrics"}']?.[0] ?? 0;
    await shard.add(piece("first", 1, 1));
    const before = await rows();
    const started = Date.now();
    for (let number = 1; Date.now() - started < 1_800; number++) {
      const series = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`${SERIES}{n="${n}"}`, [1]]));
      await Promise.all(["a", "b", "c"].map((name) => shard.add({ recorder: name, number, series })));
    }
    const seconds = (Date.now() - started) / 1_000;
    expect((await rows()) - before).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
  });

  it("reads nothing out of nothing, and writes nothing for it", async () => {
    const shard = newShard();
    expect(await shard.read(ALL)).toEqual({ series: {}, lag: NO_LAG });
    const tables = await runInDurableObject(shard, (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\'").toArray(),
    );
    expect(tables).toEqual([]);
  });
});

describe("what streams report", () => {
  it("is added up for a tenant and its stores, and the last report counts", async () => {
    const tenantId = crypto.randomUUID();
    const [one, two, three] = Array.from({ length: 3 }, () => ({ tenantId, storeId: crypto.randomUUID() }));
    if (one === undefined || two === undefined || three === undefined) throw new Error("three streams");
    await reportLag(env, one, lag(10, 10, 10));
    await reportLag(env, two, lag(20, 15, 5));
    await reportLag(env, three, lag(7, 7, null));
    await reportLag(env, { tenantId: crypto.randomUUID(), storeId: one.storeId }, lag(1_000, 0, 0));
    const sums = { events: 37, streams: 3, unsealed: 5, unsealedSince: 2_000, unmirrored: 10, unmirroredSince: 1_000 };
    expect(await lagOf(one)).toEqual({ ...sums, unmirroredStreams: 1 });
    expect(await lagOf(one, [one.storeId, three.storeId])).toEqual({ ...NO_LAG, events: 17, streams: 2 });
    await reportLag(env, two, lag(20, 20, 20));
    expect(await lagOf(one)).toEqual({ ...NO_LAG, events: 37, streams: 3 });
  });

  it("never makes a stream shorter", async () => {
    const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
    await reportLag(env, stream, lag(50, 50, 50));
    await reportLag(env, stream, lag(3, 3, 50));
    expect(await lagOf(stream)).toEqual({ ...NO_LAG, events: 50, streams: 1 });
  });
});

describe("a stream", () => {
  /** Waits for what the stream's reports come to, and that it has nothing more to do. */
  async function settled(stream: TestStream, expected: object): Promise<void> {
    await vi.waitFor(async () => expect(await lagOf(stream)).toEqual({ ...NO_LAG, ...expected }), 10_000);
    await vi.waitFor(async () => expect(await alarmOf(stream)).toBeNull());
  }

  it("reports once its events are sealed and mirrored, and has no alarm then", { timeout: 20_000 }, async () => {
    const stream = newStream();
    await append(stream, 1, 3);
    await scheduler.wait(5_000);
    await untilMirrored(stream, 3);
    await settled(stream, { streams: 1, events: 3 });
  });

  it("that was lost before its report was taken reports when its alarm fires", { timeout: 20_000 }, async () => {
    const stream = newStream();
    await append(stream, 1, 3);
    await evictDurableObject(stream.stub);
    expect(await lagOf(stream)).toEqual(NO_LAG);
    await settled(stream, { streams: 1, events: 3 });
  });

  it("that only reads has nothing to report, and sets no alarm", { timeout: 20_000 }, async () => {
    const stream = newStream();
    await append(stream, 1, 3);
    await settled(stream, { streams: 1, events: 3 });
    await evictDurableObject(stream.stub);
    expect(await stream.object.head()).toBe(3);
    expect(await alarmOf(stream)).toBeNull();
  });

  it("keeps its alarm while its report is not taken", { timeout: 30_000 }, async () => {
    const stream = newStream();
    const { Metrics } = await import("../../../src/observe/metrics-object.ts");
    const report = vi.spyOn(Metrics.prototype, "report").mockImplementation(() => {
      throw new Error("away");
    });
    try {
      await append(stream, 1, 2);
      await scheduler.wait(6_000);
      await untilMirrored(stream, 2);
      await vi.waitFor(() => expect(report).toHaveBeenCalled(), 10_000);
      await vi.waitFor(async () => expect(await alarmOf(stream)).not.toBeNull());
    } finally {
      report.mockRestore();
    }
    await upkeep(stream);
    await settled(stream, { streams: 1, events: 2 });
  });
});

it("the numbers have what live subscribers were sent, and how the server has ended subscriptions", async () => {
  const signer = await newAgent();
  await push(signer, 2);
  const count = vi.spyOn(recorder, "count");
  const clients = [await subscribe(signer), await subscribe(signer, { entity_type: "nothing" })] as const;
  await sealAll(signer);
  // The events go to one of them, the batch to both.
  for (const client of clients) await client.until(() => client.proven === 2);
  const counted = (name: string): number =>
    count.mock.calls.reduce((sum, [counter, , by = 1]) => (counter === name ? sum + by : sum), 0);
  expect(counted("sequencer_live_messages_sent")).toBe(3);
  expect(counted("sequencer_live_subscriptions_ended_total")).toBe(0);
  clients[0].say("hello");
  expect(await clients[0].untilClosed()).toMatchObject({ code: 4400 });
  expect(count).toHaveBeenCalledWith("sequencer_live_subscriptions_ended_total", { code: 4400 });
  clients[1].socket.close();
  count.mockRestore();
});

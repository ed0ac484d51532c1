import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { seededRandom } from "../../e2e/support/random.ts";
import { withPostgres } from "../../../src/mirror/postgres.ts";
import { ENCRYPTION_BYTES, PAYLOAD_MAGIC } from "../../../src/at-rest/payload-cipher.ts";
import { readTip, writeBatches } from "../../../src/mirror/stream-tables.ts";
import {
  alarmOf,
  append,
  commit,
  event,
  events,
  expectMirrored,
  newStream,
  postgres,
  postgresUnseen,
  request,
  streamAt,
  type TestStream,
  untilMirrored,
  upkeep,
} from "./streams.ts";

const THIS = "WHERE tenant_id = $1 AND store_id = $2";
const ids = ({ tenantId, storeId }: TestStream): [string, string] => [tenantId, storeId];

describe("sealing and mirroring", { timeout: 30_000 }, () => {
  test("a full batch is sealed at once, the rest when it is old enough, all is mirrored, and then no alarm is set", async () => {
    const stream = newStream();
    expect(await alarmOf(stream)).toBeNull();
    await append(stream, 1, 1_500);
    await untilMirrored(stream, 1_024);
    const alarm = await alarmOf(stream);
    expect(alarm).toBeGreaterThan(Date.now() + 3_000);
    expect(alarm).toBeLessThanOrEqual(Date.now() + 5_000);
    await untilMirrored(stream, 1_500);
    await expectMirrored(stream, 1_500);
    await vi.waitFor(async () => expect(await alarmOf(stream)).toBeNull());
  });

  test("what is due is found out again by an object that starts, though its alarm was lost", async () => {
    const stream = newStream();
    await append(stream, 1, 3);
    await runInDurableObject(stream.stub, (_, state) => state.storage.deleteAlarm());
    await evictDurableObject(stream.stub);
    expect((await stream.object.state()).head).toBe(3);
    expect(await alarmOf(stream)).toBeGreaterThan(Date.now() + 3_000);
  });

  test("every way of splitting work over evictions and resets ends in the same mirror", async () => {
    let stream = newStream();
    let head = 0;
    for (let round = 1; round <= 12; round++) {
      await append(stream, head + 1, head + 40);
      head += 40;
      const sealing = stream.object.commit({ start: head - 39, end: head }).catch(() => null);
      // Somewhere between the seal and the mirror's answer, a little later each time.
      await scheduler.wait(round);
      if (round % 2 === 0) {
        await evictDurableObject(stream.stub).catch(() => undefined);
      } else {
        await runInDurableObject(stream.stub, (_, state) => state.abort("killed")).catch(() => undefined);
      }
      await sealing;
      stream = streamAt(stream);
      await vi.waitFor(async () => expect((await stream.object.state()).head).toBe(head));
      // What the reset undid is asked for again, and what it did not is answered with the batch there is.
      expect((await stream.object.commit({ start: head - 39, end: head })).kind).toBe("sealed");
    }
    await upkeep(stream);
    await untilMirrored(stream, head);
    await expectMirrored(stream, head);
  });

  test.each([1, 2, 3])(
    "any interleaving of appends, seals, evictions and resets ends in one log (seed %i)",
    async (seed) => {
      const random = seededRandom(seed);
      let stream = newStream();
      let head = 0;
      for (let step = 0; step < 40; step++) {
        const under: Promise<unknown>[] = [];
        const count = 1 + random.below(30);
        // Whoever is not answered repeats, as agents do: what was stored is answered as a repetition.
        const appending = stream.object.append(request(events(stream, head + 1, head + count))).catch(() => null);
        under.push(appending);
        if (random.chance(0.5)) {
          const { latestBatch } = await stream.object.state().catch(() => ({ latestBatch: null }));
          const start = (latestBatch?.sequenceEnd ?? 0) + 1;
          under.push(stream.object.commit({ start, end: Math.max(start, head - random.below(5)) }).catch(() => null));
        }
        if (random.chance(0.3)) under.push(upkeep(stream).catch(() => null));
        if (random.chance(0.3)) await scheduler.wait(random.below(12));
        const harm = random.below(5);
        if (harm === 0) under.push(evictDurableObject(stream.stub).catch(() => null));
        if (harm === 1) {
          under.push(runInDurableObject(stream.stub, (_, state) => state.abort("killed")).catch(() => null));
        }
        await Promise.all(under);
        stream = streamAt(stream);
        await vi.waitFor(async () => append(stream, head + 1, head + count));
        head += count;
      }
      const { latestBatch } = await stream.object.state();
      if (latestBatch?.sequenceEnd !== head) await commit(stream, (latestBatch?.sequenceEnd ?? 0) + 1, head);
      await upkeep(stream);
      await untilMirrored(stream, head);
      await expectMirrored(stream, head);
    },
  );

  test("alarms that overlap write every batch once", async () => {
    const stream = newStream();
    await append(stream, 1, 900);
    await runInDurableObject(stream.stub, async (instance) => {
      for (let n = 0; n < 9; n++) {
        const committing = instance.commit({ start: n * 100 + 1, end: n * 100 + 100 });
        instance.alarm();
        instance.alarm();
        await scheduler.wait(n);
        instance.alarm();
        await committing;
      }
    });
    await untilMirrored(stream, 900);
    await expectMirrored(stream, 900);
  });

  test("a commit that was not heard of is not repeated", async () => {
    const stream = newStream();
    await append(stream, 1, 20);
    for (const n of [1, 6, 11]) await commit(stream, n, n + 4);
    await untilMirrored(stream, 15);
    // As an object has it that was lost between the database's commit and its answer.
    await runInDurableObject(stream.stub, (_, state) =>
      state.storage.sql.exec("UPDATE mirror_state SET mirrored_sequence = 5"),
    );
    await upkeep(stream);
    await untilMirrored(stream, 15);
    await expectMirrored(stream, 20);
  });

  test("a row that somebody put in the way freezes the stream, until it is gone and its removal is acknowledged", async () => {
    const stream = newStream();
    await append(stream, 1, 5);
    await postgres(
      `INSERT INTO ves_events SELECT $1, $2, 3, gen_random_uuid(), now(), 1, 1, gen_random_uuid(), 1, 'order', 'o', 1, 't', 'now',
         0, '{}', '\\x00', NULL, '\\x00', '\\x00', NULL, NULL, NULL, NULL`,
      ...ids(stream),
    );
    await commit(stream, 1, 5);
    const reason = async (): Promise<string | null> => (await stream.object.state()).frozenReason;
    await vi.waitFor(async () =>
      expect(await reason()).toMatch(/rows after its last batch .* not its own: Key .*, 3\)/),
    );
    expect(await postgres(`SELECT 1 FROM ves_commitments ${THIS}`, ...ids(stream))).toEqual([]);

    await postgres(`DELETE FROM ves_events ${THIS}`, ...ids(stream));
    await upkeep(stream);
    await vi.waitFor(async () => expect(await reason()).toMatch(/changed by hand, the first at number 3/));
    await postgres(`DELETE FROM ves_alterations ${THIS}`, ...ids(stream));
    await upkeep(stream);
    await untilMirrored(stream, 5);
    await append(stream, 6, 6);
    await expectMirrored(stream, 6);
  });

  test("a database that was restored from an older backup is brought up to date in order", async () => {
    const stream = newStream();
    await append(stream, 1, 30);
    for (const n of [1, 11, 21]) await commit(stream, n, n + 9);
    await untilMirrored(stream, 30);
    await postgresUnseen(`DELETE FROM ves_commitments ${THIS} AND sequence_start > 10`, ...ids(stream));
    await postgresUnseen(`DELETE FROM ves_events ${THIS} AND sequence_number > 10`, ...ids(stream));
    await append(stream, 31, 31);
    await commit(stream, 31, 31);
    await untilMirrored(stream, 31);
    await expectMirrored(stream, 31);
  });

  test("payloads of several megabytes are mirrored to the letter, in batches that are small enough", async () => {
    const stream = newStream();
    const payload = '\u{1F600}\\"\u0000x'.repeat(100_000);
    const large = Array.from({ length: 8 }, (_, n) => ({
      ...event(stream, n + 1),
      payload: JSON.stringify(payload),
    }));
    expect(await stream.object.append(request(large))).toMatchObject({ kind: "appended", head: 8 });
    await commit(stream, 1, 2);
    await commit(stream, 3, 4);
    await commit(stream, 5, 6);
    await commit(stream, 7, 8);
    await untilMirrored(stream, 8);
    const rows = await postgres<{ payload: string }>(`SELECT payload FROM ves_events ${THIS}`, ...ids(stream));
    expect(rows.map((row) => row.payload === JSON.stringify(payload))).toEqual(Array.from({ length: 8 }, () => true));
  });

  test("so are encrypted ones, byte for byte", async () => {
    const stream = newStream();
    const large = Array.from({ length: 4 }, (_, n) => {
      const payload = new Uint8Array(1024 * 1024 + ENCRYPTION_BYTES).fill(200 + n);
      payload.set(PAYLOAD_MAGIC);
      return { ...event(stream, n + 1), payload };
    });
    expect(await stream.object.append(request(large))).toMatchObject({ kind: "appended", head: 4 });
    await commit(stream, 1, 3);
    await commit(stream, 4, 4);
    await untilMirrored(stream, 4);
    const rows = await postgres<{ same: boolean }>(
      `SELECT payload IS NULL AND payload_encrypted = 'SSE2'::bytea || decode(repeat(to_hex(199 + sequence_number), $3), 'hex') AS same
         FROM ves_events ${THIS}`,
      ...ids(stream),
      1024 * 1024 + ENCRYPTION_BYTES - PAYLOAD_MAGIC.length,
    );
    expect(rows).toEqual(Array.from({ length: 4 }, () => ({ same: true })));
  });

  test("batches are written onto the tip that they follow on, or not at all", async () => {
    const stream = newStream();
    await append(stream, 1, 4);
    await commit(stream, 1, 2);
    await untilMirrored(stream, 2);
    const tip = await withPostgres(env.POSTGRES, (connection) => readTip(connection, stream));
    const write = (sequenceEnd: number, stateRoot: Uint8Array) =>
      withPostgres(env.POSTGRES, (connection) =>
        writeBatches(connection, stream, { sequenceEnd, stateRoot }, { events: "[]", commitments: "[]" }),
      );
    const root = tip.stateRoot ?? new Uint8Array(32);
    expect(await write(2, root)).toEqual({ tip, isWritten: true, foreignRow: null });
    expect(await write(2, new Uint8Array(32))).toEqual({ tip, isWritten: false, foreignRow: null });
    expect(await write(1, root)).toEqual({ tip, isWritten: false, foreignRow: null });
    expect(await write(0, new Uint8Array(32))).toEqual({ tip, isWritten: false, foreignRow: null });
  });
});

describe("one history", { timeout: 30_000 }, () => {
  async function mirroredStream(): Promise<TestStream> {
    const stream = newStream();
    await append(stream, 1, 20);
    await commit(stream, 1, 10);
    await commit(stream, 11, 20);
    await untilMirrored(stream, 20);
    return stream;
  }

  async function expectFrozen(stream: TestStream, reason: RegExp): Promise<void> {
    await append(stream, 21, 21);
    await commit(stream, 21, 21);
    await vi.waitFor(async () => expect((await stream.object.state()).frozenReason).toMatch(reason));
    const refusal = { kind: "frozen", reason: expect.stringMatching(reason) as string };
    expect(await stream.object.append(request([event(stream, 22)]))).toEqual(refusal);
    expect(await stream.object.append(request([event(stream, 1), event(stream, 22)]))).toEqual(refusal);
    expect(await stream.object.commit({ start: 1, end: 20 })).toEqual(refusal);
    // What would change nothing is answered as always.
    expect(await stream.object.append(request([event(stream, 1)]))).toMatchObject({ outcomes: [{ kind: "replayed" }] });
    expect(await stream.object.commit({ start: 1, end: 10 })).toMatchObject({ kind: "sealed" });
    // Reads go on, and nothing that contradicts it was written.
    expect((await stream.object.events({ from: 1, limit: 100 })).events).toHaveLength(21);
    expect((await stream.object.proof(15)).kind).toBe("proof");
    expect(await postgres(`SELECT 1 FROM ves_events ${THIS} AND sequence_number > 20`, ...ids(stream))).toEqual([]);
    const [listed] = await postgres<{ reason: string }>(
      `SELECT reason FROM ves_frozen_streams ${THIS}`,
      ...ids(stream),
    );
    expect(listed?.reason).toMatch(reason);
    // It stays so for the next instance too, and asks again from time to time.
    await evictDurableObject(stream.stub);
    expect(await stream.object.append(request([event(stream, 22)]))).toEqual(refusal);
    expect(await alarmOf(stream)).toBeGreaterThan(Date.now());
  }

  async function expectThawed(stream: TestStream): Promise<void> {
    await upkeep(stream);
    await untilMirrored(stream, 21);
    await append(stream, 22, 22);
    await expectMirrored(stream, 22);
    expect(await postgres(`SELECT 1 FROM ves_frozen_streams ${THIS}`, ...ids(stream))).toEqual([]);
  }

  test.each([
    ["an event", "UPDATE ves_events SET payload = '{}'", "AND sequence_number = 4", 4],
    ["a deleted event", "DELETE FROM ves_events", "AND sequence_number = 17", 17],
    [
      "an earlier commitment",
      "UPDATE ves_commitments SET merkle_root = prev_state_root",
      "AND sequence_start = 11",
      11,
    ],
  ])("%s altered by hand freezes the stream at the next seal", async (_, statement, where, number) => {
    const stream = await mirroredStream();
    await postgres(`${statement} ${THIS} ${where}`, ...ids(stream));
    await expectFrozen(
      stream,
      new RegExp(`changed by hand, the first at number ${number}: see the table ves_alterations`),
    );
  });

  test("another state root freezes the stream, and the right one lets it go on", async () => {
    const stream = await mirroredStream();
    const tip = await withPostgres(env.POSTGRES, (connection) => readTip(connection, stream));
    const alter = (root: unknown): Promise<void> =>
      postgresUnseen(
        `UPDATE ves_commitments SET new_state_root = $3 ${THIS} AND sequence_start = 11`,
        ...ids(stream),
        root,
      );
    await alter(Buffer.alloc(32, 7));
    await expectFrozen(stream, /at number 20 Postgres holds the state root 0707/);
    await alter(Buffer.from(tip.stateRoot ?? []));
    await expectThawed(stream);
  });

  test("a batch that the stream does not have freezes it, as after its object was lost", async () => {
    const stream = await mirroredStream();
    await postgresUnseen(
      `INSERT INTO ves_commitments (tenant_id, store_id, sequence_start, sequence_end, batch_id, ves_version, leaf_count,
         merkle_root, prev_state_root, new_state_root, committed_at)
       SELECT tenant_id, store_id, 21, 25, gen_random_uuid(), 1, 5, merkle_root, new_state_root, merkle_root, now()
         FROM ves_commitments ${THIS} AND sequence_start = 11`,
      ...ids(stream),
    );
    await expectFrozen(stream, /Postgres holds a batch that ends at 25, and this stream does not: it was begun anew/);
    await postgresUnseen(`DELETE FROM ves_commitments ${THIS} AND sequence_start = 21`, ...ids(stream));
    await expectThawed(stream);
  });

  test("an empty stream that was mirrored before does not begin again at 1, whatever its tenant knows, and says so", async () => {
    const stream = await mirroredStream();
    await runInDurableObject(stream.stub, (_, state) => state.storage.deleteAll());
    await evictDurableObject(stream.stub);
    const lost = { kind: "frozen", reason: "this stream is empty and Postgres holds its events up to 20: restore it" };
    expect(await stream.object.append(request([event(stream, 1)], { isNewStore: false }))).toEqual(lost);
    expect(await stream.object.append(request([event(stream, 1)], { isNewStore: true }))).toEqual(lost);
    expect(await stream.object.head()).toBe(0);
    expect((await stream.object.state()).frozenReason).toBe(lost.reason);
    expect(await postgres(`SELECT reason FROM ves_frozen_streams ${THIS}`, ...ids(stream))).toEqual([
      { reason: lost.reason },
    ]);
    // The control: one that was never mirrored begins, though its store was known.
    const other = newStream();
    expect(await other.object.append(request([event(other, 1)], { isNewStore: false }))).toMatchObject({ head: 1 });
  });
});

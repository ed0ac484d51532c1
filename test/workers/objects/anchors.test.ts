import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, test, vi } from "vitest";
import type { ChainTip } from "../../../src/stream/messages.ts";
import { ZERO_32 } from "../../../src/ves/index.ts";
import {
  alarmOf,
  anchorAt,
  append,
  commit,
  event,
  expectMirrored,
  newStream,
  note,
  postgres,
  request,
  type TestStream,
  untilMirrored,
  upkeep,
} from "./streams.ts";

const THIS = "WHERE tenant_id = $1 AND store_id = $2";
const ids = ({ tenantId, storeId }: TestStream): [string, string] => [tenantId, storeId];
const NOTHING: ChainTip = { latestSequence: 0, stateRoot: ZERO_32 };
const FOREIGN: ChainTip = { latestSequence: 99, stateRoot: new Uint8Array(32).fill(7) };
const CONFLICT = /^the contract holds a batch that ends at 99, and this stream does not/;

describe("anchors", { timeout: 20_000 }, () => {
  test("are kept by the next instance, taken back by a reorganisation, and told in every way to ask for a batch", async () => {
    const stream = newStream();
    await append(stream, 1, 5);
    const [first, second] = [await commit(stream, 1, 2), await commit(stream, 3, 5)];
    expect(first.anchor).toBeNull();
    await note(stream, second, 1, anchorAt(2));
    expect((await stream.object.state()).anchoredSequence).toBe(0);
    await note(stream, first, 1, anchorAt(1));
    await evictDurableObject(stream.stub);
    const told = [
      { ...second, anchor: anchorAt(2) },
      { ...first, anchor: anchorAt(1) },
    ];
    const page = { before: 100, limit: 10 };
    expect((await stream.object.batches(page)).batches).toEqual(told);
    expect((await stream.object.batches({ ...page, anchored: true })).batches).toEqual(told);
    expect((await stream.object.batches({ ...page, anchored: false })).batches).toEqual([]);
    expect(await stream.object.batch(first.batchId)).toEqual(told[1]);
    expect(await stream.object.state()).toMatchObject({ anchoredSequence: 5, latestBatch: told[0] });
    expect(await stream.object.commit({ start: 3, end: 5 })).toEqual({ kind: "sealed", batch: told[0] });

    await note(stream, second, 3, null);
    await note(stream, second, 2, anchorAt(9));
    expect(await stream.object.state()).toMatchObject({ anchoredSequence: 2, latestBatch: second });
    expect((await stream.object.batches({ ...page, anchored: false })).batches).toEqual([second]);
  });

  test("of a stream that was never written make nothing of it", async () => {
    const stream = newStream();
    const batch = { ...(await commitOfAnother()), sequenceStart: 1 };
    await note(stream, batch, 1, anchorAt(1));
    expect(await stream.object.compareWithChain(NOTHING)).toBeNull();
    expect(await stream.object.compareWithChain(FOREIGN)).toMatchObject({ kind: "frozen" });
    expect(await stream.object.state()).toMatchObject({ head: 0, anchoredSequence: 0, frozenReason: null });
    await append(stream, 1, 1);
  });

  async function commitOfAnother() {
    const other = newStream();
    await append(other, 1, 1);
    return commit(other, 1, 1);
  }
});

describe("a conflict with the chain", { timeout: 20_000 }, () => {
  const frozen = { kind: "frozen", reason: expect.stringMatching(CONFLICT) as string };

  /** Batches up to 10, and 11 not sealed yet. */
  async function streamInConflict(): Promise<TestStream> {
    const stream = newStream();
    await append(stream, 1, 10);
    await commit(stream, 1, 10);
    await untilMirrored(stream, 10);
    await append(stream, 11, 11);
    expect(await stream.object.compareWithChain(FOREIGN)).toEqual(frozen);
    return stream;
  }

  async function expectFrozen(stream: TestStream): Promise<void> {
    expect(await stream.object.append(request([event(stream, 12)]))).toEqual(frozen);
    expect(await stream.object.commit({ start: 11, end: 11 })).toEqual(frozen);
    expect(await stream.object.state()).toMatchObject({ head: 11, frozenReason: frozen.reason });
    expect(await stream.object.proof(11)).toEqual({ kind: "not_yet_sealed", sealAt: null });
  }

  test("takes no writes and seals nothing, and reads go on, until both agree again", async () => {
    const stream = await streamInConflict();
    await expectFrozen(stream);
    await evictDurableObject(stream.stub);
    await expectFrozen(stream);
    // What would change nothing is answered as always.
    expect(await stream.object.append(request([event(stream, 1)]))).toMatchObject({ outcomes: [{ kind: "replayed" }] });
    expect(await stream.object.commit({ start: 1, end: 10 })).toMatchObject({ kind: "sealed" });
    expect((await stream.object.events({ from: 1, limit: 100 })).events).toHaveLength(11);
    expect((await stream.object.proof(5)).kind).toBe("proof");
    // There is nothing to do, though by then an event would be due to be sealed.
    await scheduler.wait(5_100);
    await upkeep(stream);
    await vi.waitFor(async () => expect(await alarmOf(stream)).toBeNull());
    expect((await stream.object.state()).latestBatch).toMatchObject({ sequenceEnd: 10 });

    const { latestBatch } = await stream.object.state();
    const agreed = { latestSequence: 10, stateRoot: latestBatch?.newStateRoot ?? ZERO_32 };
    expect(await stream.object.compareWithChain(agreed)).toBeNull();
    expect((await stream.object.state()).frozenReason).toBeNull();
    // Sealed at once, by the alarm.
    await untilMirrored(stream, 11);
    await append(stream, 12, 12);
    await commit(stream, 12, 12);
    await untilMirrored(stream, 12);
    await expectMirrored(stream, 12);
  });

  test("leaves the mirror to go on with what is sealed", async () => {
    const stream = newStream();
    await append(stream, 1, 10);
    await runInDurableObject(stream.stub, (instance) => {
      void instance.commit({ start: 1, end: 10 });
      // In the same turn: nothing of it is mirrored yet.
      instance.compareWithChain(FOREIGN);
    });
    await untilMirrored(stream, 10);
    expect((await stream.object.state()).frozenReason).toMatch(CONFLICT);
    expect(await postgres(`SELECT 1 FROM ves_frozen_streams ${THIS}`, ...ids(stream))).toEqual([]);
    await expectMirrored(stream, 10);
  });

  test("is not lifted by the mirror, nor the mirror's by the chain", async () => {
    const stream = await streamInConflict();
    await runInDurableObject(stream.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE mirror_state SET frozen_reason = 'the mirror''s'");
    });
    expect((await stream.object.state()).frozenReason).toBe("the mirror's");
    expect(await stream.object.compareWithChain(NOTHING)).toBeNull();
    expect((await stream.object.state()).frozenReason).toBe("the mirror's");
    expect(await stream.object.compareWithChain(FOREIGN)).toEqual(frozen);
    // Postgres agrees: the mirror thaws what was its own.
    await upkeep(stream);
    await vi.waitFor(async () => expect((await stream.object.state()).frozenReason).toMatch(CONFLICT));
    await expectFrozen(stream);
  });
});

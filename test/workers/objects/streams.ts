import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, vi } from "vitest";
import type { PayloadKeyring } from "../../../src/at-rest/payload-keyrings.ts";
import { readMirroredBatch, readMirroredEvents } from "../../../src/mirror/mirrored-batches.ts";
import { withPostgres } from "../../../src/mirror/postgres.ts";
import type {
  Anchor,
  AppendRequest,
  AppendResult,
  Batch,
  StorableEvent,
  StoredBatch,
} from "../../../src/stream/messages.ts";
import { streamStub, type StreamStub } from "../../../src/stream/stream-client.ts";
import { streamObjectName, type StreamRef } from "../../../src/stream-ref.ts";
import type { StreamSequencer } from "../../../src/stream/stream-sequencer.ts";
import { eventSigningHash, toHex } from "../../../src/ves/index.ts";
import { checkedEvent, uuid } from "../../support/checked-events.ts";
import { derivedBatches } from "../../support/derived-batches.ts";

/*
 * Streams as their objects' tests reach them, and what their storage and Postgres hold of them.
 */

/** Of streams that are written to directly, with payloads as text. */
const NO_KEYS: PayloadKeyring = { current: null, keys: new Map(), readsText: true };

export interface TestStream extends StreamRef {
  readonly object: StreamStub;
  readonly stub: DurableObjectStub<StreamSequencer>;
}

export function newStream(): TestStream {
  return streamAt({ tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() });
}

/** A stub that has seen its object reset is of no more use: this gives new ones for the same stream. */
export function streamAt({ tenantId, storeId }: StreamRef): TestStream {
  const stream = { tenantId, storeId };
  return { ...stream, object: streamStub(env, stream), stub: env.STREAMS.getByName(streamObjectName(stream)) };
}

export function request(checked: readonly StorableEvent[], change: Partial<AppendRequest> = {}): AppendRequest {
  return { registryVersion: 0, receiptKeyVersion: 1, events: checked, isNewStore: true, ...change };
}

/** Event number `n` of the stream; it is sound, except that nobody looks at its signature. */
export function event({ tenantId, storeId }: StreamRef, n: number): StorableEvent {
  const checked = checkedEvent({ eventId: uuid(1, n), entityId: `o${n % 7}` });
  const envelope = { ...checked.envelope, tenant_id: tenantId, store_id: storeId };
  return { ...checked, signingHash: eventSigningHash(envelope) };
}

export function events(stream: StreamRef, from: number, to: number): StorableEvent[] {
  return Array.from({ length: to - from + 1 }, (_, i) => event(stream, from + i));
}

export async function append(stream: TestStream, from: number, to: number): Promise<void> {
  const result: AppendResult = await stream.object.append(request(events(stream, from, to)));
  expect(result).toMatchObject({ kind: "appended" });
  expect(await stream.object.head()).toBe(to);
}

export async function commit({ object }: TestStream, start: number, end: number): Promise<StoredBatch> {
  const result = await object.commit({ start, end });
  if (result.kind !== "sealed") throw new Error(`not sealed: ${JSON.stringify(result)}`);
  return result.batch;
}

/** A place on chain, another one for each number. */
export function anchorAt(n: number): Anchor {
  return {
    chainId: 31_337,
    txHash: new Uint8Array(32).fill(n),
    blockNumber: 1_000 + n,
    anchoredAt: 1_700_000_000_000 + n,
  };
}

/** Tells the stream where a batch is on chain, or that it is not there any more. */
export async function note(
  { object }: TestStream,
  batch: Batch,
  revision: number,
  anchor: Anchor | null,
): Promise<void> {
  await object.noteAnchors([{ batchId: batch.batchId, sequenceStart: batch.sequenceStart, revision, anchor }]);
}

/** One statement on the mirror. */
export function postgres<Row = Record<string, unknown>>(sql: string, ...values: unknown[]): Promise<Row[]> {
  return withPostgres(env.POSTGRES, async (connection) => (await connection.query(sql, values)).rows as Row[]);
}

/** One statement on the mirror that leaves no trace there, as a restored backup or a broken disk leaves none. */
export function postgresUnseen(sql: string, ...values: unknown[]): Promise<void> {
  return withPostgres(env.POSTGRES, async (connection) => {
    await connection.query("SET session_replication_role = replica");
    await connection.query(sql, values);
    await connection.query("SET session_replication_role = origin");
  });
}

export function untilMirrored({ object }: TestStream, sequenceNumber: number): Promise<void> {
  return vi.waitFor(async () => expect((await object.state()).mirroredSequence).toBe(sequenceNumber), 10_000);
}

/** Makes the object do now what its alarm would make it do. */
export async function upkeep({ stub }: TestStream): Promise<void> {
  await runInDurableObject(stub, async (instance, state) => {
    state.storage.sql.exec("UPDATE mirror_state SET retry_at = NULL");
    instance.alarm();
    await scheduler.wait(0);
  });
}

/** When the object's alarm is set for, or null. */
export function alarmOf({ stub }: TestStream): Promise<number | null> {
  return runInDurableObject(stub, (_, state) => state.storage.getAlarm());
}

/** Everything that sealing and mirroring promise, derived from the events alone and compared with both storages. */
export async function expectMirrored(stream: TestStream, head: number): Promise<void> {
  const { batches } = await stream.object.batches({ before: Number.MAX_SAFE_INTEGER, limit: 1_000 });
  const own = batches.toReversed();
  const log = events(stream, 1, head);
  const ranges = own.map(({ sequenceStart, sequenceEnd }) => [sequenceStart, sequenceEnd] as const);
  expect(ranges.map(([start]) => start)).toEqual([1, ...ranges.map(([, end]) => end + 1)].slice(0, ranges.length));
  expect(own.map(({ merkleRoot, newStateRoot }) => [toHex(merkleRoot), toHex(newStateRoot)])).toEqual(
    derivedBatches(stream, log, ranges).map(({ merkleRoot, newStateRoot }) => [merkleRoot, newStateRoot]),
  );
  const sealed = ranges.at(-1)?.[1] ?? 0;
  await withPostgres(env.POSTGRES, async (connection) => {
    for (const { anchor, ...batch } of own) {
      expect(await readMirroredBatch(connection, stream, batch.sequenceStart)).toEqual(batch);
    }
    const mirrored = await readMirroredEvents(
      connection,
      stream,
      { sequenceStart: 1, sequenceEnd: head + 1_000 },
      NO_KEYS,
    );
    const { events: stored } = await readAll(stream, sealed);
    expect(mirrored).toEqual(
      log
        .slice(0, sealed)
        .map((logged, index) => ({ event: logged, place: placeOf(stored[index]), missingKeyId: null })),
    );
    const [counted] = (
      await connection.query("SELECT count(*) AS batches FROM ves_commitments WHERE tenant_id = $1 AND store_id = $2", [
        stream.tenantId,
        stream.storeId,
      ])
    ).rows as { batches: string }[];
    expect(Number(counted?.batches)).toBe(own.length);
  });
}

type StoredEvent = Awaited<ReturnType<StreamStub["events"]>>["events"][number];

function placeOf(stored: StoredEvent | undefined) {
  return {
    sequenceNumber: stored?.sequenceNumber,
    sequencedAt: stored?.sequencedAt,
    receiptKeyVersion: stored?.receiptKeyVersion,
  };
}

async function readAll({ object }: TestStream, to: number): Promise<{ events: StoredEvent[] }> {
  const all: StoredEvent[] = [];
  while (all.length < to) all.push(...(await object.events({ from: all.length + 1, to, limit: 1_000 })).events);
  return { events: all };
}

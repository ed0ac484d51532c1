import { setTimeout as sleep } from "node:timers/promises";
import { call, type Server } from "../lib/client.ts";
import type { StreamRef } from "../../src/stream-ref.ts";

const SAMPLE_MS = 1_000;
const DRAIN_POLL_MS = 100;
/** A mirror that has not caught up by then is reported as it is. */
const MAX_DRAIN_MS = 120_000;

/** How far a stream was at a moment. */
export interface Sample {
  /** Since the sampling began. */
  readonly seconds: number;
  readonly head: number;
  readonly sealed: number;
  readonly mirrored: number;
}

/** Samples a stream every second while something else goes on, and once more at its end. */
export async function sampleDuring<T>(
  server: Server,
  stream: StreamRef,
  work: Promise<T>,
): Promise<{ readonly result: T; readonly samples: readonly Sample[] }> {
  const started = performance.now();
  const samples: Sample[] = [{ seconds: 0, head: 0, sealed: 0, mirrored: 0 }];
  const ended = work.then(() => true);
  for (let next = started + SAMPLE_MS; ; next += SAMPLE_MS) {
    const isOver = await Promise.race([ended, sleep(Math.max(0, next - performance.now()), false)]);
    samples.push(await sampleOf(server, stream, started));
    if (isOver) return { result: await work, samples };
  }
}

/** Waits until no more than so many events are missing from the mirror. @returns the seconds it took, and the last sample */
export async function waitForMirror(server: Server, stream: StreamRef, mayMiss: number): Promise<Sample> {
  const started = performance.now();
  for (;;) {
    const sample = await sampleOf(server, stream, started);
    const isOver = sample.head - sample.mirrored <= mayMiss || sample.seconds * 1_000 > MAX_DRAIN_MS;
    if (isOver) return sample;
    await sleep(DRAIN_POLL_MS);
  }
}

/** How long before the sample the stream's head was where the mirror is now. */
export function secondsBehind(samples: readonly Sample[], { seconds, mirrored }: Sample): number {
  const index = Math.max(
    1,
    samples.findIndex(({ head }) => head >= mirrored),
  );
  const [before, after] = [samples[index - 1], samples[index]];
  if (before === undefined || after === undefined) return 0;
  const share = after.head === before.head ? 0 : (mirrored - before.head) / (after.head - before.head);
  return seconds - (before.seconds + share * (after.seconds - before.seconds));
}

async function sampleOf(server: Server, { tenantId, storeId }: StreamRef, started: number): Promise<Sample> {
  const path = `/api/v1/ves/head?tenant_id=${tenantId}&store_id=${storeId}`;
  const answer = await call<{ head_sequence: number; sealed_sequence: number; mirrored_sequence: number }>(
    server,
    "GET",
    path,
  );
  return {
    seconds: (performance.now() - started) / 1_000,
    head: answer.head_sequence,
    sealed: answer.sealed_sequence,
    mirrored: answer.mirrored_sequence,
  };
}

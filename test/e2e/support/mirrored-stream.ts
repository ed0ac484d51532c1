import { expect } from "vitest";
import { call, type Server } from "../../../scripts/lib/client.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import { logProblems, readStoredLog, receiptProblems, type StoredLog, streamFiles } from "./derive-log.ts";
import { lagProblems, type Mirror, mirrorProblems, noteProblems, readMirror, strayProblems } from "./derive-mirror.ts";
import { keysOf, type Ledger, newPusher, type Pusher, pushUntil } from "./load.ts";
import { receiptPublicKey, type ServerProcess, startServer, tempDir, waitUntil } from "./processes.ts";
import { seededRandom } from "./random.ts";

/** What GET /api/v1/ves/head says of how far a stream is. */
export interface Progress {
  readonly head_sequence: number;
  readonly sealed_sequence: number;
  readonly mirrored_sequence: number;
  readonly frozen: string | null;
}

export function progressOf(server: Server, { tenantId, storeId }: StreamRef): Promise<Progress> {
  return call(server, "GET", `/api/v1/ves/head?tenant_id=${tenantId}&store_id=${storeId}`);
}

/** A server with one stream, agents that push to it, and everything that was answered to them. */
export interface MirroredStream extends StreamRef {
  readonly server: ServerProcess;
  /** Pushes with all agents until `body` is done. Fails when a request is not answered as it must be. */
  readonly underLoad: (body: () => Promise<unknown>) => Promise<void>;
  readonly progress: () => Promise<Progress>;
  /** Waits until all that was pushed is sealed and mirrored. */
  readonly settled: (ms?: number) => Promise<void>;
  /**
   * Ends the server and derives the log again, from the object's file and from Postgres. All of it must be mirrored, and
   * each of these earlier states of the mirror a beginning of it.
   */
  readonly endAndCheck: (snapshots?: readonly Mirror[]) => Promise<StoredLog>;
  /** The object's SQLite file. */
  readonly file: () => string;
}

const PUSHERS = 2;
const PAUSE_MS = 150;
/** Smaller than a deployment's, so that a test sees many batches. */
const SEALING = { SEAL_MAX_EVENTS: "64", SEAL_MAX_AGE_MS: "200" };

/**
 * @param databaseUrl of Postgres itself
 * @param workersUrl where the server looks for it
 */
export async function startMirroredStream(
  bundle: string,
  databaseUrl: string,
  workersUrl = databaseUrl,
): Promise<MirroredStream> {
  const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
  const dataDirectory = tempDir();
  const options = { variables: SEALING, databaseUrl: workersUrl, keepErrors: true };
  const server = await startServer(bundle, dataDirectory, options);
  const ledger: Ledger = { acknowledged: new Map(), rejected: new Set() };
  const pushers: Pusher[] = [];
  for (let n = 0; n < PUSHERS; n++) pushers.push(await newPusher(server, stream, seededRandom(n)));
  const progress = (): Promise<Progress> => progressOf(server, stream);
  const file = (): string => {
    const [path = "", ...others] = streamFiles(dataDirectory);
    expect(others).toEqual([]);
    return path;
  };

  return {
    ...stream,
    server,
    progress,
    file,
    underLoad: async (body) => {
      let isOver = false;
      const pushing = Promise.all(pushers.map((pusher) => pushUntil(() => isOver, server, pusher, ledger, PAUSE_MS)));
      try {
        // A request that is not answered as it must be ends the wait at once.
        await Promise.race([body(), pushing]);
      } finally {
        isOver = true;
        await pushing;
      }
    },
    settled: (ms = 30_000) =>
      waitUntil(
        async () => {
          const { head_sequence: head, sealed_sequence: sealed, mirrored_sequence: mirrored } = await progress();
          return head > 0 && sealed === head && mirrored === head;
        },
        ms,
        "everything is mirrored",
      ),
    endAndCheck: async (snapshots = []) => {
      await server.kill();
      const log = readStoredLog(file());
      const mirror = await readMirror(databaseUrl);
      const problems = [
        ...(await logProblems(log, stream, keysOf(pushers))),
        ...(await receiptProblems(log, stream, ledger.acknowledged.values(), await receiptPublicKey())),
        ...mirrorProblems(log, stream, mirror),
        ...noteProblems(log, stream, mirror),
        ...lagProblems(log),
        ...strayProblems(mirror, [stream]),
        ...snapshots.flatMap((snapshot) => mirrorProblems(log, stream, snapshot)),
      ];
      expect(problems.slice(0, 20)).toEqual([]);
      // Every request was answered, so the log holds what was acknowledged and nothing else.
      expect(log.events).toHaveLength(ledger.acknowledged.size);
      return log;
    },
  };
}

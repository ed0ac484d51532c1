import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { uuidFromBytes } from "../../src/ves/index.ts";
import { blob } from "../../src/storage/sql-store.ts";
import {
  EMPTY_LOG,
  logProblems,
  readServedLog,
  readStoredLog,
  receiptProblems,
  type ServedEvent,
  servedProblems,
  type StoredLog,
  streamFiles,
} from "./support/derive-log.ts";
import {
  keysOf,
  type Ledger,
  newPusher,
  planLongHistory,
  type PlannedRequest,
  pushUntilKilled,
  repeatAcknowledged,
  settle,
} from "./support/load.ts";
import { bundleFile, receiptPublicKey, removeTempDirs, startServer, tempDir } from "./support/processes.ts";
import { seededRandom } from "./support/random.ts";

/** Rounds on one data directory; LONG_TESTS=1 repeats them on new ones. One round takes about 2 s. */
const ROUNDS_PER_LOG = process.env["LONG_TESTS"] === "1" ? 5 : 3;
const LOGS = process.env["LONG_TESTS"] === "1" ? 10 : 1;
const PUSHERS = 6;
/** A kill comes at most this long after the pushers start: from the first write of a stream on to its full load. */
const MAX_LOAD_MS = 600;
/** More than the entity stride, so that later rounds write skip links. */
const LONG_HISTORY = 520;

let bundle: string;

beforeAll(async () => {
  bundle = await bundleFile();
});
afterAll(removeTempDirs);

describe("kill -9 of the server under load", () => {
  test.each(Array.from({ length: LOGS }, (_, log) => log))("loses and invents nothing (log %i)", async (log) => {
    const seed = process.env["SEED"] === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(process.env["SEED"]);
    try {
      await killRepeatedly(seed + log);
    } catch (error) {
      throw new Error(`with SEED=${seed + log}: ${(error as Error).message}`, { cause: error });
    }
  });
});

async function killRepeatedly(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const dataDirectory = tempDir();
  const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
  const ledger: Ledger = { acknowledged: new Map(), rejected: new Set() };
  const sequencerKey = await receiptPublicKey();

  let server = await startServer(bundle, dataDirectory);
  try {
    const pushers = await Promise.all(
      Array.from({ length: PUSHERS }, () => newPusher(server, stream, seededRandom(random.below(2 ** 31)))),
    );
    const check = async (served: readonly ServedEvent[]): Promise<StoredLog> => {
      const log = readLogOf(dataDirectory);
      const problems = [
        ...(await logProblems(log, stream, keysOf(pushers))),
        ...(await receiptProblems(log, stream, ledger.acknowledged.values(), sequencerKey)),
        ...(await servedProblems(served, log, stream)),
        ...rejectedProblems(log, ledger),
      ];
      expect(problems.slice(0, 20)).toEqual([]);
      return log;
    };

    let unanswered = 0;
    let served: readonly ServedEvent[] = [];
    for (let round = 0; round < ROUNDS_PER_LOG; round++) {
      const pending = await killUnderLoad(random.below(MAX_LOAD_MS));
      unanswered += pending.length;
      // As the kill left it, before any recovery.
      await check(served);

      server = await startServer(bundle, dataDirectory);
      await Promise.all(pending.map((request) => settle(server, ledger, request)));
      await repeatAcknowledged(server, ledger, Array.from(ledger.acknowledged.values()).slice(-2_000));
      const [first] = pushers;
      if (round === 0 && first !== undefined) await settle(server, ledger, await planLongHistory(first, LONG_HISTORY));
      served = await readServedLog(server, stream);
      // Every request is answered by now, so the log holds what was acknowledged and nothing else.
      expect(served.map(({ event_id }) => event_id).toSorted()).toEqual([...ledger.acknowledged.keys()].toSorted());
    }
    await server.kill();
    const log = await check(served);

    // Else this test would not have tested what it says.
    expect(unanswered).toBeGreaterThan(0);
    expect(ledger.rejected.size).toBeGreaterThan(0);
    expect(log.commands.length).toBeGreaterThan(0);
    expect(log.events.some((row) => row["skip_sequence"] !== null)).toBe(true);

    async function killUnderLoad(afterMs: number): Promise<PlannedRequest[]> {
      let isKilled = false;
      const pushing = Promise.all(pushers.map((pusher) => pushUntilKilled(server, pusher, ledger, () => isKilled)));
      // A pusher that fails ends the wait at once.
      await Promise.race([sleep(afterMs), pushing]);
      isKilled = true;
      await server.kill();
      return pushing;
    }
  } finally {
    await server.kill();
  }
}

function readLogOf(dataDirectory: string): StoredLog {
  const [file, ...others] = streamFiles(dataDirectory);
  expect(others).toEqual([]);
  // Killed before the object's first write, there is no file yet.
  return file === undefined ? EMPTY_LOG : readStoredLog(file);
}

function rejectedProblems({ events }: StoredLog, { rejected }: Ledger): string[] {
  return events.flatMap((row) => {
    const id = uuidFromBytes(blob(row["event_id"]));
    return rejected.has(id) ? [`rejected event ${id} is in the log`] : [];
  });
}

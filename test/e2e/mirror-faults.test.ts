import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Mirror, readMirror } from "./support/derive-mirror.ts";
import { backoffProblems, failedAttempts, mostAttempts } from "./support/error-lines.ts";
import { type MirroredStream, startMirroredStream } from "./support/mirrored-stream.ts";
import { type OwnDatabase, ownDatabase } from "../support/own-database.ts";
import { type OwnPostgres, ownPostgres } from "./support/postgres.ts";
import { type Fault, startPostgresProxy } from "./support/postgres-proxy.ts";
import { bundleFile, removeTempDirs, waitUntil } from "./support/processes.ts";
import { mountSmallDisk, moveEventsBack, moveEventsTo } from "./support/small-disk.ts";

/*
 * Postgres fails in every way that a test can bring about, while agents push. Whatever happens there, every request is
 * answered and every batch sealed; and once Postgres works again, the object's file and Postgres hold the same log.
 */

const IS_LONG = process.env["LONG_TESTS"] === "1";
const OUTAGES = IS_LONG ? 10 : 3;
const LONG_OUTAGE_MS = IS_LONG ? 30_000 : 4_000;
/** Events sealed during an outage before it is taken for granted that sealing goes on: several batches. */
const SEALED_MEANWHILE = 128;

let bundle: string;
let postgres: OwnPostgres;

beforeAll(async () => {
  bundle = await bundleFile();
  postgres = await ownPostgres();
});
afterAll(async () => {
  await postgres.stop();
  removeTempDirs();
});

/** Runs `body` with a stream in a database of its own, which is ended whatever becomes of it. */
async function withStream(
  body: (stream: MirroredStream, database: OwnDatabase) => Promise<void>,
  start: (databaseUrl: string) => Promise<MirroredStream> = (url) => startMirroredStream(bundle, url),
): Promise<void> {
  const database = await ownDatabase(postgres.url);
  const stream = await start(database.url);
  try {
    await body(stream, database);
  } finally {
    await stream.server.kill();
  }
}

/** Waits until several batches more are sealed, while nothing is mirrored. */
async function sealsWithoutMirror(stream: MirroredStream): Promise<void> {
  const before = await stream.progress();
  await waitUntil(
    async () => (await stream.progress()).sealed_sequence >= before.sealed_sequence + SEALED_MEANWHILE,
    10_000,
    "batches are sealed while Postgres is away",
  );
  const after = await stream.progress();
  expect(after).toMatchObject({ mirrored_sequence: before.mirrored_sequence, frozen: null });
  expect(after.mirrored_sequence).toBeLessThan(after.sealed_sequence);
}

async function mirrorsBeyond(stream: MirroredStream, sequence: number): Promise<void> {
  const goesOn = async (): Promise<boolean> => (await stream.progress()).mirrored_sequence > sequence;
  await waitUntil(goesOn, 30_000, `more than ${sequence} events are mirrored`);
}

describe("Postgres is killed", () => {
  test("again and again under load: all is accepted and sealed meanwhile, and mirrored in order afterwards", async () => {
    await withStream(async (stream, database) => {
      const snapshots: Mirror[] = [];
      await stream.underLoad(async () => {
        let mirrored = 0;
        for (let outage = 0; outage < OUTAGES; outage++) {
          // From the second on, this is in the middle of its catching up with the one before.
          await mirrorsBeyond(stream, mirrored);
          await postgres.kill();
          await sealsWithoutMirror(stream);
          mirrored = (await stream.progress()).mirrored_sequence;
          await postgres.restart();
          snapshots.push(await readMirror(database.url));
        }
        await mirrorsBeyond(stream, mirrored);
        snapshots.push(await readMirror(database.url));
      });
      await stream.settled();
      await stream.endAndCheck(snapshots);
      const attempts = failedAttempts(stream.server.errors());
      expect(backoffProblems(attempts)).toEqual([]);
      // Each outage is the first failure after what was mirrored before it.
      expect(attempts.filter(({ attempt }) => attempt === 1)).toHaveLength(OUTAGES);
    });
  });

  test("before a stream begins: it begins and is sealed all the same, and its mirror follows", async () => {
    await withStream(
      async (stream) => {
        const downSince = Date.now();
        await stream.underLoad(async () => {
          await sealsWithoutMirror(stream);
          await sleep(downSince + LONG_OUTAGE_MS - Date.now());
          const attempts = failedAttempts(stream.server.errors());
          expect(backoffProblems(attempts)).toEqual([]);
          expect(attempts.length).toBeGreaterThan(1);
          expect(attempts.length).toBeLessThanOrEqual(Math.min(10, mostAttempts(Date.now() - downSince)));
          expect((await stream.progress()).mirrored_sequence).toBe(0);
          await postgres.restart();
        });
        await stream.settled(2 * LONG_OUTAGE_MS + 10_000);
        const log = await stream.endAndCheck();
        expect(log.batches.length).toBeGreaterThan(SEALED_MEANWHILE / 64);
      },
      async (databaseUrl) => {
        await postgres.kill();
        return startMirroredStream(bundle, databaseUrl);
      },
    );
  });
});

describe("the connection to Postgres breaks", () => {
  /** Where, and the reasons of the attempts that fail by it. */
  const FAULTS: readonly (readonly [Fault, readonly RegExp[]])[] = [
    ["rows cut", [/terminated/]],
    ["commit lost", [/terminated/]],
    // The batch is found there, and not written again.
    ["answer lost", [/terminated/]],
    // The batch is being written again when the commit takes effect: that second copy is refused, and the first one found.
    ["commit late", [/terminated/]],
    ["answer late", []],
  ];

  test("at every moment of the statement that writes a batch: each batch is there once", async () => {
    const database = await ownDatabase(postgres.url);
    const proxy = await startPostgresProxy(database.url);
    const stream = await startMirroredStream(bundle, database.url, proxy.url);
    try {
      const snapshots: Mirror[] = [];
      await stream.underLoad(async () => {
        let mirrored = 0;
        for (const [fault, reasons] of FAULTS) {
          await mirrorsBeyond(stream, mirrored);
          const before = stream.server.errors().length;
          await proxy.strike(fault);
          mirrored = (await stream.progress()).mirrored_sequence;
          await mirrorsBeyond(stream, mirrored);
          const attempts = failedAttempts(stream.server.errors().slice(before));
          const expected = reasons.map((reason): unknown => expect.stringMatching(reason));
          expect(
            attempts.map(({ line }) => line),
            fault,
          ).toEqual(expected);
          snapshots.push(await readMirror(database.url));
        }
      });
      await stream.settled();
      await stream.endAndCheck(snapshots);
    } finally {
      await stream.server.kill();
      await proxy.close();
    }
  });
});

describe("Postgres's disk is full", () => {
  test("the stream goes on, and catches up when there is room again", async ({ skip }) => {
    const disk = mountSmallDisk();
    if (disk === null) {
      skip("only root may mount the small disk that this fills");
      return;
    }
    try {
      await withStream(async (stream, database) => {
        await moveEventsTo(disk, database);
        await stream.underLoad(async () => {
          await mirrorsBeyond(stream, 64);
          disk.fill();
          await waitUntil(() => stream.server.errors().includes("No space left"), 10_000, "the disk is full");
          await sealsWithoutMirror(stream);
          disk.free();
        });
        await stream.settled();
        await stream.endAndCheck();
        const attempts = failedAttempts(stream.server.errors());
        expect(backoffProblems(attempts)).toEqual([]);
        for (const { line } of attempts) expect(line).toMatch(/could not extend file .*: No space left on device"/);
        await moveEventsBack(database);
      });
    } finally {
      disk.unmount();
    }
  });
});

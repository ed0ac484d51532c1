import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { nodeStore } from "../support/node-store.ts";
import { batchProblems } from "./support/derive-batches.ts";
import { readStoredLog, type StoredLog } from "./support/derive-log.ts";
import {
  lagProblems,
  mirrorColumns,
  mirrorProblems,
  noteProblems,
  readMirror,
  strayProblems,
} from "./support/derive-mirror.ts";
import { backoffProblems, failedAttempts, mostAttempts } from "./support/error-lines.ts";
import { type MirroredStream, startMirroredStream } from "./support/mirrored-stream.ts";
import { type OwnDatabase, ownDatabase } from "../support/own-database.ts";
import { bundleFile, removeTempDirs, tempDir, waitUntil } from "./support/processes.ts";

/*
 * The control of the fault tests: what they check sealed batches and their copies in Postgres with must find each of these
 * alterations, and nothing in what the server wrote.
 */

let database: OwnDatabase;
let stream: MirroredStream;
let file: string;
let intact: StoredLog;

beforeAll(async () => {
  database = await ownDatabase(inject("postgresUrl"));
  stream = await startMirroredStream(await bundleFile(), database.url);
  try {
    await stream.underLoad(() =>
      waitUntil(async () => (await stream.progress()).mirrored_sequence > 200, 20_000, "some batches are mirrored"),
    );
    await stream.settled();
    intact = await stream.endAndCheck();
    file = stream.file();
  } finally {
    await stream.server.kill();
  }
});
afterAll(async () => {
  removeTempDirs();
  await database.drop();
});

/** The log with its batches altered by hand, in a copy. */
function alteredLog(alteration: string): StoredLog {
  const altered = join(tempDir(), "altered.sqlite");
  copyFileSync(file, altered);
  copyFileSync(`${file}-wal`, `${altered}-wal`);
  const store = nodeStore(altered);
  store.exec(`DROP TRIGGER batches_are_never_changed; DROP TRIGGER batches_are_never_deleted;
    PRAGMA ignore_check_constraints = 1; ${alteration}`);
  store.close();
  return readStoredLog(altered);
}

/** The second batch begins here. */
const SECOND = "(SELECT MIN(sequence_start) FROM batches WHERE sequence_start > 1)";
const LAST = "(SELECT MAX(sequence_start) FROM batches)";

describe("batches altered by hand in an object's file are found out", () => {
  test("the control of the control: nothing is wrong with them as written", () => {
    expect(batchProblems(intact, stream)).toEqual([]);
    expect(batchProblems(alteredLog("SELECT 1"), stream)).toEqual([]);
    expect(lagProblems(intact)).toEqual([]);
    expect(intact.batches.length).toBeGreaterThan(3);
  });

  test.each([
    ["one deleted", `DELETE FROM batches WHERE sequence_start = ${SECOND}`, /stands where one from \d+ should/],
    [
      "one longer than the log",
      `UPDATE batches SET sequence_end = sequence_end + 1 WHERE sequence_start = ${LAST}`,
      /: the log has \d+ events$/,
    ],
    [
      "two that overlap",
      `UPDATE batches SET sequence_end = sequence_end + 1 WHERE sequence_start = 1`,
      /stands where one from \d+ should/,
    ],
    [
      "a Merkle root changed",
      `UPDATE batches SET merkle_root = zeroblob(32) WHERE sequence_start = ${SECOND}`,
      /its merkle_root does not follow/,
    ],
    [
      "a chain cut",
      `UPDATE batches SET prev_state_root = zeroblob(32) WHERE sequence_start = ${SECOND}`,
      /its prev_state_root does not follow/,
    ],
    [
      "a state root changed",
      `UPDATE batches SET new_state_root = zeroblob(32) WHERE sequence_start = ${LAST}`,
      /its new_state_root does not follow/,
    ],
    [
      "a leaf changed",
      `UPDATE batches SET tree = CAST(zeroblob(32) || substr(tree, 33) AS BLOB) WHERE sequence_start = 1`,
      /its tree does not follow/,
    ],
    [
      "another tree's nodes",
      `UPDATE batches SET tree = (SELECT tree FROM batches WHERE sequence_start = 1) WHERE sequence_start = ${SECOND}`,
      /its tree does not follow/,
    ],
    [
      "a tree cut short",
      "UPDATE batches SET tree = substr(tree, 1, length(tree) - 32) WHERE sequence_start = 1",
      /its tree does not follow/,
    ],
    [
      "an id given twice",
      `CREATE TABLE copy AS SELECT * FROM batches; DROP TABLE batches; ALTER TABLE copy RENAME TO batches;
       UPDATE batches SET batch_id = zeroblob(16)`,
      /its id occurs twice/,
    ],
    [
      "a note of half a batch",
      "UPDATE mirror_state SET mirrored_sequence = 1",
      /^mirror_state: no batch ends at its 1$/,
    ],
    ["a frozen stream", "UPDATE mirror_state SET frozen_reason = 'x'", /^the stream is frozen: "x"$/],
    ["a note that is gone", "DELETE FROM mirror_state", /^mirror_state has 0 rows$/],
  ])("%s", (_, alteration, problem) => {
    expect(batchProblems(alteredLog(alteration), stream)).toContainEqual(expect.stringMatching(problem));
  });

  test("what is not sealed or not mirrored is lag", () => {
    expect(lagProblems(alteredLog(`DELETE FROM batches WHERE sequence_start = ${LAST}`))).toEqual([
      expect.stringMatching(/^\d+ events are not sealed$/),
    ]);
    expect(lagProblems(alteredLog("UPDATE mirror_state SET mirrored_sequence = 0"))).toEqual([
      expect.stringMatching(/^\d+ events are not mirrored$/),
    ]);
  });
});

describe("a mirror altered by hand is found out", () => {
  /** As a broken disk would alter it: Postgres's own record of alterations is not asked. */
  async function problemsAfter(alteration: string): Promise<string[]> {
    const mirror = await readMirror(database.url, `SET LOCAL session_replication_role = replica; ${alteration}`);
    return [
      ...mirrorProblems(intact, stream, mirror),
      ...noteProblems(intact, stream, mirror),
      ...strayProblems(mirror, [stream]),
    ];
  }

  test("the control of the control: nothing is wrong with it as written", async () => {
    expect(await problemsAfter("")).toEqual([]);
  });

  test("a mirror that ends after an earlier batch is a beginning of the log, but not what the object's note says", async () => {
    const { sequence_start: start } = intact.batches.at(-1) ?? {};
    const cut = `DELETE FROM ves_events WHERE sequence_number >= ${Number(start)};
      DELETE FROM ves_commitments WHERE sequence_start >= ${Number(start)}`;
    expect(await problemsAfter(cut)).toEqual([expect.stringMatching(/^the object says that \d+ events are mirrored/)]);
  });

  /** One value other than any of the column's, by its type in Postgres. */
  const OTHER: Readonly<Record<string, string>> = {
    uuid: "gen_random_uuid()",
    bigint: "999999999",
    integer: "99999",
    smallint: "1",
    text: "'other'",
    bytea: String.raw`'\x00'`,
    "timestamp with time zone": "'2000-01-01T00:00:00Z'",
  };

  const CHECKS = ["leaf_count", "merkle_root", "prev_state_root", "new_state_root"];
  const WITHOUT_CHECKS = [
    ...CHECKS.map((name) => `ALTER TABLE ves_commitments DROP CONSTRAINT ves_commitments_${name}`),
    "ALTER TABLE ves_events DROP CONSTRAINT ves_events_payload",
  ].join(";");

  test("each column of each table is compared", async () => {
    const columns = await mirrorColumns(database.url);
    const compared = columns.filter(({ column }) => !["tenant_id", "store_id", "mirrored_at"].includes(column));
    expect(compared.length).toBeGreaterThan(30);
    for (const { table, column, type } of compared) {
      const key = table === "ves_events" ? "sequence_number" : "sequence_start";
      const change = `UPDATE ${table} SET ${column} = ${OTHER[type]} WHERE ${key} = 1`;
      expect(await problemsAfter(`${WITHOUT_CHECKS}; ${change}`)).not.toEqual([]);
    }
  });

  test.each([
    ["an event missing", "DELETE FROM ves_events WHERE sequence_number = 10", /^ves_events: /],
    [
      "an event of a batch that is not there",
      "DELETE FROM ves_commitments WHERE sequence_start > 1",
      /^ves_events: has \d+ rows more than the log$/,
    ],
    [
      "a commitment without its events",
      "DELETE FROM ves_events WHERE sequence_number > 64",
      /^ves_events: lacks row 65$/,
    ],
    [
      "a commitment that is not in the log",
      `INSERT INTO ves_commitments SELECT tenant_id, store_id, 1000001, 1000000 + leaf_count, gen_random_uuid(), ves_version,
         leaf_count, merkle_root, prev_state_root, new_state_root, committed_at FROM ves_commitments WHERE sequence_start = 1`,
      /^ves_commitments: has 1 rows more than the log$/,
    ],
    [
      "another stream's row",
      "UPDATE ves_commitments SET store_id = gen_random_uuid() WHERE sequence_start = 1",
      /^a row of a stream that was not written to: /,
    ],
    [
      "a frozen stream",
      "INSERT INTO ves_frozen_streams SELECT tenant_id, store_id, 'x' FROM ves_commitments WHERE sequence_start = 1",
      /^ves_frozen_streams: /,
    ],
    [
      "what Postgres saw being altered",
      "SET LOCAL session_replication_role = origin; DELETE FROM ves_commitments WHERE sequence_start = 1",
      /^ves_alterations: /,
    ],
  ])("%s", async (_, alteration, problem) => {
    expect(await problemsAfter(alteration)).toContainEqual(expect.stringMatching(problem));
  });
});

describe("what a server must not say is found out", () => {
  const line = (attempt: number, wait: number): string =>
    `${JSON.stringify({ message: "mirroring the stream failed", attempt, retry_ms: wait, error: "Error: x" })}\n`;

  test("a stack, or anything else than the sentences known", () => {
    expect(failedAttempts(line(1, 700))).toHaveLength(1);
    expect(() => failedAttempts(`${line(1, 700)}    at mirrorNextBatch (index.js:1:1)\n`)).toThrow(/must not say/);
  });

  test("attempts that follow too soon, or out of turn", () => {
    const problems = (...lines: string[]): string[] => backoffProblems(failedAttempts(lines.join("")));
    expect(problems(line(1, 500), line(2, 2_000), line(1, 1_000))).toEqual([]);
    expect(problems(line(1, 499))).toHaveLength(1);
    expect(problems(line(1, 700), line(2, 700))).toHaveLength(1);
    expect(problems(line(1, 700), line(3, 3_000))).toHaveLength(1);
    expect([0, 499, 500, 1_500, 30_000].map(mostAttempts)).toEqual([1, 1, 2, 3, 6]);
  });
});

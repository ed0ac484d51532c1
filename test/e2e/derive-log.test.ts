import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeStore } from "../support/node-store.ts";
import {
  logProblems,
  readServedLog,
  readStoredLog,
  receiptProblems,
  type ServedEvent,
  servedProblems,
  streamFiles,
} from "./support/derive-log.ts";
import { keysOf, type Ledger, newPusher, planLongHistory, planRequest, type Pusher, settle } from "./support/load.ts";
import { bundleFile, receiptPublicKey, removeTempDirs, startServer, tempDir } from "./support/processes.ts";
import { seededRandom } from "./support/random.ts";

/*
 * The control of the fault tests: what they check a log with must find each of these alterations, and nothing in the log
 * as the server wrote it.
 */

const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
const ledger: Ledger = { acknowledged: new Map(), rejected: new Set() };
let pusher: Pusher;
let served: readonly ServedEvent[];
let file: string;

beforeAll(async () => {
  const dataDirectory = tempDir();
  const server = await startServer(await bundleFile(), dataDirectory);
  try {
    pusher = await newPusher(server, stream, seededRandom(1));
    await settle(server, ledger, await planLongHistory(pusher, 520));
    for (let n = 0; n < 4; n++) await settle(server, ledger, await planRequest(pusher));
    served = await readServedLog(server, stream);
  } finally {
    await server.kill();
  }
  [file = ""] = streamFiles(dataDirectory);
});
afterAll(removeTempDirs);

async function problemsAfter(alteration: string): Promise<string[]> {
  const altered = join(tempDir(), "altered.sqlite");
  copyFileSync(file, altered);
  copyFileSync(`${file}-wal`, `${altered}-wal`);
  const store = nodeStore(altered);
  store.exec("DROP TRIGGER events_are_never_changed; DROP TRIGGER events_are_never_deleted;");
  if (alteration !== "") store.exec(alteration);
  store.close();
  const log = readStoredLog(altered);
  return [
    ...(await logProblems(log, stream, keysOf([pusher]))),
    ...(await receiptProblems(log, stream, ledger.acknowledged.values(), await receiptPublicKey())),
    ...(await servedProblems(served, log, stream)),
  ];
}

/** The second of two neighbours that, exchanged, still have a gap-free log. */
const SWAP = `UPDATE events SET sequence_number = -1 WHERE sequence_number = 10;
  UPDATE events SET sequence_number = 10 WHERE sequence_number = 11;
  UPDATE events SET sequence_number = 11 WHERE sequence_number = -1`;
const LAST = "(SELECT MAX(sequence_number) FROM events)";
const WITH_COMMAND = "(SELECT MIN(sequence_number) FROM events WHERE command_id IS NOT NULL)";

describe("a log altered by hand is found out", () => {
  test("the control of the control: nothing is wrong with the log as written", async () => {
    expect(await problemsAfter("")).toEqual([]);
    expect(ledger.acknowledged.size).toBeGreaterThan(520);
  });

  test.each([
    ["a row in the middle deleted", "DELETE FROM events WHERE sequence_number = 10", /^gap: number 11 stands where 10/],
    ["the last row deleted", `DELETE FROM events WHERE sequence_number = ${LAST}`, /the log ends before its number/],
    [
      "two rows exchanged, by their receipts",
      `PRAGMA ignore_check_constraints = 1; ${SWAP}`,
      /another event is at its number 10$/,
    ],
    [
      "two rows exchanged, by what was served",
      `PRAGMA ignore_check_constraints = 1; ${SWAP}`,
      /^served event 10: differs/,
    ],
    [
      "a payload changed",
      `UPDATE events SET payload = '{"n":-1}' WHERE sequence_number = 10`,
      /^number 10: payload_plain_hash/,
    ],
    [
      "a payload changed, by what was pushed",
      `UPDATE events SET payload = '{"n":-1}' WHERE sequence_number = 10`,
      /is stored altered$/,
    ],
    [
      "a member changed",
      "UPDATE events SET event_type = 'other' WHERE sequence_number = 10",
      /^number 10: its signing hash/,
    ],
    [
      "a signature changed",
      "UPDATE events SET agent_signature = zeroblob(64) WHERE sequence_number = 10",
      /^number 10: .*signature/,
    ],
    [
      "an event id given twice",
      "CREATE TABLE copy AS SELECT * FROM events; DROP TABLE events; ALTER TABLE copy RENAME TO events;" +
        "UPDATE events SET event_id = (SELECT event_id FROM events WHERE sequence_number = 9) WHERE sequence_number = 10",
      /^number 10: its event id occurs twice/,
    ],
    ["a time changed", "UPDATE events SET sequenced_at = 0 WHERE sequence_number = 10", /has another time$/],
    [
      "an entity's version changed",
      "UPDATE events SET entity_version = 1 WHERE sequence_number = 10",
      /^number 10: entity_version is 1, not 10/,
    ],
    [
      "a chain cut",
      "UPDATE events SET previous_sequence = NULL WHERE sequence_number = 10",
      /^number 10: previous_sequence is null, not 9/,
    ],
    [
      "a long step cut",
      "UPDATE events SET skip_sequence = NULL WHERE sequence_number = 513",
      /^number 513: skip_sequence is null, not 512/,
    ],
    ["an entity's row lost", "DELETE FROM entities WHERE entity_type = 'shared'", /^entities: lacks \["shared","0",/],
    [
      "an entity's row behind",
      "UPDATE entities SET version = version - 1 WHERE entity_id = '0'",
      /^entities: has \["shared","0",/,
    ],
    [
      "an entity's long step lost",
      "UPDATE entities SET skip_sequence = NULL",
      /^entities: lacks \["shared","0",.*,512\]/,
    ],
    ["a command lost", `DELETE FROM commands WHERE sequence_number = ${WITH_COMMAND}`, /^commands: lacks /],
    [
      "a command out of nowhere",
      "INSERT INTO commands VALUES (zeroblob(16), 1)",
      /^commands: has .*, which follows from no event/,
    ],
    [
      "an event accepted for another version",
      `UPDATE events SET base_version = 7 WHERE sequence_number = 1`,
      /^number 1: accepted for version 7/,
    ],
  ])("%s", async (_, alteration, problem) => {
    expect(await problemsAfter(alteration)).toContainEqual(expect.stringMatching(problem));
  });

  test("a receipt of another number is found out", async () => {
    const [first] = ledger.acknowledged.values();
    if (first === undefined) throw new Error("nothing was acknowledged");
    const log = readStoredLog(file);
    const key = await receiptPublicKey();
    const check = (receipt: Partial<typeof first.receipt>): Promise<string[]> =>
      receiptProblems(log, stream, [{ ...first, receipt: { ...first.receipt, ...receipt } }], key);
    expect(await check({})).toEqual([]);
    expect(await check({ sequenceNumber: 2 })).toEqual([expect.stringContaining("another event is at its number 2")]);
    expect(await check({ sequencerSignature: "0".repeat(128) })).toEqual([expect.stringContaining("does not verify")]);
  });
});

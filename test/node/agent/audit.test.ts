import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditStore, MAX_PROBLEMS } from "../../../agent/src/audit.ts";
import { openSqliteStore } from "../../../agent/src/store/sqlite.ts";
import type { StreamRef } from "../../../agent/src/store/store.ts";
import { keysOfHex, pinnedSequencerKeys } from "../../../agent/src/trust.ts";
import { envelopeSchema, toWireEnvelope } from "../../../src/ves/index.ts";
import { orderEvent, pushSome, testStream } from "../../support/agents.ts";
import { uncoveredOf } from "../../support/encrypted-event.ts";

const directory = mkdtempSync(join(tmpdir(), "agent-audit-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const path = join(directory, "agent.db");
let stream: StreamRef;
let stateRoot: string | undefined;

beforeAll(async () => {
  const { model, agent: newAgent } = await testStream();
  const { agent, identity } = await newAgent({ store: openSqliteStore(path) });
  stream = identity;
  await Promise.all(Array.from({ length: 1_100 }, () => agent.record(orderEvent())));
  await agent.push();
  for (const count of [10, 20, 1_000]) model.seal(count);
  await agent.pull();
  stateRoot = model.batches.at(-1)?.new_state_root;
  await agent.close();
});

/** Audits the store after a change, and takes the change back. */
async function audit(change = "", revert = "") {
  const db = new DatabaseSync(path);
  db.exec(change);
  db.close();
  const store = openSqliteStore(path);
  let looked = 0;
  try {
    const sequencerKeys = keysOfHex(pinnedSequencerKeys(store, stream));
    const found = await auditStore(store, stream, { sequencerKeys, onProgress: (events) => (looked += events) });
    return { ...found, looked };
  } finally {
    store.close();
    const again = new DatabaseSync(path);
    again.exec(revert);
    again.close();
  }
}

describe("an audit of the store", () => {
  test("derives all of it again", async () => {
    expect(await audit()).toEqual({
      events: 1_100,
      receipts: 1_100,
      batches: 3,
      sealedSequence: 1_030,
      stateRoot,
      problems: [],
      looked: 2_200,
    });
  });

  test.each([
    ["an envelope", "pulled_events", "envelope", "json_set(envelope, '$.entity_id', 'x')", /Event 7 .* not the one/],
    ["a payload", "pulled_events", "envelope", "json_set(envelope, '$.payload', 'x')", /Event 7 .* payload_plain_hash/],
    ["a text that is no JSON", "pulled_events", "envelope", "'{'", /Event 7 .* is malformed/],
    ["an entity", "pulled_events", "entity_id", "'x'", /Event 7 .* not the one that was checked/],
    ["a leaf", "pulled_events", "leaf_hash", "zeroblob(32)", /Event 7 /],
    ["a number", "pulled_events", "sequence_number", "sequence_number + 9000", /Event 8 .* where 7/],
    ["a root", "verified_batches", "merkle_root", "zeroblob(32)", /The batch 1 to 10 is sealed over other events/],
    ["a state root", "verified_batches", "new_state_root", "zeroblob(32)", /The batch 1 to 10 has another state root/],
    ["a receipt", "outbox", "receipt", "json_set(receipt, '$.sequenceNumber', 8)", /The receipt of event .* number/],
    ["the event of a receipt's number", "pulled_events", "event_id", "'x'", /Event 7 .* not the one/],
    ["a receipt that is gone", "outbox", "receipt", "NULL", /The receipt of event .* is missing/],
    ["what was signed", "outbox", "signing_hash", "zeroblob(32)", /The receipt of event .* is not for this event/],
  ])("finds %s that was changed", async (_what, table, column, changed, message) => {
    const where = { pulled_events: "sequence_number = 7", verified_batches: "sequence_start = 1", outbox: "id = 7" };
    const [row] = [where[table as keyof typeof where]];
    const keep = `CREATE TABLE kept AS SELECT rowid AS place, * FROM ${table} WHERE ${row}`;
    const plain = `CREATE TABLE kept AS SELECT * FROM ${table} WHERE ${row}`;
    const change = `${table === "verified_batches" ? plain : keep};
      UPDATE ${table} SET ${column} = ${changed} WHERE ${row}`;
    const isHere = table === "verified_batches" ? row : "rowid = (SELECT place FROM kept)";
    const revert = `UPDATE ${table} SET ${column} = (SELECT ${column} FROM kept) WHERE ${isHere}; DROP TABLE kept`;
    const { problems } = await audit(change, revert);
    expect(problems[0]).toMatch(message);
  });

  test("finds an event where a receipt says that another stands", async () => {
    const change = "UPDATE outbox SET event_id = 'other' WHERE id = 7";
    const back = "UPDATE outbox SET event_id = json_extract(envelope, '$.event_id') WHERE id = 7";
    const message = /^The receipt of event other says 7, where the log that was pulled has event [0-9a-f-]{36}$/;
    expect((await audit(change, back)).problems).toContainEqual(expect.stringMatching(message));
  });

  test("finds what is missing, and stops where all is wrong", async () => {
    const cut =
      "CREATE TABLE kept AS SELECT * FROM pulled_events WHERE sequence_number > 1090; DELETE FROM pulled_events WHERE sequence_number > 1090";
    const back = "INSERT INTO pulled_events SELECT * FROM kept; DROP TABLE kept";
    expect((await audit(cut, back)).problems).toEqual(["The copy of the log ends at 1090, and was pulled up to 1100"]);
    const all =
      "CREATE TABLE kept AS SELECT id AS place, leaf_hash AS hash FROM pulled_events; UPDATE pulled_events SET leaf_hash = zeroblob(32)";
    const undo = "UPDATE pulled_events SET leaf_hash = (SELECT hash FROM kept WHERE place = id); DROP TABLE kept";
    expect((await audit(all, undo)).problems).toHaveLength(MAX_PROBLEMS);
    expect((await audit()).problems).toEqual([]);
  });

  test("finds a payload that no hash covers", async () => {
    const { model, agent: newAgent } = await testStream();
    const file = join(directory, "uncovered.db");
    const store = openSqliteStore(file);
    const { agent, identity } = await newAgent({ store });
    const writer = await newAgent();
    await pushSome(writer, 1);
    const envelope = envelopeSchema.parse(model.log[0]);
    Object.assign(model.log[0] ?? {}, toWireEnvelope(await uncoveredOf(envelope, writer.key)));
    await agent.pull();
    const db = new DatabaseSync(file);
    db.exec("UPDATE pulled_events SET quarantine = NULL");
    db.close();
    const { problems } = await auditStore(store, identity, { sequencerKeys: new Map() });
    expect(problems).toEqual([
      expect.stringMatching(/^Event 1 of the copy of the log payload_encrypted: must be absent/),
    ]);
    await agent.close();
  });
});

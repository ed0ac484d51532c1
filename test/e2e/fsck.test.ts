import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { registerKey } from "../../scripts/lib/client.ts";
import { freePort } from "../../scripts/lib/ports.ts";
import { newSigner } from "../../scripts/lib/signer.ts";
import { admin, type Outcome, sealAndMirror, serverOptions, streamOptions } from "./support/admin.ts";
import { pushMixed } from "./support/mixed-events.ts";
import { type OwnDatabase, ownDatabase } from "../support/own-database.ts";
import {
  bundleFile,
  PAYLOAD_KEY,
  removeTempDirs,
  type ServerProcess,
  startServer,
  tempDir,
} from "./support/processes.ts";

const EVENTS = 60;
const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
const other = { tenantId: stream.tenantId, storeId: crypto.randomUUID() };
/** Rows of the stream under test. */
const OF_STREAM = `tenant_id = '${stream.tenantId}' AND store_id = '${stream.storeId}'`;

let database: OwnDatabase;
let server: ServerProcess;

beforeAll(async () => {
  database = await ownDatabase(inject("postgresUrl"));
  // Nothing seals by itself, so that the tests know the batches.
  const variables = { SEAL_MAX_AGE_MS: "3600000" };
  server = await startServer(await bundleFile(), tempDir(), { databaseUrl: database.url, variables });
  const signer = await newSigner(stream.tenantId, stream.storeId);
  await registerKey(server, signer);
  for (let batch = 0; batch < 3; batch++) {
    await pushMixed(server, signer, EVENTS / 3);
    await sealAndMirror(server, stream);
  }
  await pushMixed(server, signer, 5);
  await pushMixed(server, { ...signer, storeId: other.storeId }, 7);
  await sealAndMirror(server, other);
});

afterAll(async () => {
  await server.kill();
  await database.drop();
  removeTempDirs();
});

interface Report {
  readonly ok: boolean;
  readonly totals: Readonly<Record<string, number>>;
  readonly streams: readonly {
    readonly tenant_id: string;
    readonly store_id: string;
    readonly differences: number;
    readonly checks: readonly {
      readonly check: string;
      readonly source: string;
      readonly checked: number;
      readonly differences: number;
      readonly first: readonly { readonly sequence_number: number | null; readonly member: string | null }[];
    }[];
    readonly events: number;
    readonly warnings: readonly string[];
  }[];
}

const both = (): string[] => [...serverOptions(server), "--database-url", database.url];
const KEYS = { PAYLOAD_ENCRYPTION_KEY: PAYLOAD_KEY };
const fsck = (...args: string[]): Promise<Outcome> => admin(["fsck", ...args], KEYS);

/** Runs with `--json`; nothing but the document may be printed. */
async function fsckJson(code: number, ...args: string[]): Promise<Report> {
  const outcome = await fsck(...args, "--json");
  expect(outcome).toMatchObject({ code, err: "" });
  return JSON.parse(outcome.out) as Report;
}

/** Each difference of the stream under test as `source check #number member`. */
function found(report: Report): string[] {
  const { checks } = report.streams.find(({ store_id }) => store_id === stream.storeId) ?? { checks: [] };
  return checks.flatMap(({ source, check, first }) =>
    first.map(({ sequence_number, member }) => [source, check, `#${sequence_number}`, member ?? ""].join(" ").trim()),
  );
}

describe("where all is as it should be", () => {
  test("exit code 0, with a table of each stream and a closing line", async () => {
    const { code, out, err } = await fsck(...both());
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/\n2 streams, 72 events, 4 batches: no differences\n$/);
    expect(out).toContain(`Tenant ${stream.tenantId}, store ${stream.storeId}\n`);
    expect(out).toContain("  Log: 65 events, 60 of them sealed\n  Database: 60 events\n");
    expect(out).toMatch(/\n {2}signatures +✔ 65 +✔ 60\n/);
    expect(out).toMatch(/\n {2}receipts +✔ 65 +–\n/);
    expect(out).toMatch(/\n {2}mirror +– +✔ 64\n/);
    expect(out).not.toContain("!");
  });

  test("in one document", async () => {
    const report = await fsckJson(0, ...both());
    expect(report).toMatchObject({
      ok: true,
      totals: { streams: 2, events: 72, batches: 4, differences: 0, warnings: 0 },
    });
    expect(report.streams.map(({ store_id }) => store_id).toSorted()).toEqual(
      [stream.storeId, other.storeId].toSorted(),
    );
  });

  test("the server alone, which knows no list of streams", async () => {
    const report = await fsckJson(0, ...serverOptions(server), ...streamOptions(stream));
    expect(report.totals).toMatchObject({ streams: 1, events: 65, batches: 3 });
    const receipts = report.streams[0]?.checks.find(({ check }) => check === "receipts");
    expect(receipts).toMatchObject({ source: "log", checked: 65 });
  });

  test("without receipts", async () => {
    const report = await fsckJson(0, ...serverOptions(server), ...streamOptions(stream), "--receipts", "none");
    expect(report.streams[0]?.checks.find(({ check }) => check === "receipts")).toMatchObject({ checked: 0 });
  });

  test("the database alone, from the environment", async () => {
    const outcome = await admin(["fsck"], { DATABASE_URL: database.url, ...KEYS });
    expect(outcome).toMatchObject({ code: 0, err: "" });
    expect(outcome.out).toMatch(/\n2 streams, 67 events, 4 batches: no differences\n$/);
  });

  test("the database alone and without a key: all but the content of payloads is checked", async () => {
    const outcome = await admin(["fsck", "--json"], { DATABASE_URL: database.url });
    expect(outcome).toMatchObject({ code: 0, err: "" });
    const { ok, totals, streams } = JSON.parse(outcome.out) as Report;
    expect({ ok, ...totals }).toMatchObject({ ok: true, events: 67, differences: 0, warnings: 2 });
    for (const { checks, warnings, events } of streams) {
      const checked = (name: string): number | undefined => checks.find(({ check }) => check === name)?.checked;
      expect([checked("payload_hashes"), checked("signatures")]).toEqual([0, events]);
      expect(warnings).toEqual([
        expect.stringMatching(/^The content of \d+ payloads in the database was not checked: /),
      ]);
    }
  });

  test("a key that is given wrong is refused, and not repeated", async () => {
    const outcome = await fsck(...both(), "--encryption-key", "abcd");
    expect(outcome).toMatchObject({ code: 2, out: "" });
    expect(outcome.err).toMatch(/^--encryption-key: expected 32 bytes/);
    expect(outcome.err).not.toContain("abcd");
  });

  test("a stream that nobody has written to", async () => {
    const nobody = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
    const { out, code } = await fsck(...both(), ...streamOptions(nobody));
    expect(code).toBe(0);
    expect(out).toMatch(/\n1 stream, 0 events, 0 batches: no differences\n$/);
  });
});

describe("what somebody changes in the database is found", () => {
  /** Each with the statement that takes it back. The traces that triggers leave are removed with it. */
  const changes: [string, string, string, string[]][] = [
    [
      "a payload",
      `UPDATE ves_events SET payload = '{"n":1000}', payload_encrypted = NULL WHERE ${OF_STREAM} AND sequence_number = 33`,
      "",
      ["database payload_hashes #33", "database mirror #33 payload", "database alterations #33 ves_events"],
    ],
    [
      "an encrypted payload",
      `UPDATE ves_events SET payload_encrypted = set_byte(payload_encrypted, 30, 1 - get_byte(payload_encrypted, 30) % 2)
        WHERE ${OF_STREAM} AND sequence_number = 33`,
      "",
      // Whoever changes nothing but ciphertext leaves no trace; the hash finds it.
      ["database payload_hashes #33"],
    ],
    [
      "a time",
      `UPDATE ves_events SET sequenced_at = sequenced_at + interval '1 ms' WHERE ${OF_STREAM} AND sequence_number = 33`,
      "",
      ["database mirror #33 sequenced_at", "database alterations #33 ves_events"],
    ],
    [
      "the version of a receipt's key",
      `UPDATE ves_events SET receipt_key_version = 2 WHERE ${OF_STREAM} AND sequence_number = 33`,
      "",
      ["database mirror #33 receipt_key_version", "database alterations #33 ves_events"],
    ],
    [
      "an entity's version",
      `UPDATE ves_events SET entity_version = 99 WHERE ${OF_STREAM} AND sequence_number = 33`,
      "",
      [
        "database entity_versions #33 entity_version",
        "database mirror #33 entity_version",
        "database alterations #33 ves_events",
      ],
    ],
    [
      "an event's name",
      `UPDATE ves_events SET event_type = 'order.paid' WHERE ${OF_STREAM} AND sequence_number = 33`,
      "",
      [
        // A payload decrypts for its own event alone.
        "database payload_hashes #33",
        "database signing_hashes #33",
        "database signatures #33",
        "database merkle_roots #21",
        "database mirror #33 event_type",
        "database alterations #33 ves_events",
      ],
    ],
    [
      "a batch's root",
      `UPDATE ves_commitments SET merkle_root = sha256('x') WHERE ${OF_STREAM} AND sequence_start = 21`,
      "",
      [
        "database merkle_roots #21",
        "database state_roots #21 new_state_root",
        "database mirror #21 merkle_root",
        "database alterations #21 ves_commitments",
      ],
    ],
    [
      "a row that is gone, and its trace as well",
      `DELETE FROM ves_events WHERE ${OF_STREAM} AND sequence_number = 60; DELETE FROM ves_alterations`,
      "",
      ["database numbers #null", "database merkle_roots #41", "database mirror #60"],
    ],
    [
      "a row too many",
      `INSERT INTO ves_events SELECT * FROM row_61`,
      `DELETE FROM ves_events WHERE ${OF_STREAM} AND sequence_number = 66`,
      [
        "database numbers #66",
        "database numbers #null",
        "database payload_hashes #66",
        "database signing_hashes #66",
        "database signatures #66",
        "database entity_versions #66 entity_version",
        "database mirror #66",
      ],
    ],
    [
      "a stream that is marked as frozen",
      `INSERT INTO ves_frozen_streams VALUES ('${stream.tenantId}', '${stream.storeId}', 'by hand')`,
      "DELETE FROM ves_frozen_streams",
      ["database frozen #null"],
    ],
  ];

  beforeAll(async () => {
    await database.query(`
      CREATE TABLE sound_events AS SELECT * FROM ves_events;
      CREATE TABLE sound_commitments AS SELECT * FROM ves_commitments;
      CREATE TABLE row_61 AS SELECT * FROM ves_events WHERE ${OF_STREAM} AND sequence_number = 60;
      UPDATE row_61 SET sequence_number = 66, event_id = gen_random_uuid(), command_id = NULL`);
  });

  test.each(changes)("%s", async (_, change, undo, expected) => {
    await database.query(change);
    try {
      const report = await fsckJson(1, ...both());
      expect(report).toMatchObject({ ok: false, totals: { differences: expected.length } });
      expect(found(report)).toEqual(expected);
    } finally {
      await database.query(`${undo};
        DELETE FROM ves_events WHERE ${OF_STREAM}; INSERT INTO ves_events SELECT * FROM sound_events WHERE ${OF_STREAM};
        DELETE FROM ves_commitments WHERE ${OF_STREAM};
        INSERT INTO ves_commitments SELECT * FROM sound_commitments WHERE ${OF_STREAM};
        DELETE FROM ves_alterations`);
    }
  });

  test("and nothing any more once it is as it was", async () => {
    expect((await fsckJson(0, ...both())).ok).toBe(true);
  });

  test("and shown in the table", async () => {
    await database.query(`UPDATE ves_events SET entity_version = 99 WHERE ${OF_STREAM} AND sequence_number = 33`);
    const { code, out } = await fsck(...both(), ...streamOptions(stream));
    await database.query(`
      UPDATE ves_events SET entity_version = sound_events.entity_version FROM sound_events
       WHERE ves_events.event_id = sound_events.event_id AND ves_events.sequence_number = 33;
      DELETE FROM ves_alterations`);
    expect(code).toBe(1);
    expect(out).toMatch(/\n {2}entity versions +✔ 65 +✘ 1 in 60\n/);
    expect(out).toMatch(/\n {2}✘ mirror, database\n {6}#33 entity_version expected \d+, found 99\n/);
    expect(out).toMatch(/\n {6}#33 ves_events expected a row that was never changed, found UPDATE at \S+ by \w+\n/);
    expect(out).toMatch(/\n1 stream, 65 events, 3 batches: 3 differences\n$/);
  });
});

describe("exit code 2, with a sentence, when it cannot be found out", () => {
  const id = crypto.randomUUID();
  test.each<[string, string[], RegExp]>([
    ["nothing to look at", [], /^Give --url, --database-url or both\. See npm run admin -- fsck --help\n$/],
    ["an unknown option", ["--colour"], /^Unknown option '--colour'\. See /],
    [
      "a URL without a key",
      ["--url", "http://127.0.0.1:9"],
      /^The sequencer wants an API key: give --key-file or --api-key\. See /,
    ],
    ["a URL that is none", ["--url", "x", "--api-key", "k"], /^The URL must begin with http:\/\/ or https:\/\//],
    ["no stream", ["--url", "http://127.0.0.1:9", "--api-key", "k"], /^Only the database knows all streams: /],
    ["half a stream", ["--database-url", "postgres://x/y", "--tenant", id], /^Give --tenant and --store together\. /],
    [
      "no UUID",
      ["--database-url", "postgres://x/y", "--tenant", "t", "--store", id],
      /^--tenant takes a UUID, not "t"\. /,
    ],
    [
      "a wrong --receipts",
      ["--database-url", "postgres://x/y", "--receipts", "some"],
      /^--receipts takes all or none, /,
    ],
    [
      "another database",
      ["--database-url", "mysql://u:secret@h/d"],
      /^The database's URL must be of the form postgres:/,
    ],
    [
      "no database there",
      ["--database-url", "postgres://u:p@127.0.0.1:9/d"],
      /^The database cannot be read: .*ECONNREFUSED.*\.\n$/,
    ],
  ])("%s", async (_, args, sentence) => {
    const outcome = await fsck(...args);
    expect(outcome).toMatchObject({ code: 2, out: "" });
    expect(outcome.err).toMatch(sentence);
    expect(outcome.err).not.toContain("secret");
  });

  test("no server there, after some patience", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const outcome = await fsck("--url", url, "--api-key", "k", ...streamOptions(stream));
    expect(outcome).toMatchObject({ code: 2, out: "" });
    expect(outcome.err).toMatch(/^The sequencer at \S+ cannot be reached: connect ECONNREFUSED \S+\.\n$/);
  });

  test("a key that may not read", async () => {
    const outcome = await fsck("--url", server.url, "--api-key", "ss_wrong", ...streamOptions(stream));
    expect(outcome).toMatchObject({ code: 2, out: "" });
    expect(outcome.err).toMatch(/ does not let this API key read \/api\/v1\/ves\/head: 401 INVALID_API_KEY: .*\.\n$/);
  });

  test("a database without the tables", async () => {
    const empty = Object.assign(new URL(database.url), { pathname: "/postgres" });
    expect(await fsck("--database-url", empty.href)).toEqual({
      code: 2,
      out: "",
      err: "The database does not hold the sequencer's tables: run npm run admin -- migrate.\n",
    });
  });
});

test("--help", async () => {
  const outcome = await fsck("--help");
  expect(outcome).toMatchObject({ code: 0, err: "" });
  expect(outcome.out).toMatch(/^Usage: npm run admin -- fsck \[options\]\n/);
});

import { rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { call, push, registerKey, type Server } from "../../scripts/lib/client.ts";
import { freePort } from "../../scripts/lib/ports.ts";
import { newSigner, type Signer, signEvent } from "../../scripts/lib/signer.ts";
import { admin, type Outcome, readHead, sealAndMirror, serverOptions, streamOptions } from "./support/admin.ts";
import { type Acknowledged, streamFiles } from "./support/derive-log.ts";
import { pushMixed } from "./support/mixed-events.ts";
import { type OwnDatabase, ownDatabase } from "../support/own-database.ts";
import { bundleFile, removeTempDirs, type ServerProcess, startServer, tempDir } from "./support/processes.ts";

const BATCHES = 5;
const BATCH_EVENTS = 60;
const EVENTS = BATCHES * BATCH_EVENTS;

let bundle: string;
let database: OwnDatabase;
const servers: ServerProcess[] = [];

beforeAll(async () => {
  bundle = await bundleFile();
  database = await ownDatabase(inject("postgresUrl"));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.kill();
});
afterAll(async () => {
  await database.drop();
  removeTempDirs();
});

/** A stream with batches that are all mirrored, on a server of its own. */
interface Mirrored {
  readonly signer: Signer;
  readonly acknowledged: readonly Acknowledged[];
  readonly dataDirectory: string;
  readonly server: ServerProcess;
}

async function start(dataDirectory: string): Promise<ServerProcess> {
  // Nothing seals by itself, so that the tests know the batches.
  const server = await startServer(bundle, dataDirectory, {
    databaseUrl: database.url,
    variables: { SEAL_MAX_AGE_MS: "3600000" },
  });
  servers.push(server);
  return server;
}

async function mirroredStream(): Promise<Mirrored> {
  const dataDirectory = tempDir();
  const server = await start(dataDirectory);
  const signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
  await registerKey(server, signer);
  const acknowledged: Acknowledged[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    acknowledged.push(...(await pushMixed(server, signer, BATCH_EVENTS)));
    await sealAndMirror(server, signer);
  }
  return { signer, acknowledged, dataDirectory, server };
}

/** Takes the stream's storage away, as a lost object would be, and serves what is left. */
async function lose({ server, dataDirectory }: Mirrored): Promise<ServerProcess> {
  await server.kill();
  const files = streamFiles(dataDirectory);
  expect(files).toHaveLength(1);
  for (const file of files) for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
  return start(dataDirectory);
}

const restore = (server: Server, signer: Signer, ...more: string[]): Promise<Outcome> =>
  admin(["restore", ...serverOptions(server), ...streamOptions(signer), ...more]);

/** Everything that the server says about a stream: its events with receipts, histories, batches and proofs. */
async function readAll(server: Server, { tenantId, storeId }: Signer, events: number): Promise<unknown[]> {
  const query = `tenant_id=${tenantId}&store_id=${storeId}`;
  const paths = [
    `head?${query}`,
    `commitments?${query}`,
    ...Array.from(
      { length: Math.ceil(events / 100) },
      (_, page) => `events?${query}&receipts=true&from=${page * 100 + 1}`,
    ),
    ...["o0", "o1", "o2"].map((id) => `entities/order/${id}?${query}`),
    ...[1, 61, events].map((number) => `proofs/${number}?${query}`),
  ];
  return Promise.all(paths.map((path) => call(server, "GET", `/api/v1/ves/${path}`)));
}

/** Repeats all events, and gives the answers with the ids of requests left out. */
async function repeatAll(server: Server, { signer, acknowledged }: Mirrored): Promise<unknown> {
  const events = acknowledged.map(({ event }) => event);
  const { batchId, ...answer } = await push(server, signer.agentId, events);
  return answer;
}

describe("a stream whose storage was lost", () => {
  test("is as it was once it is restored, and goes on", async () => {
    const mirrored = await mirroredStream();
    const { signer, acknowledged } = mirrored;
    const before = await readAll(mirrored.server, signer, EVENTS);
    const repeatedBefore = await repeatAll(mirrored.server, mirrored);

    const held =
      `The database holds ${EVENTS} events in ${BATCHES} batches of tenant ${signer.tenantId}, ` +
      `store ${signer.storeId}.\n`;
    expect(await restore(mirrored.server, signer, "--dry-run")).toEqual({
      code: 1,
      err: "",
      out: `${held}The stream holds events up to ${EVENTS}: only an empty one is restored.\n`,
    });

    const server = await lose(mirrored);
    expect(await restore(server, signer, "--dry-run")).toEqual({
      code: 0,
      err: "",
      out: `${held}The stream is empty, and would be restored.\n`,
    });
    const looked = await restore(server, signer, "--dry-run", "--json");
    expect(JSON.parse(looked.out)).toEqual({
      dry_run: true,
      status: "restorable",
      tenant_id: signer.tenantId,
      store_id: signer.storeId,
      head_sequence: 0,
      database: { events: EVENTS, batches: BATCHES },
    });
    expect(await readHead(server, signer)).toMatchObject({ head_sequence: 0 });
    await expect(pushMixed(server, signer, 1)).rejects.toMatchObject({
      status: 503,
      code: "STREAM_FROZEN",
      detail: expect.stringContaining(`Postgres holds its events up to ${EVENTS}: restore it`) as string,
    });

    const { state_root: stateRoot } = before[0] as { state_root: string };
    expect(await restore(server, signer)).toEqual({
      code: 0,
      err: "",
      out:
        `Restored ${EVENTS} events of tenant ${signer.tenantId}, store ${signer.storeId}; state root ${stateRoot}.\n` +
        "Events that were not in the database are lost; agents that push them again get new receipts.\n" +
        `Now check it: npm run admin -- fsck --tenant ${signer.tenantId} --store ${signer.storeId}\n`,
    });
    expect(await readAll(server, signer, EVENTS)).toEqual(before);
    expect(await repeatAll(server, mirrored)).toEqual(repeatedBefore);
    expect((repeatedBefore as { receipts: unknown[] }).receipts).toMatchObject(
      acknowledged.map(({ receipt }) => receipt),
    );
    // A command has its effect once, also one that came back by restoring.
    const used = acknowledged.find(({ event }) => event.command_id !== undefined)?.event.command_id ?? "";
    const fact = { entityType: "order", entityId: "o9", eventType: "order.changed", payload: {}, commandId: used };
    const { rejections } = await push(server, signer.agentId, [await signEvent(signer, fact)]);
    expect(rejections).toMatchObject([{ reason: "duplicate_command_id" }]);

    const [next] = await pushMixed(server, signer, 10);
    expect(next?.receipt.sequenceNumber).toBe(EVENTS + 1);
    expect(await sealAndMirror(server, signer)).toMatchObject({ sealed_sequence: EVENTS + 10, frozen: null });

    const fsck = await admin([
      "fsck",
      ...serverOptions(server),
      "--database-url",
      database.url,
      ...streamOptions(signer),
    ]);
    expect(fsck).toMatchObject({ code: 0, err: "" });
    expect(fsck.out).toMatch(/\n1 stream, 310 events, 6 batches: no differences\n$/);

    expect(await restore(server, signer)).toEqual({
      code: 1,
      out: "",
      err: "There is nothing to restore: The stream holds events up to 310: only an empty one is restored.\n",
    });
  });

  test("answers in one document when asked to", async () => {
    const mirrored = await mirroredStream();
    const { state_root } = await readHead(mirrored.server, mirrored.signer);
    const { tenantId, storeId } = mirrored.signer;
    const { code, out, err } = await restore(await lose(mirrored), mirrored.signer, "--json");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(JSON.parse(out)).toEqual({
      status: "restored",
      tenant_id: tenantId,
      store_id: storeId,
      events: EVENTS,
      state_root,
    });
  });

  test("is refused from the batch on that was altered, and continued once that is repaired", async () => {
    const mirrored = await mirroredStream();
    const { signer } = mirrored;
    const before = await readAll(mirrored.server, signer, EVENTS);
    const rows = `tenant_id = '${signer.tenantId}' AND store_id = '${signer.storeId}'`;
    const altered = `${rows} AND sequence_number = 130`;
    await database.query(`CREATE TABLE sound AS SELECT * FROM ves_events WHERE ${altered}`);
    await database.query(`UPDATE ves_events SET event_type = 'order.paid' WHERE ${altered}`);
    let server = await lose(mirrored);

    const traced = await restore(server, signer);
    expect(traced).toMatchObject({ code: 1, out: "" });
    expect(traced.err).toMatch(
      /^The stream was not restored: .*changed in Postgres by hand, the first at number 130\.\n$/,
    );
    expect(await restore(server, signer, "--dry-run")).toEqual(traced);
    expect(await readHead(server, signer)).toMatchObject({ head_sequence: 0 });

    // Whoever can change rows can remove the traces as well; the hashes remain.
    await database.query("DELETE FROM ves_alterations");
    const refused = await restore(server, signer);
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toMatch(
      /^The stream was not restored: .*event 130: its content is not what its hash says\.\n$/,
    );
    expect(await readHead(server, signer)).toMatchObject({ head_sequence: 120, sealed_sequence: 120 });
    await expect(pushMixed(server, signer, 1)).rejects.toMatchObject({ code: "STREAM_FROZEN" });

    await server.kill();
    server = await start(mirrored.dataDirectory);
    // Rows of the database are looked at, and not what they hold.
    expect((await restore(server, signer, "--dry-run")).out).toMatch(
      /\nThe stream is restored up to event 120, and would be from there on\.\n$/,
    );
    await expect(pushMixed(server, signer, 1)).rejects.toMatchObject({ code: "STREAM_FROZEN" });

    await database.query(`
      UPDATE ves_events SET event_type = sound.event_type FROM sound
       WHERE ves_events.event_id = sound.event_id AND ves_events.store_id = sound.store_id;
      DELETE FROM ves_alterations; DROP TABLE sound`);
    expect(await restore(server, signer)).toMatchObject({ code: 0, err: "" });
    expect(await readAll(server, signer, EVENTS)).toEqual(before);
    const [next] = await pushMixed(server, signer, 1);
    expect(next?.receipt.sequenceNumber).toBe(EVENTS + 1);
  });
});

describe("what cannot be restored is answered with a sentence", () => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await startServer(bundle, tempDir(), { databaseUrl: database.url });
  });
  afterAll(() => server.kill());

  test("exit code 1: the database knows nothing of the stream", async () => {
    expect(await restore(server, await newSigner(crypto.randomUUID(), crypto.randomUUID()))).toEqual({
      code: 1,
      out: "",
      err: "There is nothing to restore from: Postgres holds no batch of this stream.\n",
    });
  });

  test("exit code 2: another key than the bootstrap administrator's", async () => {
    const signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
    const outcome = await restore({ ...server, apiKey: "ss_wrong" }, signer);
    expect(outcome).toMatchObject({ code: 2, out: "" });
    expect(outcome.err).toMatch(
      /^Restoring takes the bootstrap administrator's API key: .* 401 INVALID_API_KEY: .*\.\n$/,
    );
  });

  test("exit code 2: no server there", async () => {
    const signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
    const outcome = await restore({ url: `http://127.0.0.1:${await freePort()}`, apiKey: "k" }, signer);
    expect(outcome).toMatchObject({ code: 2, out: "" });
    expect(outcome.err).toMatch(/^The sequencer at \S+ cannot be reached: connect ECONNREFUSED \S+\.\n$/);
  });

  test.each<[string, string[], RegExp]>([
    ["no server", ["--tenant", crypto.randomUUID()], /^Give --url\. See npm run admin -- restore --help\n$/],
    ["no stream", ["--url", "http://127.0.0.1:9", "--api-key", "k"], /^Give --tenant and --store\. See /],
    ["an unknown option", ["--force"], /^Unknown option '--force'\. See /],
  ])("exit code 2: %s", async (_, args, sentence) => {
    const outcome = await admin(["restore", ...args]);
    expect(outcome).toMatchObject({ code: 2, out: "" });
    expect(outcome.err).toMatch(sentence);
  });

  test("--help", async () => {
    const outcome = await admin(["restore", "--help"]);
    expect(outcome).toMatchObject({ code: 0, err: "" });
    expect(outcome.out).toMatch(/^Usage: npm run admin -- restore /);
  });
});

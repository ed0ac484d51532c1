import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { call, push, registerKey, type Server } from "../../scripts/lib/client.ts";
import { freePort } from "../../scripts/lib/ports.ts";
import type { Variables } from "../../scripts/lib/local-server.ts";
import { newSigner, type Signer, signEvent } from "../../scripts/lib/signer.ts";
import { payloadKey } from "../../src/at-rest/payload-key.ts";
import { fromHex, type Receipt } from "../../src/ves/index.ts";
import { type OwnDatabase, ownDatabase } from "../support/own-database.ts";
import { admin, type Outcome, readHead, sealAndMirror, serverOptions, streamOptions } from "./support/admin.ts";
import { pushMixed } from "./support/mixed-events.ts";
import { textsInStorage } from "./support/search-storage.ts";
import {
  bundleFile,
  PAYLOAD_KEY,
  removeTempDirs,
  type ServerProcess,
  startServer,
  tempDir,
  waitUntil,
} from "./support/processes.ts";

const [OLD, NEW, THIRD] = [PAYLOAD_KEY, "22".repeat(32), "33".repeat(32)];
/** In plain payloads, in envelopes that agents encrypted, and in an event that is refused. */
const MARKERS = ["für später", "ciphertext_b64u", "marker of a refused event"];

let bundle: string;
let database: OwnDatabase;
let dataDirectory: string;
let server: ServerProcess;
let signer: Signer;

beforeAll(async () => {
  bundle = await bundleFile();
});
beforeEach(async () => {
  database = await ownDatabase(inject("postgresUrl"));
  dataDirectory = tempDir();
  signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
});
afterEach(async () => {
  await server.kill();
  await database.drop();
});
afterAll(removeTempDirs);

/** Starts the server, or starts it again with other variables. Nothing seals by itself. */
async function serve(variables: Variables, isFirst = false): Promise<void> {
  if (!isFirst) await server.kill();
  server = await startServer(bundle, dataDirectory, {
    databaseUrl: database.url,
    variables: { SEAL_MAX_AGE_MS: "3600000", SEAL_MAX_EVENTS: "4096", ...variables },
    keepErrors: true,
  });
  if (isFirst) await registerKey(server, signer);
}

/** Waits until the server's log says it. */
const logged = (text: string): Promise<void> => waitUntil(() => server.errors().includes(text), 5_000, `logs: ${text}`);

const ofStream = (): string => `tenant_id=${signer.tenantId}&store_id=${signer.storeId}`;
const run = (command: string, ...more: string[]): Promise<Outcome> =>
  admin([command, ...serverOptions(server), ...streamOptions(signer), ...more]);
const fsck = (...keys: string[]): Promise<Outcome> =>
  run("fsck", "--database-url", database.url, "--encryption-key", keys.join());

interface Row {
  readonly envelope: { readonly event_id: string };
  readonly receipt: Receipt;
}

/** All events with their receipts. */
async function readAll(from: Server): Promise<Row[]> {
  const rows: Row[] = [];
  for (let next = 1; ;) {
    const path = `/api/v1/ves/events?${ofStream()}&from=${next}&limit=1000&receipts=true`;
    const page = await call<{ events: Row[]; has_more: boolean; next_sequence: number }>(from, "GET", path);
    rows.push(...page.events);
    if (!page.has_more) return rows;
    next = page.next_sequence;
  }
}

const markersFound = () => textsInStorage(MARKERS, dataDirectory, database);

async function pushMarkers(): Promise<void> {
  await pushMixed(server, signer, 40);
  const fact = { entityType: "order", entityId: "x", eventType: "order.changed", payload: MARKERS[2] ?? "" };
  const refused = { ...(await signEvent(signer, fact)), agent_signature: `0x${"00".repeat(64)}` };
  expect(await push(server, signer.agentId, [refused])).toMatchObject({ eventsRejected: 1 });
  await sealAndMirror(server, signer);
  await pushMixed(server, signer, 5);
}

describe("what lies on disk", () => {
  test("holds no payload, in the objects' files and in Postgres", async () => {
    await serve({}, true);
    await pushMarkers();
    const events = await readAll(server);
    expect(JSON.stringify(events)).toContain(MARKERS[0]);
    await server.kill();
    expect(await markersFound()).toEqual({ files: [], database: [] });
  });

  test("the control: with encryption switched off it does, until it is switched on and they are encrypted", async () => {
    await serve({ PAYLOAD_ENCRYPTION_MODE: "disabled" }, true);
    await pushMarkers();
    const events = await readAll(server);
    await server.kill();
    const [plain, envelope] = MARKERS;
    expect(await markersFound()).toEqual({ files: [plain, envelope], database: [plain, envelope] });
    await serve({ PAYLOAD_ENCRYPTION_MODE: "disabled" });
    expect(await run("reencrypt")).toMatchObject({ code: 1, err: expect.stringMatching(/MODE is disabled/) as string });

    await serve({});
    await expect(readAll(server)).rejects.toMatchObject({ status: 503, code: "PAYLOAD_UNREADABLE" });
    await logged("stored unencrypted, which PAYLOAD_ENCRYPTION_MODE required does not read");

    await serve({ PAYLOAD_ENCRYPTION_MODE: "optional" });
    expect(await readAll(server)).toEqual(events);
    expect(await run("keys-in-use")).toMatchObject({
      code: 1,
      out: expect.stringMatching(/not encrypted +45/) as string,
    });
    const done = await run("reencrypt");
    expect(done).toMatchObject({ code: 0, out: expect.stringMatching(/45 payloads in objects and 40 in/) as string });

    await serve({});
    expect(await readAll(server)).toEqual(events);
    expect((await markersFound()).database).toEqual([]);
    expect(await fsck(OLD)).toMatchObject({ code: 0 });
  });
});

describe("changing the key", () => {
  test("interrupted half-way and done again, leaves every event and receipt what it was, and the old key without use", async () => {
    const [old, current] = [OLD, NEW].map((key) => payloadKey(fromHex(key)).id);
    const both = { PAYLOAD_ENCRYPTION_KEYS: `${NEW},${OLD}` };
    await serve({}, true);
    for (let request = 0; request < 3; request++) await pushMixed(server, signer, 800);
    await sealAndMirror(server, signer);
    await pushMixed(server, signer, 50);
    const before = await readAll(server);
    const head = await readHead(server, signer);

    await serve(both);
    await pushMixed(server, signer, 20);
    expect((await readAll(server)).slice(0, before.length)).toEqual(before);
    const inUse = await run("keys-in-use", "--json");
    expect(inUse.code).toBe(1);
    expect(JSON.parse(inUse.out)).toMatchObject({
      ok: false,
      object: { keys: { [old ?? ""]: { old: 2_450 }, [current ?? ""]: { current: 20 } } },
      database: { keys: { [old ?? ""]: { old: 2_400 } } },
    });
    const dry = await run("reencrypt", "--dry-run");
    expect(dry).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^2,450 payloads in objects and 2,?400 /) as string,
    });

    const path = "/api/v1/admin/streams/reencrypt";
    const piece = await call<{ next_sequence: number }>(server, "POST", path, { ...signer, key: undefined });
    expect(piece).toMatchObject({ object: { reencrypted: 1_000 }, database: { reencrypted: 1_000 } });
    const cutOff = call(server, "POST", path, { ...signer, key: undefined, from: piece.next_sequence }).catch(
      () => "cut",
    );
    await sleep(30);
    await serve(both);
    expect(await cutOff).toBe("cut");
    expect((await readAll(server)).slice(0, before.length)).toEqual(before);

    const done = await run("reencrypt");
    expect(done).toMatchObject({ code: 0, err: "" });
    expect(await run("keys-in-use")).toMatchObject({ code: 0 });
    const again = await run("reencrypt", "--json");
    expect(again.code).toBe(0);
    expect(JSON.parse(again.out)).toMatchObject({ object: { reencrypted: 0 }, database: { reencrypted: 0 } });

    await serve({ PAYLOAD_ENCRYPTION_KEY: NEW });
    expect((await readAll(server)).slice(0, before.length)).toEqual(before);
    await sealAndMirror(server, signer);
    expect(await readHead(server, signer)).toMatchObject({ frozen: null, head_sequence: head.head_sequence + 20 });
    expect(await fsck(NEW)).toMatchObject({ code: 0, err: "" });
    expect(await database.query("SELECT 1 FROM ves_alterations")).toEqual([]);
    const same = await database.query("SELECT 1 FROM ves_events WHERE payload IS NOT NULL");
    expect(same).toEqual([]);
  });

  test("goes on with other events and streams where a payload cannot be opened", async () => {
    const other = await newSigner("ffffffff-ffff-4fff-bfff-ffffffffffff", crypto.randomUUID());
    await serve({}, true);
    await pushMixed(server, signer, 5);
    await sealAndMirror(server, signer);
    await serve({ PAYLOAD_ENCRYPTION_KEY: THIRD });
    await registerKey(server, other);
    for (const each of [signer, other]) {
      await pushMixed(server, each, 10);
      await sealAndMirror(server, each);
    }
    // The first key is lost.
    await serve({ PAYLOAD_ENCRYPTION_KEYS: `${NEW},${THIRD}` });
    const everything = (command: string, ...more: string[]): Promise<Outcome> =>
      admin([command, ...serverOptions(server), "--database-url", database.url, ...more]);
    const lost = payloadKey(fromHex(OLD)).id;
    const dry = await everything("reencrypt", "--dry-run");
    expect(dry).toMatchObject({ code: 1, err: "" });
    expect(dry.out).toMatch(
      /^25 payloads in objects and 25 in the database are not under the current key\.\n5 payloads in objects cannot be opened,/,
    );
    const done = await everything("reencrypt", "--json");
    expect(done).toMatchObject({ code: 1, err: "" });
    expect(JSON.parse(done.out)).toMatchObject({
      streams: 2,
      object: { reencrypted: 20 },
      database: { reencrypted: 20 },
      left: { object: 5, database: 5 },
      unreadable: {
        count: 5,
        first: [1, 2, 3, 4, 5].map((number) => ({
          tenant_id: signer.tenantId,
          store_id: signer.storeId,
          sequence_number: number,
          key_id: lost,
        })),
      },
    });
    const inUse = await everything("keys-in-use");
    expect(inUse).toMatchObject({ code: 1, err: "" });
    expect(inUse.out).toMatch(
      /event 5: .*, which is not configured\n10 payloads in 2 streams not under the current key: /,
    );
    // What was between the lost one and the new one is not needed any more.
    await serve({ PAYLOAD_ENCRYPTION_KEY: NEW });
    const path = `/api/v1/ves/events?${ofStream()}&from=6`;
    expect(await call(server, "GET", path)).toMatchObject({ count: 10 });
    const ofOther = { tenantId: other.tenantId, storeId: other.storeId };
    expect(await admin(["keys-in-use", ...serverOptions(server), ...streamOptions(ofOther)])).toMatchObject({
      code: 0,
    });
  });

  test("is not over while streams have events that the database does not have", async () => {
    server = await startServer(bundle, dataDirectory, {
      databaseUrl: `postgres://nobody:nothing@127.0.0.1:${await freePort()}/nowhere`,
      variables: { SEAL_MAX_AGE_MS: "100" },
      keepErrors: true,
    });
    await registerKey(server, signer);
    await pushMixed(server, signer, 3);
    await waitUntil(
      async () => {
        const path = "/health/detailed";
        const health = await call<{ components: { lag: { streams_unmirrored?: number } } }>(server, "GET", path);
        return health.components.lag.streams_unmirrored === 1;
      },
      20_000,
      "the stream has told how far it is",
    );
    const all = ["keys-in-use", ...serverOptions(server), "--database-url", database.url];
    expect(await admin(all)).toMatchObject({
      code: 1,
      err: "",
      out: expect.stringMatching(
        /in use in 0 streams: .*\n1 stream with events that are not in the database yet may not be among them: keep every key, and ask again later\.\n$/,
      ) as string,
    });
    const { code, out } = await admin([...all, "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ ok: false, streams: 0, streams_unmirrored: 1 });
    const wrong = await admin(all.map((word) => (word === server.apiKey ? "ss_wrong" : word)));
    expect(wrong).toMatchObject({ code: 2, err: expect.stringMatching(/^This takes the bootstrap admin/) as string });
  });

  test("a key that is gone takes the payloads with it, and nothing else", async () => {
    await serve({}, true);
    const acknowledged = await pushMixed(server, signer, 30);
    await sealAndMirror(server, signer);
    const id = payloadKey(fromHex(OLD)).id;

    await serve({ PAYLOAD_ENCRYPTION_KEY: THIRD });
    await expect(readAll(server)).rejects.toMatchObject({
      status: 503,
      code: "PAYLOAD_UNREADABLE",
      detail: "The payload of event 1 cannot be decrypted; the server's log says why",
    });
    await logged(`encrypted under key ${id}, which is not configured`);
    expect(server.errors()).not.toContain(THIRD);
    const [first] = acknowledged;
    const { merkleProof, ...receipt } = await call<Receipt & { merkleProof?: unknown }>(
      server,
      "GET",
      `/api/v1/ves/receipts/${first?.event.event_id}?${ofStream()}`,
    );
    expect(receipt).toEqual(first?.receipt);
    expect(merkleProof).toBeDefined();
    // The log goes on, also from the events before: copies are recognised, batches sealed and mirrored.
    const repeated = await push(server, signer.agentId, first === undefined ? [] : [first.event]);
    expect(repeated.receipts).toMatchObject([first?.receipt ?? {}]);
    await pushMixed(server, signer, 10);
    await sealAndMirror(server, signer);
    const unreadable = await run("reencrypt");
    expect(unreadable).toMatchObject({ code: 1, err: "" });
    const { tenantId, storeId } = signer;
    expect(unreadable.out).toBe(
      "Encrypted 0 payloads in objects and 0 in the database under the current key.\n" +
        "30 payloads in objects cannot be opened, and stay as they are, in the database too:\n" +
        Array.from(
          { length: 30 },
          (_, index) =>
            `  Tenant ${tenantId}, store ${storeId}, event ${index + 1}: its payload is encrypted under key ${id}, which is not configured\n`,
        ).join(""),
    );
    // Over HTTP nothing can be checked, and in the database all but the contents.
    expect(await fsck(THIRD)).toMatchObject({ code: 2, err: expect.stringMatching(/PAYLOAD_UNREADABLE/) as string });
    const checked = await admin(["fsck", "--database-url", database.url, "--encryption-key", THIRD]);
    expect(checked).toMatchObject({
      code: 0,
      out: expect.stringContaining(`encrypted under key ${id}, which was not`) as string,
    });
  });
});

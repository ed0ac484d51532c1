import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { call, registerKey } from "../../scripts/lib/client.ts";
import { newSigner, type Signer } from "../../scripts/lib/signer.ts";
import { envelopeSchema, eventSigningHash, verifyEd25519 } from "../../src/ves/index.ts";
import { type OwnDatabase, ownDatabase } from "../support/own-database.ts";
import { admin, type Outcome, sealAndMirror, serverOptions, streamOptions } from "./support/admin.ts";
import { pushMixed } from "./support/mixed-events.ts";
import { bundleFile, removeTempDirs, type ServerProcess, startServer, tempDir } from "./support/processes.ts";
import { type TamperingProxy, tamperingProxy } from "./support/tampering-proxy.ts";

/** Three batches of 20 events, and 5 events that are not sealed. */
const EVENTS = 65;
let database: OwnDatabase;
let server: ServerProcess;
let proxy: TamperingProxy;
let signer: Signer;
let directory: string;

beforeAll(async () => {
  database = await ownDatabase(inject("postgresUrl"));
  const variables = { SEAL_MAX_AGE_MS: "3600000" };
  server = await startServer(await bundleFile(), tempDir(), { databaseUrl: database.url, variables });
  proxy = await tamperingProxy(server);
  directory = tempDir();
  signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
  await registerKey(server, signer);
  for (let batch = 0; batch < 3; batch++) {
    await pushMixed(server, signer, 20);
    await sealAndMirror(server, signer);
  }
  await pushMixed(server, signer, EVENTS - 60);
});

afterAll(async () => {
  proxy.close();
  await server.kill();
  await database.drop();
  removeTempDirs();
});

const exported = (...args: readonly string[]): Promise<Outcome> =>
  admin(["export-events", ...serverOptions(proxy), ...streamOptions(signer), ...args]);

interface Line {
  readonly sequence_number: number;
  readonly receipt: { readonly sequenceNumber: number; readonly receiptHash: string };
}

const linesOf = (text: string): Line[] =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe("export-events", () => {
  test("writes every event as it was signed, with its receipt", async () => {
    const { code, out, err } = await exported();
    expect({ code, err }).toEqual({ code: 0, err: "65 events, 1 to 65, and 3 batches: verified and written.\n" });
    const lines = linesOf(out);
    expect(lines.map(({ sequence_number: n }) => n)).toEqual(numbers(1, EVENTS));
    for (const line of lines) {
      const envelope = envelopeSchema.parse(line);
      expect(await verifyEd25519(signer.key.publicKey, eventSigningHash(envelope), envelope.agent_signature)).toBe(
        true,
      );
      expect(line.receipt).toMatchObject({ sequenceNumber: line.sequence_number, eventId: envelope.event_id });
    }
    expect(out).toContain('"payload":{"n":1,"note":"für später"}');
    expect(out).toContain('"payload_encrypted":{');
  });

  test("to a file, and goes on where an earlier one ended", async () => {
    const [one, two] = [join(directory, "one.ndjson"), join(directory, "two.ndjson")];
    const first = await exported("--to", "33", "--output", one, "--json");
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(first.out)).toMatchObject({
      ok: true,
      store_id: signer.storeId,
      output: one,
      events: 33,
      first: 1,
      last: 33,
      batches: 2,
      differences: 0,
    });
    const second = await exported("--from", "34", "--output", two);
    expect(second).toEqual({
      code: 0,
      out: "",
      err: `32 events, 34 to 65, and 2 batches: verified and written to ${two}.\n`,
    });
    expect(readFileSync(one, "utf8") + readFileSync(two, "utf8")).toBe((await exported()).out);
    expect((await exported("--from", "66")).err).toBe("0 events, and 0 batches: verified and written.\n");
    expect(readdirSync(directory).toSorted()).toEqual(["one.ndjson", "two.ndjson"]);
  });

  test("from and to anywhere: batches are verified whole, and what is wanted is written", async () => {
    for (const [from, to, batches] of [
      [20, 21, 2],
      [60, 61, 1],
      [62, 63, 0],
    ] as const) {
      const { code, out, err } = await exported("--from", `${from}`, "--to", `${to}`);
      expect(err).toContain(` and ${batches} batch`);
      expect([code, linesOf(out).map(({ sequence_number: n }) => n)]).toEqual([0, numbers(from, to)]);
    }
  });

  test.each<[string, string, (text: string) => string, string]>([
    ["a payload", "/events", (text) => text.replace('"payload":{"n":14,', '"payload":{"n":15,'), "payload_hashes"],
    ["a name", "/events", (text) => text.replace("order.changed", "order.changes"), "signatures"],
    ["a receipt", "/events", (text) => text.replace(/"receiptHash":"../, '"receiptHash":"zz'), "receipts"],
    ["an event that is left out", "/events", withoutThird, "numbers"],
    [
      "a batch's root",
      "/commitments",
      (text) => text.replace(/"merkle_root":"..../, '"merkle_root":"0000'),
      "merkle_roots",
    ],
    [
      "the chain of state roots",
      "/commitments",
      (text) => text.replace(/"prev_state_root":"..../, '"prev_state_root":"0000'),
      "state_roots",
    ],
  ])("finds %s that is not as it was, and writes no file", async (_, path, change, check) => {
    const file = join(directory, "wrong.ndjson");
    proxy.tamper({ path, with: change });
    const outcome = await exported("--output", file, "--json");
    proxy.tamper(null);
    expect(outcome).toMatchObject({ code: 1, err: "" });
    const document = JSON.parse(outcome.out) as { checks: { check: string; differences: number }[] };
    expect(document).toMatchObject({ ok: false, output: null });
    expect(document.checks.filter(({ differences }) => differences > 0).map((wrong) => wrong.check)).toContain(check);
    expect(existsSync(file)).toBe(false);
  });

  test("says in a table what is not as it was", async () => {
    proxy.tamper({ path: "/commitments", with: (text) => text.replace(/"merkle_root":"..../, '"merkle_root":"0000') });
    const { code, err } = await exported();
    proxy.tamper(null);
    expect(code).toBe(1);
    expect(err).toMatch(/merkle roots +✘ 1/);
    expect(err).toMatch(/\d differences: this is not to be relied on\.\n$/);
  });

  test.each<[readonly string[], number, RegExp]>([
    [["--from", "99"], 2, /^There is no event 99: the stream ends with 65\.\n$/],
    [["--output", "/nowhere/at/all"], 2, /^\/nowhere\/at\/all cannot be written: ENOENT\.\n$/],
    [["--api-key", "wrong"], 2, /^The sequencer at .* does not let this API key read/],
  ])("%j", async (args, code, message) => {
    const outcome = await exported(...args);
    expect([outcome.code, outcome.out]).toEqual([code, ""]);
    expect(outcome.err).toMatch(message);
  });
});

function withoutThird(text: string): string {
  const page = JSON.parse(text) as { events: unknown[] };
  return JSON.stringify({ ...page, events: page.events.toSpliced(2, 1) });
}

describe("verify-proof", () => {
  const files = { proof: "", event: "", other: "" };
  let proof: Record<string, unknown>;

  beforeAll(async () => {
    const stream = `tenant_id=${signer.tenantId}&store_id=${signer.storeId}`;
    proof = await call(server, "GET", `/api/v1/ves/proofs/33?${stream}`);
    const [event, other] = linesOf((await exported("--from", "33", "--to", "34")).out);
    for (const [name, content] of Object.entries({ proof, event, other })) {
      files[name as keyof typeof files] = join(directory, `${name}.json`);
      writeFileSync(join(directory, `${name}.json`), JSON.stringify(content));
    }
  });

  test("says yes to the event's own proof, and to its parts", async () => {
    const whole = await admin(["verify-proof", "--proof", files.proof, "--event", files.event, "--json"]);
    expect(whole).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(whole.out)).toEqual({ valid: true, checks: { inclusion: true, leaf: true, state_root: true } });
    const parts = ["leaf_hash", "merkle_root", "leaf_index", "leaf_count"].flatMap((name) => [
      `--${name.replace("_", "-")}`,
      String(proof[name]),
    ]);
    const path = ["--proof-path", (proof["proof_path"] as string[]).join(",")];
    expect(await admin(["verify-proof", ...parts, ...path])).toEqual({
      code: 0,
      out: "The path leads from leaf 12 of 20 to the root.\n",
      err: "",
    });
  });

  test("says no to another event, another place and another root", async () => {
    const other = await admin(["verify-proof", "--proof", files.proof, "--event", files.other]);
    expect([other.code, other.out]).toEqual([
      1,
      "The path leads from leaf 12 of 20 to the root.\nThe leaf is not the event's.\nThe state root follows from the batch.\n",
    ]);
    for (const change of [{ leaf_index: 13 }, { leaf_count: 40 }, { merkle_root: "00".repeat(32) }]) {
      const file = join(directory, "changed.json");
      writeFileSync(file, JSON.stringify({ ...proof, ...change }));
      expect((await admin(["verify-proof", "--proof", file])).code).toBe(1);
    }
  });

  test("wants a proof", async () => {
    const { code, err } = await admin(["verify-proof", "--proof", files.event]);
    expect(code).toBe(2);
    expect(err).toMatch(/^--proof: leaf_hash: /);
    expect((await admin(["verify-proof", "--leaf-hash", "00"])).err).toMatch(/^Give --proof, or --/);
  });
});

describe("backfill-state-roots", () => {
  const ofStream = (): string => `tenant_id = '${signer.tenantId}' AND store_id = '${signer.storeId}'`;
  const derive = (...args: readonly string[]): Promise<Outcome> =>
    admin(["backfill-ves-state-roots", "--database-url", database.url, ...args]);

  test("says that all are right, under its old name too", async () => {
    expect(await derive("--tenant-id", signer.tenantId, "--store-id", signer.storeId, "--dry-run")).toEqual({
      code: 0,
      out: "3 batches of 1 stream derived again: all state roots are there and right.\n",
      err: "",
    });
  });

  test("says which are wrong or missing, and changes nothing", async () => {
    const [before] = await database.query(`SELECT * FROM ves_commitments WHERE ${ofStream()} AND sequence_start = 21`);
    await database.query(
      `UPDATE ves_commitments SET new_state_root = sha256('x') WHERE ${ofStream()} AND sequence_start = 21`,
    );
    const wrong = await derive("--json");
    expect(wrong).toMatchObject({ code: 1, err: "" });
    const { streams } = JSON.parse(wrong.out) as { streams: { checks: { check: string; first: object[] }[] }[] };
    expect(streams[0]?.checks.find(({ check }) => check === "state_roots")?.first).toMatchObject([
      { sequence_number: 21, member: "new_state_root" },
      { sequence_number: 41, member: "prev_state_root" },
    ]);
    const [after] = await database.query(`SELECT * FROM ves_commitments WHERE ${ofStream()} AND sequence_start = 21`);
    expect({ ...after, new_state_root: null }).toEqual({ ...before, new_state_root: null });
    await database.query(`DELETE FROM ves_commitments WHERE ${ofStream()} AND sequence_start = 21`);
    const missing = await derive();
    expect(missing.code).toBe(1);
    expect(missing.out).toMatch(/derived again, 1 stream of them with something missing or wrong\./);
  });
});

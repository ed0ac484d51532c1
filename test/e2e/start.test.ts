import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Client } from "pg";
import { createPublicClient, type Hex, http } from "viem";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { stateSetAnchorAbi } from "../../contracts/abi.ts";
import { DEV_ACCOUNTS, startAnvil } from "../../scripts/lib/anvil.ts";
import { call, push, registerKey, type Server, withoutProof } from "../../scripts/lib/client.ts";
import { deployAnchor } from "../../scripts/lib/deploy-anchor.ts";
import { freePort, isPortFree } from "../../scripts/lib/ports.ts";
import { newSigner, type Signer, signEvent } from "../../scripts/lib/signer.ts";
import type { StreamRef } from "../../src/stream-ref.ts";
import type { Receipt, WireEnvelope } from "../../src/ves/index.ts";
import { uuidWord } from "../support/anchor-batches.ts";
import { ownDatabase } from "../support/own-database.ts";
import { collectOutput, groupMembers, killGroup, removeTempDirs, waitUntil } from "./support/processes.ts";
import { userEnvironment, workingCopy } from "./support/working-copy.ts";

/** Everything `npm start` writes, npm's own heading included. */
const OUTPUT =
  /^\n> stateset-sequencer@\S+ start\n> \S.*\n\n(Port 8080 is taken: using (?<port>\d+)\.\n)?\nThe sequencer is running\.\n\n {2}API {7}(?<url>http:\S+)\n {2}Reference \k<url>\/docs\n {2}Key {7}(?<key>\S+)\n {2}Postgres {2}(?<databaseUrl>postgres:\S+)\n {2}Chain {5}(?<rpcUrl>http:\S+), chain (?<chainId>\d+), contract (?<contract>0x\w{40})\n\nTry it:\n {2}(?<curl>curl .+)\n\nThen, in another terminal: npm run demo\nCtrl-C stops it\.\n$/;

/** A row in Postgres, by which its data are known again. */
const MIRRORED = crypto.randomUUID();
const FIND_MIRRORED = `SELECT tenant_id FROM tenants WHERE tenant_id = '${MIRRORED}'`;

/** `npm start` in a process group of its own, as a terminal would have it. */
interface Started {
  readonly npm: ChildProcess;
  readonly text: () => string;
}

/** What it says of itself. */
interface Serving extends Server {
  readonly curl: string;
  readonly port: number;
  readonly databaseUrl: string;
  readonly rpcUrl: string;
  readonly chainId: string;
  readonly contract: string;
}

const started: ChildProcess[] = [];
let clone: string;

beforeAll(() => {
  clone = workingCopy();
});
afterEach(async () => {
  for (const child of started.splice(0)) await killGroup(child);
});
afterAll(removeTempDirs);

function npmStart(environment: Readonly<Record<string, string>>): Started {
  const npm = spawn("npm", ["start"], {
    cwd: clone,
    env: userEnvironment(environment),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.push(npm);
  return { npm, ...collectOutput(npm) };
}

async function untilServing({ npm, text }: Started): Promise<Serving> {
  await waitUntil(() => text().includes("Ctrl-C stops it."), 60_000, "npm start says that it runs", npm);
  expect(text()).toMatch(OUTPUT);
  const { url = "", key = "", curl = "", port, ...others } = OUTPUT.exec(text())?.groups ?? {};
  const { databaseUrl = "", rpcUrl = "", chainId = "", contract = "" } = others;
  if (port !== undefined) expect(new URL(url).port).toBe(port);
  return { url, apiKey: key, curl, databaseUrl, rpcUrl, chainId, contract, port: Number(new URL(url).port) };
}

/** Postgres servers or chains on the clone's data. */
function serversOf(what: "postgres" | "chain"): string[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "args="], { encoding: "utf8" });
  return stdout.split("\n").filter((line) => line.includes(join(clone, ".data", what)));
}

async function untilServersAreGone(ms: number): Promise<void> {
  await waitUntil(() => serversOf("postgres").length === 0, ms, "Postgres has ended");
  await waitUntil(() => serversOf("chain").length === 0, ms, "the chain has ended");
}

/** The first column of the first row. */
async function queryOne(databaseUrl: string, text: string): Promise<unknown> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(text);
    return Object.values(rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}

/** Exit code and output of an `npm start` that ends by itself. */
async function ended(run: Started): Promise<{ readonly code: number | null; readonly text: string }> {
  if (run.npm.exitCode === null && run.npm.signalCode === null) {
    await once(run.npm, "close", { signal: AbortSignal.timeout(30_000) });
  }
  return { code: run.npm.exitCode, text: run.text() };
}

async function expectAllGone({ npm, text }: Started, port: number): Promise<void> {
  const group = npm.pid ?? 0;
  await waitUntil(() => groupMembers(group).length === 0, 5_000, "everything that npm start started has ended");
  expect(await isPortFree(port, "127.0.0.1")).toBe(true);
  await untilServersAreGone(5_000);
  // It ends without a word.
  expect(text()).toMatch(OUTPUT);
}

/** Seals the signer's stream, and waits until the chain that was announced holds it up to this number. */
async function untilAnchored(server: Serving, { tenantId, storeId }: Signer, sequence: number): Promise<void> {
  await call(server, "POST", "/api/v1/ves/commitments", {
    tenantId,
    storeId,
    sequenceStart: sequence,
    sequenceEnd: sequence,
  });
  const path = `/api/v1/ves/head?tenant_id=${tenantId}&store_id=${storeId}`;
  const anchored = async (): Promise<number> =>
    (await call<{ anchored_sequence: number }>(server, "GET", path)).anchored_sequence;
  await waitUntil(async () => (await anchored()) === sequence, 30_000, "the event is anchored");
  expect(await sequenceOnChain(server, { tenantId, storeId })).toBe(BigInt(sequence));
}

/** How far the contract says that it holds the stream. */
async function sequenceOnChain(
  { rpcUrl, chainId, contract }: Pick<Serving, "rpcUrl" | "chainId" | "contract">,
  { tenantId, storeId }: StreamRef,
): Promise<bigint> {
  const client = createPublicClient({ transport: http(rpcUrl) });
  expect(String(await client.getChainId())).toBe(chainId);
  return client.readContract({
    address: contract as Hex,
    abi: stateSetAnchorAbi,
    functionName: "getLatestSequence",
    args: [uuidWord(tenantId), uuidWord(storeId)],
  });
}

describe("npm start", () => {
  let signer: Signer;
  let event: WireEnvelope;
  let receipt: Receipt | undefined;
  let contract: string;
  let variables: string;

  test("serves on a fresh clone, on the next port when 8080 is taken, until Ctrl-C", async () => {
    const blocker = createServer();
    const isBlocking = new Promise<void>((resolve) => {
      blocker.once("listening", resolve);
      // Somebody else has it already, which serves as well.
      blocker.once("error", () => resolve());
    });
    blocker.listen(8080, "127.0.0.1");
    await isBlocking;
    const run = npmStart({});
    let server: Awaited<ReturnType<typeof untilServing>>;
    try {
      server = await untilServing(run);
    } finally {
      blocker.close();
    }
    expect(run.text()).toContain("Port 8080 is taken: using ");
    expect(server.port).toBeGreaterThan(8080);

    expect(statSync(join(clone, ".dev.vars")).mode & 0o777).toBe(0o600);
    expect(existsSync(join(clone, ".data"))).toBe(true);
    variables = readFileSync(join(clone, ".dev.vars"), "utf8");
    const health = await (await fetch(`${server.url}/health`)).json();
    expect(health).toMatchObject({ status: "healthy" });
    const answer = execFileSync("sh", ["-c", server.curl], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    expect(JSON.parse(answer)).toMatchObject({ head_sequence: 0 });

    signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
    await registerKey(server, signer);
    event = await signEvent(signer, { entityType: "order", entityId: "1", eventType: "order.created", payload: 1 });
    [receipt] = (await push(server, signer.agentId, [event])).receipts ?? [];
    expect(receipt).toMatchObject({ eventId: event.event_id, sequenceNumber: 1 });

    ({ contract } = server);
    await queryOne(server.databaseUrl, `INSERT INTO tenants (tenant_id) VALUES ('${MIRRORED}')`);
    expect(serversOf("postgres")).not.toEqual([]);
    expect(serversOf("chain")).not.toEqual([]);
    await untilAnchored(server, signer, 1);

    // A terminal sends Ctrl-C to everything in it.
    process.kill(-(run.npm.pid ?? NaN), "SIGINT");
    await expectAllGone(run, server.port);
    await ended(run);
    expect([0, 130, "SIGINT"]).toContain(run.npm.exitCode ?? run.npm.signalCode);
  });

  test("keeps data, keys and chain; SIGTERM to npm alone stops all of it", async () => {
    const port = await freePort();
    const run = npmStart({ PORT: String(port) });
    const server = await untilServing(run);
    expect(server.url).toBe(`http://127.0.0.1:${port}`);
    expect(readFileSync(join(clone, ".dev.vars"), "utf8")).toBe(variables);
    const again = await push(server, signer.agentId, [event]);
    expect(again.receipts?.map(withoutProof)).toEqual([receipt]);
    expect(again.headSequence).toBe(1);
    expect(await queryOne(server.databaseUrl, FIND_MIRRORED)).toBe(MIRRORED);
    expect(server.contract).toBe(contract);
    expect(await sequenceOnChain(server, signer)).toBe(1n);
    const next = await signEvent(signer, { entityType: "order", entityId: "1", eventType: "order.paid", payload: 2 });
    await push(server, signer.agentId, [next]);
    await untilAnchored(server, signer, 2);

    const second = await ended(npmStart({}));
    expect(second.text).toContain("/.data/postgres: stop it first.\n");
    expect(second.code).toBe(1);

    run.npm.kill("SIGTERM");
    await expectAllGone(run, port);
  });

  test("kill -9 of all of it leaves no Postgres and no chain behind, and it starts again at once", async () => {
    const run = npmStart({ PORT: String(await freePort()) });
    await untilServing(run);
    process.kill(-(run.npm.pid ?? NaN), "SIGKILL");
    const next = npmStart({ PORT: String(await freePort()) });
    const server = await untilServing(next);
    expect(await queryOne(server.databaseUrl, FIND_MIRRORED)).toBe(MIRRORED);
    expect(await sequenceOnChain(server, signer)).toBe(2n);
    await killGroup(next.npm);
    await untilServersAreGone(10_000);
  });

  test("uses the database of DATABASE_URL and the chain of L2_RPC_URL, and starts none then", async () => {
    const [database, anvil] = await Promise.all([ownDatabase(inject("postgresUrl")), startAnvil({ chainId: 4_242 })]);
    try {
      const [owner, , sequencer] = DEV_ACCOUNTS;
      const run = npmStart({
        PORT: String(await freePort()),
        DATABASE_URL: database.url,
        L2_RPC_URL: anvil.url,
        L2_CHAIN_ID: "4242",
        SET_REGISTRY_ADDRESS: await deployAnchor(anvil.url, owner.privateKey, [sequencer.address]),
        SEQUENCER_PRIVATE_KEY: sequencer.privateKey,
        ANCHOR_CONFIRMATIONS: "0",
      });
      const server = await untilServing(run);
      expect(server).toMatchObject({ databaseUrl: database.url, rpcUrl: anvil.url, chainId: "4242" });
      expect([...serversOf("postgres"), ...serversOf("chain")]).toEqual([]);
      const stranger = await newSigner(crypto.randomUUID(), crypto.randomUUID());
      await registerKey(server, stranger);
      const fact = { entityType: "order", entityId: "1", eventType: "order.created", payload: 1 };
      await push(server, stranger.agentId, [await signEvent(stranger, fact)]);
      await untilAnchored(server, stranger, 1);
      run.npm.kill("SIGTERM");
      await expectAllGone(run, server.port);
      expect(await queryOne(server.databaseUrl, "SELECT 1")).toBe(1);
      expect(await sequenceOnChain(server, stranger)).toBe(1n);
    } finally {
      await anvil.stop();
      await database.drop();
    }
  });

  test("stops when it is told to while still starting", async () => {
    const port = await freePort();
    const run = npmStart({ PORT: String(port) });
    const hasWorkerd = (): boolean => groupMembers(run.npm.pid ?? 0).some((line) => line.includes("workerd serve"));
    await waitUntil(hasWorkerd, 60_000, "workerd is starting", run.npm);
    run.npm.kill("SIGTERM");
    await waitUntil(() => groupMembers(run.npm.pid ?? 0).length === 0, 10_000, "everything has ended");
    expect(await isPortFree(port, "127.0.0.1")).toBe(true);
  });
});

describe("npm start says in a sentence what is wrong, and exits with 1", () => {
  const HEADING = /^\n> stateset-sequencer@\S+ start\n> .*\n\n/;

  async function sentenceOf(environment: Readonly<Record<string, string>>): Promise<string> {
    const { code, text } = await ended(npmStart(environment));
    expect(code).toBe(1);
    expect(text).toMatch(HEADING);
    return text.replace(HEADING, "");
  }

  test("when PORT is taken", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    const address = blocker.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    try {
      expect(await sentenceOf({ PORT: String(port) })).toBe(
        `Port ${port} is taken. Set PORT to another one, or unset it to have one picked.\n`,
      );
    } finally {
      blocker.close();
    }
  });

  test.each(["abc", "65536"])("when PORT is %s", async (port) => {
    expect(await sentenceOf({ PORT: port })).toBe(
      "wrong configuration: PORT: expected a whole number from 1 to 65535. Correct it, in the environment or .dev.vars.\n",
    );
  });

  test.each([
    ["mysql://u:p@127.0.0.1/d", "DATABASE_URL must be of the form postgres://user:password@host:port/database.\n"],
    [
      "postgres://u:p@127.0.0.1:9/d",
      "The PostgreSQL database cannot be used: connect ECONNREFUSED 127.0.0.1:9. " +
        "DATABASE_URL names it; without that, one is made.\n",
    ],
  ])("when DATABASE_URL is %s", async (url, sentence) => {
    expect(await sentenceOf({ PORT: String(await freePort()), DATABASE_URL: url })).toBe(sentence);
  });

  test("when a variable of the Worker is wrong in the environment, after a warning of one that is misspelt", async () => {
    expect(await sentenceOf({ SEAL_MAX_EVENTS: "none", SEAL_MAX_AGE: "1" })).toBe(
      "The environment's SEAL_MAX_AGE is not read. Is SEAL_MAX_AGE_MS meant?\n" +
        "wrong configuration: SEAL_MAX_EVENTS: expected a whole number from 1 to 4096. " +
        "Correct it, in .dev.vars or the environment; without that file, one with new keys is made.\n",
    );
  });

  test("when only a part of what anchoring needs is set", async () => {
    const given = { L2_RPC_URL: "http://127.0.0.1:9", L2_CHAIN_ID: "1", SET_REGISTRY_ADDRESS: `0x${"1".repeat(40)}` };
    expect(await sentenceOf({ PORT: String(await freePort()), ...given })).toBe(
      "wrong configuration: anchoring needs SEQUENCER_PRIVATE_KEY too. " +
        "Set all of it, in the environment or .dev.vars, or nothing of it: a chain is started then.\n",
    );
  });

  test.each([
    ["VES_SEQUENCER_SIGNING_KEY", undefined],
    ["BOOTSTRAP_ADMIN_API_KEY", undefined],
    ["PAYLOAD_ENCRYPTION_KEY", undefined],
    ["MAX_EVENTS_PER_BATCH", "many"],
  ])("when .dev.vars has %s as %s", async (name, value) => {
    const path = join(clone, ".dev.vars");
    const good = {
      VES_SEQUENCER_SIGNING_KEY: "9d".repeat(32),
      BOOTSTRAP_ADMIN_API_KEY: "key",
      PAYLOAD_ENCRYPTION_KEY: "cd".repeat(32),
    };
    const lines = Object.entries({ ...good, [name]: value }).flatMap(([key, text]) =>
      text === undefined ? [] : [`${key}=${text}\n`],
    );
    const before = existsSync(path) ? readFileSync(path) : undefined;
    writeFileSync(path, lines.join(""));
    try {
      const sentence = await sentenceOf({ PORT: String(await freePort()) });
      expect(sentence).toMatch(new RegExp(`^wrong configuration: ${name}.*\\.dev\\.vars.*\\.\n$`));
    } finally {
      if (before !== undefined) writeFileSync(path, before);
    }
  });
});

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { call, push, registerKey } from "../../scripts/lib/client.ts";
import { newSigner, signEvent, type Signer } from "../../scripts/lib/signer.ts";
import { apiKeyHash } from "../../src/access/api-key.ts";
import { generateSeed, toHex } from "../../src/ves/index.ts";
import { type OwnDatabase, ownDatabase } from "../support/own-database.ts";
import { admin, type Outcome, streamOptions } from "./support/admin.ts";
import { bundleFile, removeTempDirs, type ServerProcess, startServer, tempDir } from "./support/processes.ts";

let database: OwnDatabase;
let server: ServerProcess;
let signer: Signer;
/** Holds the administrator's key. */
let keyFile: string;

beforeAll(async () => {
  database = await ownDatabase(inject("postgresUrl"));
  const variables = { SEAL_MAX_AGE_MS: "3600000", REQUIRE_PROOF_OF_POSSESSION: "true" };
  server = await startServer(await bundleFile(), tempDir(), { databaseUrl: database.url, variables });
  signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
  keyFile = join(tempDir(), "key");
  writeFileSync(keyFile, `${server.apiKey}\n`);
});

afterAll(async () => {
  await server.kill();
  await database.drop();
  removeTempDirs();
});

/** With the key in a file, so that it is on no command line. */
const run = (name: string, ...args: readonly string[]): Promise<Outcome> =>
  admin([name, "--url", server.url, "--key-file", keyFile, ...args]);

/** Runs with `--json`; nothing but the document may be printed. */
async function json<Document>(name: string, ...args: readonly string[]): Promise<Document> {
  const outcome = await run(name, ...args, "--json");
  expect(outcome).toMatchObject({ code: 0, err: "" });
  return JSON.parse(outcome.out) as Document;
}

const tenant = (): string[] => ["--tenant", signer.tenantId];
const agent = (): string[] => [...tenant(), "--agent", signer.agentId];

describe("API keys", () => {
  test("are minted as asked, shown once, listed by their hashes and revoked", async () => {
    const args = [...agent(), "--store", signer.storeId, "--read-only", "--expires-at", "2100-01-01T00:00:00Z"];
    const dry = await run("create-key", ...args, "--dry-run");
    expect(dry).toMatchObject({ code: 0, err: "" });
    expect(dry.out).toBe(`An API key of agent ${signer.agentId} would be minted, beside 0 keys that it has.\n`);
    const minted = await json<{ api_key: string; key_hash_prefix: string }>(
      "create-key",
      ...args,
      "--rate-limit",
      "100",
    );
    expect(minted).toMatchObject({
      tenant_id: signer.tenantId,
      agent_id: signer.agentId,
      permissions: "read",
      store_ids: [signer.storeId],
      rate_limit: 100,
      expires_at: "2100-01-01T00:00:00.000+00:00",
    });
    const hash = apiKeyHash(minted.api_key).slice(0, 16);
    expect(minted.key_hash_prefix).toBe(hash);
    const head = `/api/v1/ves/head?tenant_id=${signer.tenantId}&store_id=${signer.storeId}`;
    expect(await call({ url: server.url, apiKey: minted.api_key }, "GET", head)).toMatchObject({ head_sequence: 0 });

    const listed = await run("list-keys", ...agent());
    expect(listed.out).toMatch(new RegExp(`^${signer.agentId}  ${hash}  active  read +1 +100 +2100-01-01`, "m"));
    expect(listed.out).toMatch(/^AGENT +HASH +STATE +MAY +STORES +LIMIT +ENDS/);
    expect(listed.out).not.toContain(minted.api_key);
    expect((await run("revoke-key", ...agent(), "--hash", hash, "--dry-run")).out).toBe(
      `API key ${hash}, read, would be revoked.\n`,
    );
    expect(await json("list-keys", ...agent())).toMatchObject({ keys: [{ active: true }], count: 1 });
    expect((await run("revoke-key", ...agent(), "--hash", hash)).out).toBe(
      `API key ${hash} of agent ${signer.agentId} is revoked.\n`,
    );
    expect(await json("list-keys", ...agent())).toMatchObject({ keys: [{ active: false }], count: 1 });
  });

  test("for a new agent, as text; and all of a tenant's, as the mirror has them", async () => {
    const { code, out, err } = await run("create-key", ...tenant(), "--admin");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const [, id, key = ""] = /, agent (\S+)\nMay admin, in all stores\n.*\n.*\n\n(ss_\S+)\n\nKeep it/.exec(out) ?? [];
    expect(id).not.toBe(signer.agentId);
    await vi.waitFor(async () => expect(await json("list-keys", ...tenant())).toMatchObject({ count: 2 }), 10_000);
    const agents = await run("list-agents", "--api-key", key, "--url", server.url);
    // The file is still named beside it: which of the two is meant is not guessed.
    expect([agents.code, agents.err]).toEqual([
      2,
      "Give --api-key or --key-file, not both. See npm run admin -- list-agents --help\n",
    ]);
    const own = await admin(["list-agents", "--url", server.url], { SEQUENCER_API_KEY: key });
    expect(own.out).toMatch(new RegExp(`^${signer.tenantId}  ${id}  admin +all +1/1 +0/0$`, "m"));
    expect(own.out).toMatch(new RegExp(`^${signer.tenantId}  ${signer.agentId}  – +– +0/1 +0/0$`, "m"));
    expect(own.out).toMatch(/\n2 agents\n$/);
  });
});

describe("signing keys", () => {
  test("are registered with proof, replaced, listed and revoked", async () => {
    const seed = join(tempDir(), "seed");
    const text = toHex(generateSeed());
    writeFileSync(seed, text);
    const first = await json("register-agent-key", ...agent(), "--private-key-file", seed);
    expect(first).toMatchObject({ agent_id: signer.agentId, key_id: 1, revoked: [] });
    expect(JSON.stringify(first)).not.toContain(text);

    writeFileSync(seed, toHex(generateSeed()));
    const rotate = ["--tenant-id", signer.tenantId, "--agent-id", signer.agentId, "--private-key-file", seed];
    const dry = await run("rotate-keys", ...rotate, "--new-key-id=7", "--revoke-old", "--dry-run");
    expect(dry.out).toBe(`A key of agent ${signer.agentId} would be registered, and 1 revoked.\n`);
    const rotated = await run("rotate-keys", ...rotate, "--new-key-id=7", "--revoke-old");
    expect(rotated.out).toBe(`Key 7 of agent ${signer.agentId} is registered, and 1 revoked.\n`);
    const listed = await run("list-agent-keys", ...agent());
    expect(listed.out).toMatch(/ 1 +revoked +[0-9a-f]{64} +always\n.* 7 +active +/);

    const revoke = [...agent(), "--key-id", "7"];
    expect((await run("revoke-agent-key", ...revoke, "--dry-run")).out).toMatch(
      /which is active, would be revoked\.\n$/,
    );
    expect(await json("revoke-agent-key", ...revoke)).toMatchObject({ key_id: 7, revoked_at: expect.any(String) });
    expect(await json("list-agent-keys", ...agent())).toMatchObject({
      keys: [{ status: "revoked" }, { status: "revoked" }],
    });
  });

  test("without proof are refused where it is demanded", async () => {
    const refused = await run("register-agent-key", ...agent(), "--public-key", toHex(signer.key.publicKey));
    expect([refused.code, refused.out]).toEqual([1, ""]);
    expect(refused.err).toMatch(/^400 MISSING_REQUIRED_FIELD: proofOfPossession is demanded by this deployment\n$/);
  });
});

test("commit-and-anchor says what it would seal, and that this deployment anchors nothing", async () => {
  await registerKey(server, { ...signer, keyId: 9 });
  const event = await signEvent(
    { ...signer, keyId: 9 },
    { entityType: "order", entityId: "o1", eventType: "order.created", payload: {} },
  );
  await push(server, signer.agentId, [event]);
  const args = streamOptions(signer);
  expect((await run("ves-commit-and-anchor", ...args, "--dry-run")).out).toBe("1 event, 1 to 1, would be sealed.\n");
  const refused = await run("commit-and-anchor", ...args);
  expect([refused.code, refused.out]).toEqual([1, ""]);
  expect(refused.err).toMatch(/^503 ANCHOR_NOT_CONFIGURED: /);
});

import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateEncryptionKey, type EncryptionKey } from "../../agent/src/encryption/index.ts";
import { type Agent, type AgentOptions, createAgent } from "../../agent/src/index.ts";
import { openSqliteStore } from "../../agent/src/sqlite.ts";
import { call, registerKey } from "../../scripts/lib/client.ts";
import { newSigner } from "../../scripts/lib/signer.ts";
import { toHex } from "../../src/ves/index.ts";
import { bundleFile, removeTempDirs, type ServerProcess, startServer, tempDir } from "./support/processes.ts";
import { textsInFiles } from "./support/search-storage.ts";

/*
 * Three agents and one server, which stores payloads as it gets them: what any of them could read on its disk, the search would find.
 */

const SECRET = "Karla Ångström, 12 Elm Street";
const CONTROL = "nobody has encrypted this";
/** Of an encrypted payload; shows that the search finds what is stored. */
const STORED = "ciphertext_b64u";

const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
const order = { entityType: "order", entityId: "1", eventType: "order.created" };

interface Member {
  readonly agent: Agent;
  readonly key: EncryptionKey;
  /** Where its store is. */
  readonly directory: string;
}

let server: ServerProcess;
let dataDirectory: string;
let members: readonly Member[];

beforeAll(async () => {
  dataDirectory = tempDir();
  const variables = { SEAL_MAX_EVENTS: "1", PAYLOAD_ENCRYPTION_MODE: "disabled" };
  server = await startServer(await bundleFile(), dataDirectory, { variables, keepErrors: true });
  members = await Promise.all([newMember(), newMember({ onConflict: "rebase" }), newMember()]);
});
afterAll(async () => {
  await Promise.all(members.map(({ agent }) => agent.close()));
  await server.kill();
  removeTempDirs();
});

/** An agent whose keys are registered. */
async function newMember(options: Partial<AgentOptions> = {}): Promise<Member> {
  const signer = await newSigner(stream.tenantId, stream.storeId);
  await registerKey(server, signer);
  const key = await generateEncryptionKey();
  const directory = tempDir();
  const agent = await createAgent({
    url: server.url,
    credential: server.apiKey,
    identity: { ...stream, agentId: signer.agentId, keyId: signer.keyId },
    keys: { signing: signer.key, encryption: { keyring: new Map([[key.kid, key.privateKey]]) } },
    store: openSqliteStore(join(directory, "agent.db")),
    ...options,
  });
  await agent.registerEncryptionKey();
  return { agent, key, directory };
}

const member = (index: number): Member => members[index] as Member;

/** What an agent reads of an event. */
async function read(index: number, eventId: string) {
  const { payload, payloadState } = await member(index).agent.waitFor(eventId);
  return [payload, payloadState.kind];
}

test("an event that one agent encrypts to another is read by these two, and by no third", async () => {
  const [{ agent: sender }, { agent: receiver }] = [member(0), member(1)];
  const recipient = await sender.findRecipient(receiver.identity.agentId);
  const { eventId } = await sender.record({ ...order, payload: { to: SECRET }, encryptTo: [recipient] });
  expect((await sender.sync()).push.outcomes).toMatchObject([{ kind: "accepted", eventId }]);
  expect(await read(0, eventId)).toEqual([{ to: SECRET }, "decrypted"]);
  expect(await read(1, eventId)).toEqual([{ to: SECRET }, "decrypted"]);
  expect(await read(2, eventId)).toEqual([null, "not_for_us"]);
  const evidence = await sender.proof(eventId, { timeoutMs: 10_000 });
  expect(await member(2).agent.verify(evidence)).toMatchObject({ valid: true });
});

test("one that is rebased is encrypted anew, and told to a watcher who can read it", async () => {
  const [{ agent: sender }, { agent: receiver }] = [member(1), member(0)];
  const encryptTo = [await sender.findRecipient(receiver.identity.agentId)];
  await sender.pull();
  await sender.record({ ...order, payload: { again: SECRET }, baseVersion: "current", encryptTo });
  await member(2).agent.record({ ...order, payload: { note: CONTROL } });
  await member(2).agent.sync();
  expect(await sender.sync()).toMatchObject({ rebased: 1, unresolved: [] });
  for await (const watched of receiver.watch({ from: 3 })) {
    expect(watched).toMatchObject({ kind: "event", event: { payload: { again: SECRET } } });
    break;
  }
  expect((await member(2).agent.history("order", "1")).events.map(({ payload }) => payload)).toEqual([
    null,
    { note: CONTROL },
  ]);
});

test("a key that was revoked is not found any more", async () => {
  const { agent, key } = member(2);
  const { tenantId, agentId } = agent.identity;
  expect(await member(0).agent.findRecipient(agentId)).toMatchObject({ kid: key.kid });
  await call(server, "DELETE", `/api/v1/agents/${agentId}/encryption-keys/${key.kid}?tenant_id=${tenantId}`);
  await expect(member(0).agent.findRecipient(agentId)).rejects.toMatchObject({ code: "NO_ENCRYPTION_KEY" });
});

test("the content is in no file of the server, and in none of an agent", async () => {
  await Promise.all(members.map(({ agent }) => agent.close()));
  await server.kill();
  const texts = [SECRET, ...members.map(({ key }) => toHex(key.privateKey)), STORED, CONTROL];
  for (const directory of [dataDirectory, ...members.map((one) => one.directory)]) {
    expect(textsInFiles(texts, directory)).toEqual([STORED, CONTROL]);
  }
  expect(server.errors()).not.toContain(SECRET);
});

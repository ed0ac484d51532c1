import { afterAll, beforeAll, expect, inject, test } from "vitest";
import {
  decryptPayload,
  encryptionPublicKey,
  type EncryptionKey,
  findRecipient,
  generateEncryptionKey,
  type GroupMember,
  groupFromJson,
  groupToJson,
  newGroup,
  type Recipient,
  type RecipientGroup,
  registrationBody,
  withoutAgents,
} from "../../agent/src/encryption/index.ts";
import { call, push, registerKey } from "../../scripts/lib/client.ts";
import { newSigner, type Signer, signEvent } from "../../scripts/lib/signer.ts";
import {
  type Envelope,
  envelopeSchema,
  eventSigningHash,
  fromHex,
  type JsonValue,
  type Receipt,
  stateRoot,
  toHex,
  toWireEnvelope,
  verifyEd25519,
  verifyEventInclusion,
  verifyReceipt,
} from "../../src/ves/index.ts";
import { endToEndEvent } from "../support/end-to-end-event.ts";
import { type OwnDatabase, ownDatabase } from "../support/own-database.ts";
import { admin, sealAndMirror, serverOptions, streamOptions } from "./support/admin.ts";
import {
  bundleFile,
  receiptPublicKey,
  removeTempDirs,
  type ServerProcess,
  startServer,
  tempDir,
} from "./support/processes.ts";
import { textsInStorage } from "./support/search-storage.ts";

/*
 * Four agents and one server, which stores payloads as it gets them: what it could read, the search would find.
 */

const SECRET = "Karla Ångström, 12 Elm Street";
const CONTROL = "nobody has encrypted this";
/** Of an encrypted payload; shows that the search finds what is stored. */
const STORED = "ciphertext_b64u";

interface Agent {
  readonly signer: Signer;
  readonly key: EncryptionKey;
}

/** A receipt of a sealed event. */
interface Proven extends Receipt {
  readonly merkleProof: {
    readonly batchId: string;
    readonly merkleRoot: string;
    readonly leafCount: number;
    readonly proofPath: readonly string[];
    readonly sequenceStart: number;
  };
}

interface Batch {
  readonly merkle_root: string;
  readonly prev_state_root: string;
  readonly new_state_root: string;
  readonly sequence_start: number;
  readonly sequence_end: number;
  readonly leaf_count: number;
}

let database: OwnDatabase;
let server: ServerProcess;
let dataDirectory: string;
let agents: readonly Agent[];

beforeAll(async () => {
  database = await ownDatabase(inject("postgresUrl"));
  dataDirectory = tempDir();
  server = await startServer(await bundleFile(), dataDirectory, {
    databaseUrl: database.url,
    variables: { SEAL_MAX_AGE_MS: "3600000", PAYLOAD_ENCRYPTION_MODE: "disabled" },
    keepErrors: true,
  });
  const [tenantId, storeId] = [crypto.randomUUID(), crypto.randomUUID()];
  agents = await Promise.all([0, 1, 2, 3].map(() => newAgent(tenantId, storeId)));
});
afterAll(async () => {
  await server.kill();
  await database.drop();
  removeTempDirs();
});

/** An agent whose keys are registered. */
async function newAgent(tenantId: string, storeId: string): Promise<Agent> {
  const signer = await newSigner(tenantId, storeId);
  await registerKey(server, signer);
  const key = await generateEncryptionKey();
  const body = await registrationBody({ ...signer, signingKeyId: signer.keyId, signingKey: signer.key, key });
  await call(server, "POST", `/api/v1/agents/${signer.agentId}/encryption-keys`, body);
  return { signer, key };
}

const agent = (index: number): Agent => agents[index] as Agent;

/** What the directory gives for an agent, every signature checked. */
async function recipient(index: number): Promise<GroupMember> {
  const trust = { sequencerKeys: [await receiptPublicKey()] };
  return findRecipient((path) => call<JsonValue>(server, "GET", path), agent(index).signer, trust);
}

/** Pushes a payload of the first agent, encrypted to these. */
async function send(payload: JsonValue, recipients: readonly Recipient[]): Promise<string> {
  const fact = { entityType: "order", entityId: "o1", eventType: "order.created", payload };
  const event = await endToEndEvent(agent(0).signer, fact, recipients);
  const answer = await push(server, agent(0).signer.agentId, [toWireEnvelope(event)]);
  expect(answer).toMatchObject({ eventsAccepted: 1 });
  return event.event_id;
}

/** Who of the four reads the event as the server gives it back, and what: signature first, then content. */
async function readers(eventId: string): Promise<[number, JsonValue][]> {
  const envelope = await fetchEvent(eventId);
  const read = agents.map(async ({ key }, index): Promise<[number, JsonValue][]> => {
    try {
      return [[index, await decryptPayload({ envelope, ...key })]];
    } catch (error) {
      expect(error).toMatchObject({ name: "EncryptionError" });
      return [];
    }
  });
  return (await Promise.all(read)).flat();
}

const ofStream = (): string => `tenant_id=${agent(0).signer.tenantId}&store_id=${agent(0).signer.storeId}`;

async function fetchEvent(eventId: string): Promise<Envelope> {
  const answer = await call<{ envelope: unknown }>(server, "GET", `/api/v1/ves/events/${eventId}?${ofStream()}`);
  const envelope = envelopeSchema.parse(answer.envelope);
  const { publicKey } = agent(0).signer.key;
  expect(await verifyEd25519(publicKey, eventSigningHash(envelope), envelope.agent_signature)).toBe(true);
  return envelope;
}

test("A encrypts to B and C: they read it, D does not, and A itself does not either", async () => {
  const eventId = await send({ to: SECRET }, [await recipient(1), await recipient(2)]);
  expect(await readers(eventId)).toEqual([
    [1, { to: SECRET }],
    [2, { to: SECRET }],
  ]);
});

test("a member who is removed from a group that is kept in the log reads what was before, and nothing later", async () => {
  /** Publishes a state of the group: the entity's version is its epoch, so nobody else can publish the same one. */
  const publish = async (group: RecipientGroup) => {
    const base = { entityType: "encryption-group", entityId: group.name, eventType: "encryption_group.changed" };
    const event = await signEvent(agent(0).signer, {
      ...base,
      payload: groupToJson(group),
      baseVersion: group.epoch - 1,
    });
    return push(server, agent(0).signer.agentId, [event]);
  };
  const inForce = async (): Promise<RecipientGroup> => {
    const path = `/api/v1/ves/entities/encryption-group/buyers?${ofStream()}`;
    const { events } = await call<{ events: { payload: JsonValue }[] }>(server, "GET", path);
    return groupFromJson(events.at(-1)?.payload ?? null);
  };
  const first = newGroup("buyers", await Promise.all([1, 2, 3].map(recipient)));
  expect(await publish(first)).toMatchObject({ eventsAccepted: 1 });
  const before = await send(SECRET, (await inForce()).members);
  const removal = withoutAgents(await inForce(), [agent(2).signer.agentId]);
  expect(await publish(removal)).toMatchObject({ eventsAccepted: 1 });
  expect(await publish({ ...first, epoch: 2 })).toMatchObject({
    rejections: [{ reason: "version_conflict: expected 1, actual 2" }],
  });
  const after = await send(SECRET, (await inForce()).members);
  expect((await readers(before)).map(([index]) => index)).toEqual([1, 2, 3]);
  expect((await readers(after)).map(([index]) => index)).toEqual([1, 3]);
});

test("once the keys are gone nobody reads the content, and the log is as provable as before", async () => {
  const subject = await generateEncryptionKey();
  const eventId = await send({ customer: SECRET }, [subject]);
  const envelope = await fetchEvent(eventId);
  expect(await decryptPayload({ envelope, ...subject })).toEqual({ customer: SECRET });
  await sealAndMirror(server, agent(0).signer);

  subject.privateKey.fill(0);
  await expect(decryptPayload({ envelope, ...subject })).rejects.toMatchObject({ code: "key_unwrap_failed" });
  expect(await readers(eventId)).toEqual([]);
  expect(await encryptionPublicKey(subject.privateKey)).not.toEqual(subject.publicKey);

  const receipt = await call<Proven>(server, "GET", `/api/v1/ves/receipts/${eventId}?${ofStream()}`);
  expect(await verifyReceipt(receipt, envelope, await receiptPublicKey())).toEqual({ valid: true });
  const { merkleProof: proof, sequenceNumber } = receipt;
  const claim = {
    ...agent(0).signer,
    sequenceNumber,
    eventSigningHash: eventSigningHash(envelope),
    agentSignature: envelope.agent_signature,
    sequenceStart: proof.sequenceStart,
    leafCount: proof.leafCount,
    path: proof.proofPath.map((hash) => fromHex(hash)),
    root: fromHex(proof.merkleRoot),
  };
  expect(verifyEventInclusion(claim)).toBe(true);
  const batch = await call<Batch>(server, "GET", `/api/v1/ves/commitments/${proof.batchId}?${ofStream()}`);
  expect(batch.merkle_root).toBe(proof.merkleRoot);
  const state = stateRoot({
    ...agent(0).signer,
    prevStateRoot: fromHex(batch.prev_state_root),
    merkleRoot: fromHex(batch.merkle_root),
    sequenceStart: batch.sequence_start,
    sequenceEnd: batch.sequence_end,
    leafCount: batch.leaf_count,
  });
  expect(toHex(state)).toBe(batch.new_state_root);
  const fsck = await admin(["fsck", ...serverOptions(server), ...streamOptions(agent(0).signer)]);
  expect(fsck).toMatchObject({ code: 0, out: expect.stringContaining("no differences") as string });
});

test("the server has never had the content: it is in no file, no table and no message of it", async () => {
  const fact = { entityType: "order", entityId: "o2", eventType: "order.created", payload: CONTROL };
  await push(server, agent(0).signer.agentId, [await signEvent(agent(0).signer, fact)]);
  await sealAndMirror(server, agent(0).signer);
  await server.kill();
  const keys = agents.flatMap(({ key }) => [toHex(key.privateKey)]);
  expect(await textsInStorage([SECRET, ...keys, STORED, CONTROL], dataDirectory, database)).toEqual({
    files: [STORED, CONTROL],
    database: [STORED, CONTROL],
  });
  expect(server.errors()).not.toContain(SECRET);
});

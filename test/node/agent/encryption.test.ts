import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decryptWithKeyring,
  type EncryptionKey,
  generateEncryptionKey,
  newGroup,
} from "../../../agent/src/encryption/index.ts";
import { memoryStore } from "../../../agent/src/store/memory.ts";
import type { AgentStore } from "../../../agent/src/store/store.ts";
import {
  canonicalJson,
  envelopeSchema,
  generateSeed,
  type JsonValue,
  signingKeyFromSeed,
} from "../../../src/ves/index.ts";
import { type TestAgentOptions, testStream } from "../../support/agents.ts";

const SECRET = "Karla Ångström, 12 Elm Street";
const order = { entityType: "order", entityId: "1", eventType: "order.created", payload: { to: SECRET } };
const based = { ...order, baseVersion: "current" as const };

const keys = await Promise.all([0, 1, 2, 3].map(() => generateEncryptionKey()));
const [mine, theirs, older, stranger] = keys as [EncryptionKey, EncryptionKey, EncryptionKey, EncryptionKey];

const ring = (...of: EncryptionKey[]) => ({ keyring: new Map(of.map(({ kid, privateKey }) => [kid, privateKey])) });

/** An agent that writes, with these keys, and one that reads with those. */
async function pair(
  writerKeys: readonly EncryptionKey[],
  readerKeys: readonly EncryptionKey[],
  options: TestAgentOptions = {},
) {
  const { model, agent: newAgent } = await testStream();
  const store = memoryStore();
  const { agent: writer, identity } = await newAgent({ encryption: ring(...writerKeys), store, ...options });
  const { agent: reader } = await newAgent({ encryption: ring(...readerKeys) });
  return { model, writer, reader, store, identity, newAgent };
}

/** All that a store holds of a stream's outbox and log, as text. */
function textOf(store: AgentStore, stream: { readonly tenantId: string; readonly storeId: string }): string {
  return store.transaction(stream, (tables) => JSON.stringify([tables.outbox({}), tables.pulled({})]));
}

describe("an event that is recorded encrypted", () => {
  test("is ciphertext in the store, on the wire and in the log, and read by its recipients", async () => {
    const { model, writer, reader, store, identity } = await pair([mine], [theirs]);
    model.interfere = () => "cut";
    const { eventId, envelope } = await writer.record({ ...order, encryptTo: [theirs] });
    expect(envelope).not.toContain("Karla");
    expect((await writer.history("order", "1")).unsequenced).toMatchObject([
      { eventId, payload: order.payload, payloadState: { kind: "decrypted" } },
    ]);
    model.interfere = () => undefined;
    await writer.sync();
    await reader.sync();
    expect(textOf(store, identity)).not.toContain("Karla");
    expect(JSON.stringify(model.log)).not.toContain("Karla");
    const read = { payload: order.payload, payloadState: { kind: "decrypted" } };
    expect(await reader.waitFor(eventId)).toMatchObject({ ...read, envelope: { payload_kind: 1 } });
    expect((await reader.waitFor(eventId)).envelope).not.toHaveProperty("payload");
    expect((await reader.history("order", "1")).events).toMatchObject([read]);
    expect(await reader.waitFor(({ payload }) => canonicalJson(payload).includes("Karla"), { from: 1 })).toMatchObject(
      read,
    );
    for await (const watched of reader.watch({ from: 1 })) {
      expect(watched).toMatchObject({ kind: "event", event: read });
      break;
    }
    expect((await writer.history("order", "1")).events).toMatchObject([read]);
  });

  test("with an open payload beside it is not what was signed", async () => {
    const { model, writer, reader } = await pair([mine], []);
    await writer.record({ ...order, encryptTo: [theirs] });
    await writer.push();
    Object.assign(model.log[0] ?? {}, { payload: { to: "somebody else" } });
    expect(await reader.pull()).toMatchObject({ pulled: 1, quarantined: 1 });
  });

  test("has any payload that JSON has, unchanged", async () => {
    const { writer } = await pair([mine], []);
    const payloads = fc.jsonValue().filter((value) => value !== null);
    let n = 0;
    await fc.assert(
      fc.asyncProperty(payloads, async (value) => {
        const payload = JSON.parse(JSON.stringify(value)) as JsonValue;
        const entityId = `any ${n++}`;
        const { envelope } = await writer.record({ ...order, entityId, payload, encryptTo: [theirs] });
        const read = await decryptWithKeyring(envelopeSchema.parse(JSON.parse(envelope)), ring(theirs).keyring);
        expect(read).toEqual(payload);
        expect((await writer.history("order", entityId)).unsequenced).toMatchObject([{ payload }]);
      }),
      { numRuns: 50 },
    );
  });

  const group = newGroup("buyers", [
    { ...theirs, agentId: crypto.randomUUID() },
    { ...older, agentId: crypto.randomUUID() },
  ]);
  test.each([
    ["keys, and the agent itself", [mine], { encryptTo: [theirs] }, [mine, theirs]],
    ["nobody but the agent itself", [mine], { encryptTo: [] }, [mine]],
    ["a group, and the agent itself", [mine], { encryptTo: group }, [mine, theirs, older]],
    ["the agent itself once", [mine], { encryptTo: [mine, theirs] }, [mine, theirs]],
    ["the newest key of the agent", [older, mine], { encryptTo: [theirs] }, [mine, theirs]],
    ["nobody but others", [mine], { encryptTo: [theirs], encryptToSelf: false }, [theirs]],
    ["others, by an agent without a key", [], { encryptTo: [theirs] }, [theirs]],
  ])("is encrypted to %s", async (_whom, writerKeys, how, recipients) => {
    const { writer } = await pair(writerKeys, []);
    const { envelope } = await writer.record({ ...order, ...how });
    const kids = envelopeSchema
      .parse(JSON.parse(envelope))
      .payload_encrypted?.recipients.map((one) => one.recipient_kid);
    expect(kids).toEqual(recipients.map(({ kid }) => kid).toSorted((a, b) => a - b));
  });

  const zero = { kid: 1, publicKey: new Uint8Array(32) };
  test.each([
    ["to nobody", [], { encryptTo: [] }, /encryptTo: expected 1 to 256 recipients/],
    ["to too many", [], { encryptTo: Array.from({ length: 257 }, (_, kid) => ({ ...theirs, kid })) }, /1 to 256/],
    ["to two keys of one kid", [], { encryptTo: [theirs, { ...older, kid: theirs.kid }] }, /two recipients/],
    ["to a key that is none", [mine], { encryptTo: [zero] }, /nothing can be encrypted to the key 1/],
    ["when it is too long then", [mine], { encryptTo: [], payload: "x".repeat(800_000) }, /once it is encrypted/],
  ])("is refused %s, and nothing of it stored", async (_how, writerKeys, how, message) => {
    const { writer } = await pair(writerKeys, []);
    const refused = writer.record({ ...based, ...how });
    const next = writer.record(based);
    await expect(refused).rejects.toMatchObject({
      name: "AgentError",
      code: "INVALID_EVENT",
      message: expect.stringMatching(message) as unknown,
    });
    // The version that it would have made is not counted.
    expect(await next).toMatchObject({ baseVersion: 0 });
    expect(writer.status().outbox.pending).toBe(1);
  });

  test("keeps its place among those that are not", async () => {
    const { model, writer } = await pair([mine], []);
    const recorded = await Promise.all(
      Array.from({ length: 40 }, (_, n) => writer.record({ ...based, ...(n % 3 === 0 ? { encryptTo: [] } : {}) })),
    );
    expect(recorded.map(({ baseVersion }) => baseVersion)).toEqual(recorded.map((_, index) => index));
    await writer.push();
    expect(model.log.map(({ event_id: id }) => id)).toEqual(recorded.map(({ eventId }) => eventId));
  });
});

describe("an encrypted event that is pulled", () => {
  test.each([
    ["decrypted with a key that was replaced", [older, mine], { kind: "decrypted" }],
    ["not for us", [stranger], { kind: "not_for_us" }],
    ["not for us without any key", [], { kind: "not_for_us" }],
    [
      "not decrypted with another key of that kid",
      [{ ...stranger, kid: older.kid }],
      { kind: "failed", code: "key_unwrap_failed" },
    ],
  ])("is %s", async (_how, readerKeys, payloadState) => {
    const { writer, reader } = await pair([], readerKeys);
    const { eventId } = await writer.record({ ...order, encryptTo: [older] });
    await writer.push();
    await reader.pull();
    const payload = payloadState.kind === "decrypted" ? order.payload : null;
    expect(await reader.waitFor(eventId)).toMatchObject({ payload, payloadState });
    expect(reader.quarantined()).toEqual([]);
  });

  test("is another thing than one that is not encrypted", async () => {
    const { writer, reader } = await pair([], []);
    const { eventId } = await writer.record(order);
    await writer.push();
    expect(await reader.waitFor(eventId)).toMatchObject({ payload: order.payload, payloadState: { kind: "plain" } });
  });

  test.each([
    ["a key that is not in the ring", { ...ring(mine), ownKid: theirs.kid }],
    ["a key of another length", { keyring: new Map([[1, new Uint8Array(31)]]) }],
    ["no kid", { keyring: new Map([[-1, mine.privateKey]]) }],
  ])("cannot be read with %s: there is no such agent", async (_what, encryption) => {
    const { agent: newAgent } = await testStream();
    await expect(newAgent({ encryption })).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
  });
});

describe("an encrypted event in conflict", () => {
  async function conflicting(writerKeys: readonly EncryptionKey[], how: object, options: TestAgentOptions = {}) {
    const world = await pair(writerKeys, [theirs], options);
    const { eventId } = await world.writer.record({ ...based, ...how });
    await world.reader.record({ ...order, payload: { by: "another" } });
    await world.reader.push();
    return { ...world, eventId };
  }

  test("is encrypted anew to the same keys when it is rebased, under its new id", async () => {
    const { model, writer, reader, eventId, store, identity } = await conflicting([mine], {
      encryptTo: [theirs, older],
    });
    expect(await writer.sync()).toMatchObject({ rebased: 0, unresolved: [] });
    const replacement = (await writer.resolve(eventId, "rebase")) ?? "";
    await writer.sync();
    expect(model.log).toHaveLength(2);
    expect(model.log[1]).toMatchObject({
      event_id: replacement,
      command_id: eventId,
      base_version: 1,
      payload_kind: 1,
    });
    await reader.pull();
    expect(await reader.waitFor(replacement)).toMatchObject({ payload: order.payload });
    for (const key of [mine, theirs, older]) {
      expect(await decryptWithKeyring(envelopeSchema.parse(model.log[1]), ring(key).keyring)).toEqual(order.payload);
    }
    expect(textOf(store, identity)).not.toContain("Karla");
  });

  test("is rebased by an agent that was started again, with the keys that it has then", async () => {
    const store = memoryStore();
    const { eventId, identity, newAgent, model } = await conflicting([older], { encryptTo: [theirs] }, { store });
    const encryption = ring(older, mine);
    const seed = await signingKeyFromSeed(generateSeed());
    const rotated = { ...identity, keyId: 2 };
    model.register(rotated, seed);
    const { agent } = await newAgent({ identity: rotated, key: seed, store, encryption, onConflict: "rebase" });
    expect(await agent.sync()).toMatchObject({ rebased: 1, unresolved: [] });
    expect(model.log[1]).toMatchObject({ command_id: eventId, agent_key_id: 2 });
    expect(await decryptWithKeyring(envelopeSchema.parse(model.log[1]), ring(theirs).keyring)).toEqual(order.payload);
  });

  test.each([
    ["it is encrypted to others alone", [mine], { encryptTo: [theirs], encryptToSelf: false }],
    ["the agent has no key", [], { encryptTo: [theirs] }],
  ])("is not rebased when %s, and says what to do", async (_why, writerKeys, how) => {
    const { model, writer, eventId } = await conflicting(writerKeys, how, { onConflict: "rebase" });
    const other = await writer.record({ ...based, entityId: "2" });
    const { rebased, unresolved } = await writer.sync();
    expect(rebased).toBe(0);
    expect(unresolved).toMatchObject([{ eventId, error: { code: "CANNOT_ENCRYPT_ANEW" } }]);
    expect(writer.conflicts()).toMatchObject([{ eventId }]);
    expect(model.log.at(-1)).toMatchObject({ event_id: other.eventId });
    await expect(writer.resolve(eventId, "rebase")).rejects.toMatchObject({
      code: "CANNOT_ENCRYPT_ANEW",
      message: expect.stringMatching(/drop it, and record it anew$/) as unknown,
    });
    expect(await writer.resolve(eventId, "drop")).toBeNull();
    await writer.record({ ...based, ...how });
    expect((await writer.sync()).push.outcomes).toMatchObject([{ kind: "accepted" }]);
  });

  test("cannot be encrypted anew to a key that took another one's kid", async () => {
    const { writer } = await pair([mine], []);
    await writer.record({ ...based, encryptTo: [theirs] });
    await expect(writer.record({ ...based, encryptTo: [{ ...stranger, kid: theirs.kid }] })).rejects.toMatchObject({
      code: "INVALID_EVENT",
      message: expect.stringContaining(`${theirs.kid}`) as unknown,
    });
    expect(writer.status().outbox.pending).toBe(1);
  });
});

describe("keys that others encrypt to", () => {
  test("are registered by their agent and found by others, verified", async () => {
    const { writer, reader, identity } = await pair([older, mine], []);
    await writer.registerEncryptionKey({ key: older });
    await writer.registerEncryptionKey({ validTo: new Date(Date.now() + 60_000) });
    const found = await reader.findRecipient(identity.agentId);
    expect(found).toEqual({ agentId: identity.agentId, kid: mine.kid, publicKey: mine.publicKey, signingKeyId: 1 });
    const { eventId } = await reader.record({ ...order, encryptTo: [found] });
    await reader.push();
    expect(await writer.waitFor(eventId)).toMatchObject({ payload: order.payload });
  });

  test("are found after the sequencer has changed its own key, once that is approved", async () => {
    const { model, writer, reader, identity, newAgent } = await pair([mine], []);
    const { agent: approving } = await newAgent({ trust: { approveKey: ({ version }) => version === 2 } });
    await writer.registerEncryptionKey();
    for (const one of [reader, approving]) await one.findRecipient(identity.agentId);
    model.keys.set(2, await signingKeyFromSeed(generateSeed()));
    expect(await approving.findRecipient(identity.agentId)).toMatchObject({ kid: mine.kid });
    await expect(reader.findRecipient(identity.agentId)).rejects.toMatchObject({ code: "SEQUENCER_KEY_NOT_APPROVED" });
  });

  test("are not found, with an error that says why", async () => {
    const { model, writer, reader, identity } = await pair([mine], []);
    await expect(reader.registerEncryptionKey()).rejects.toMatchObject({ code: "INVALID_OPTIONS" });
    await expect(reader.findRecipient(identity.agentId)).rejects.toMatchObject({
      code: "NO_ENCRYPTION_KEY",
      cause: { code: "no_usable_key" },
    });
    await writer.registerEncryptionKey();
    const pinned = new Map([
      [1, { keyId: 1, publicKey: stranger.publicKey, validFrom: null, validTo: null, revokedAt: null }],
    ]);
    await expect(reader.findRecipient(identity.agentId, { signingKeys: pinned })).rejects.toMatchObject({
      code: "INVALID_DIRECTORY",
      cause: { code: "registration_signature_invalid" },
    });
    model.interfere = ({ path }) =>
      path.includes("/encryption-keys") ? (answer) => ({ ...answer, keys: [] }) : undefined;
    await expect(reader.findRecipient(identity.agentId)).rejects.toMatchObject({
      code: "INVALID_DIRECTORY",
      cause: { code: "directory_signature_invalid" },
    });
    model.interfere = () => ({ status: 403, code: "FORBIDDEN" });
    await expect(reader.findRecipient(identity.agentId)).rejects.toMatchObject({ code: "FORBIDDEN" });
  });
});

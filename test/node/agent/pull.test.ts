import { describe, expect, test, vi } from "vitest";
import { openSqliteStore } from "../../../agent/src/store/sqlite.ts";
import {
  type EncryptedPayload,
  type Envelope,
  envelopeSchema,
  eventSigningHash,
  generateSeed,
  type JsonObject,
  type SigningKey,
  signingKeyFromSeed,
  to0xHex,
  toWireEnvelope,
} from "../../../src/ves/index.ts";
import { orderEvent, pushSome, testStream } from "../../support/agents.ts";
import { encryptedOf, uncoveredOf } from "../../support/encrypted-event.ts";

type Model = Awaited<ReturnType<typeof testStream>>["model"];

describe("pull", () => {
  test("brings verified events, once, and goes on where it stopped", async () => {
    const { model, agent: newAgent } = await testStream();
    const writer = await newAgent();
    const { agent: reader } = await newAgent();
    const first = await pushSome(writer, 3);
    expect(await reader.pull()).toEqual({ pulled: 3, quarantined: 0, batches: 0, sequence: 3 });
    const second = await pushSome(writer, 1_500);
    expect(await reader.pull()).toMatchObject({ pulled: 1_500, sequence: 1_503 });
    const requests = model.requests.filter((request) => request === "GET /api/v1/ves/events").length;
    expect(requests).toBe(1 + 2);
    // One agent has signed them all, and the sequencer has one key.
    expect(model.requests.filter((request) => request.endsWith("/signing-keys"))).toHaveLength(1);
    expect(await reader.pull()).toMatchObject({ pulled: 0 });
    for (const id of [first[0], second[1_499]]) {
      expect(await reader.waitFor(id ?? "", { timeoutMs: 10 })).toMatchObject({ eventId: id, payload: { total: 1 } });
    }
    expect(reader.status()).toMatchObject({ pulledSequence: 1_503, headSequence: 1_503, sealedSequence: 0 });
  });

  test("computes sealed batches again, incrementally", async () => {
    const { model, agent: newAgent } = await testStream();
    const writer = await newAgent();
    const { agent: reader } = await newAgent();
    await pushSome(writer, 10);
    model.seal(4);
    model.seal(3);
    expect(await reader.pull()).toMatchObject({ pulled: 10, batches: 2 });
    expect(reader.status()).toMatchObject({ sealedSequence: 7, stateRoot: model.batches[1]?.new_state_root });
    await pushSome(writer, 5);
    model.seal();
    expect(await reader.pull()).toMatchObject({ pulled: 5, batches: 1 });
    expect(reader.status()).toMatchObject({ sealedSequence: 15, stateRoot: model.batches[2]?.new_state_root });
    expect(reader.status().contradiction).toBeNull();
  });

  test("reads as many batches as there are", async () => {
    const { model, agent: newAgent } = await testStream();
    const writer = await newAgent();
    await pushSome(writer, 1_050);
    for (let i = 0; i < 1_050; i++) model.seal(1);
    expect(await writer.agent.pull()).toMatchObject({ pulled: 1_050, batches: 1_050 });
  });

  test.each([
    ["a payload", { payload: { total: 2 } }, /payload_plain_hash/],
    ["a name", { entity_id: "other" }, /does not verify under key/],
    ["a signature", { agent_signature: to0xHex(new Uint8Array(64)) }, /does not verify under key/],
    ["a key that nobody has", { agent_key_id: 9 }, /Agent key not found/],
    ["another agent", { source_agent_id: crypto.randomUUID() }, /Agent key not found/],
    ["another stream", { store_id: crypto.randomUUID() }, /another stream/],
  ])("keeps an event with %s that was altered aside, and says why", async (_what, change, why) => {
    const { model, agent: newAgent } = await testStream();
    const { agent: reader } = await newAgent();
    const ids = await pushSome(await newAgent(), 3);
    Object.assign(model.log[1] ?? {}, change);
    expect(await reader.pull()).toMatchObject({ pulled: 3, quarantined: 1, sequence: 3 });
    expect(reader.status().quarantined).toBe(1);
    await expect(reader.waitFor(ids[1] ?? "", { timeoutMs: 20 })).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(reader.quarantined()).toMatchObject([{ sequenceNumber: 2, reason: expect.stringMatching(why) }]);
    await reader.waitFor(ids[2] ?? "", { timeoutMs: 20 });
  });

  test.each([
    ["a payload that no hash covers", uncoveredOf, /payload_encrypted: must be absent/],
    [
      "an encrypted payload that is none",
      async (envelope: Envelope, key: SigningKey): Promise<Envelope> => {
        const sound = await encryptedOf(envelope, key);
        return { ...sound, payload_encrypted: { ...(sound.payload_encrypted as EncryptedPayload), nonce_b64u: "!" } };
      },
      /nonce_b64u/,
    ],
  ])("keeps an event with %s aside, though its signature verifies", async (_what, altered, why) => {
    const { model, agent: newAgent } = await testStream();
    const { agent: reader } = await newAgent();
    const writer = await newAgent();
    await pushSome(writer, 1);
    const [event] = model.log.splice(0);
    const envelope = toWireEnvelope(await altered(envelopeSchema.parse(event), writer.key));
    model.log.push({ ...envelope, sequence_number: 1, sequenced_at: event?.sequenced_at ?? "" });
    expect(await reader.pull()).toMatchObject({ pulled: 1, quarantined: 1 });
    expect(reader.quarantined()).toMatchObject([{ reason: expect.stringMatching(why) }]);
  });

  test("an event id that stands at a second number is kept aside", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent: reader } = await newAgent();
    await pushSome(await newAgent(), 2);
    const [first] = model.log;
    if (first !== undefined) model.log.push({ ...first, sequence_number: 3 }, { ...first, sequence_number: 4 });
    expect(await reader.pull()).toMatchObject({ pulled: 4, quarantined: 2 });
    expect(reader.quarantined()[0]?.reason).toMatch(/stands at an earlier number/);
  });

  test.each([
    ["was revoked before", { revokedAt: "2025-12-31T00:00:00+00:00" }, "Agent key has been revoked"],
    ["had expired", { validTo: "2025-12-31T00:00:00+00:00" }, "Agent key has expired"],
    ["was not valid yet", { validFrom: "2026-01-02T00:00:00+00:00" }, "Agent key is not yet valid"],
    // A lease of the sequencer may outlive a revocation.
    ["was revoked a moment before", { revokedAt: "2025-12-31T23:59:58+00:00" }, undefined],
    ["was revoked afterwards", { revokedAt: "2026-01-02T00:00:00+00:00" }, undefined],
  ])("an event sequenced when its key %s", async (_what, members, reason) => {
    const { model, agent: newAgent } = await testStream();
    const { identity } = await newAgent();
    const signer = { ...identity, agentId: crypto.randomUUID() };
    const key = await signingKeyFromSeed(generateSeed());
    model.register(signer, key, members);
    const { agent } = await newAgent({ identity: signer, key });
    await agent.record(orderEvent());
    await agent.sync();
    expect(agent.quarantined().map((event) => event.reason)).toEqual(reason === undefined ? [] : [reason]);
  });

  test("events under a key that is newer than the directory that was read verify, all of them", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent: reader } = await newAgent();
    const writer = await newAgent();
    await pushSome(writer, 1);
    await reader.pull();
    const key = await signingKeyFromSeed(generateSeed());
    const identity = { ...writer.identity, keyId: 2 };
    model.register(identity, key);
    await pushSome(await newAgent({ identity, key }), 3);
    expect(await reader.pull()).toMatchObject({ pulled: 3, quarantined: 0 });
    expect(model.requests.filter((request) => request.endsWith("/signing-keys"))).toHaveLength(2);
  });

  test("a key directory that the sequencer did not sign so is not believed", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent: reader } = await newAgent();
    await pushSome(await newAgent(), 1);
    model.interfere = ({ path }) => (path.includes("signing-keys") ? (answer) => ({ ...answer, keys: [] }) : undefined);
    await expect(reader.pull()).rejects.toMatchObject({ code: "INVALID_DIRECTORY" });
    expect(reader.status().pulledSequence).toBe(0);
  });

  test("a key directory from before a revocation is not believed later, and one from the future never", async () => {
    const { model, agent: newAgent } = await testStream();
    const signer = await newAgent();
    const { agent: reader } = await newAgent();
    await pushSome(signer, 1);
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      let kept: JsonObject | undefined;
      model.interfere = ({ path }) => (path.includes("signing-keys") ? (answer) => (kept ??= answer) : undefined);
      await reader.pull();
      await pushSome(signer, 1);
      vi.setSystemTime(Date.now() + 5 * 60_000 + 1_000);
      await expect(reader.pull()).rejects.toMatchObject({
        code: "INVALID_DIRECTORY",
        message: expect.stringMatching(/signed 301 s ago/),
      });
      vi.setSystemTime(Date.now() - 15 * 60_000);
      const { agent: other } = await newAgent();
      await expect(other.pull()).rejects.toMatchObject({ message: expect.stringMatching(/signed 599 s from now/) });
      expect(reader.status().pulledSequence).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test.each([
    ["left out", (model: Model) => void model.log.splice(1, 1)],
    ["given twice", (model: Model) => void model.log.splice(1, 0, { ...(model.log[0] as Model["log"][0]) })],
    ["in another order", (model: Model) => void model.log.splice(0, 2, ...model.log.slice(0, 2).toReversed())],
  ])("a log with an event %s is refused, and nothing of the page is stored", async (_what, harm) => {
    const { model, agent: newAgent } = await testStream();
    const { agent: reader } = await newAgent();
    await pushSome(await newAgent(), 3);
    harm(model);
    await expect(reader.pull()).rejects.toMatchObject({ code: "LOG_GAP" });
    expect(reader.status().pulledSequence).toBe(0);
  });

  test("what is wrong with a page does not cost those before it", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent: reader } = await newAgent();
    await pushSome(await newAgent(), 1_100);
    model.log.splice(1_050, 1);
    await expect(reader.pull()).rejects.toMatchObject({ code: "LOG_GAP" });
    expect(reader.status().pulledSequence).toBe(1_000);
  });

  test("two pages are on their way at most, and are stored in order", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent: reader } = await newAgent();
    await pushSome(await newAgent(), 2_100);
    const stored: number[] = [];
    model.interfere = ({ path }) => {
      if (path.startsWith("/api/v1/ves/events?")) stored.push(reader.status().pulledSequence);
      return undefined;
    };
    expect(await reader.pull()).toMatchObject({ pulled: 2_100, quarantined: 0, sequence: 2_100 });
    expect(stored).toEqual([0, 0, 1_000]);
  });

  test.each([
    ["over other events", "merkle_root", /sealed over other events/],
    ["on another history", "prev_state_root", /does not follow/],
    ["with another state root", "new_state_root", /another state root/],
  ] as const)("a batch sealed %s contradicts the log", async (_what, member, why) => {
    const { model, agent: newAgent } = await testStream();
    const { agent: reader } = await newAgent();
    await pushSome(await newAgent(), 5);
    model.seal(2);
    model.seal();
    const batch = model.batches[1];
    const sound = batch?.[member] ?? "";
    Object.assign(batch ?? {}, { [member]: "00".repeat(32) });
    await expect(reader.pull()).rejects.toMatchObject({
      code: "LOG_CONTRADICTION",
      message: expect.stringMatching(why),
    });
    expect(reader.status()).toMatchObject({ pulledSequence: 5, sealedSequence: 2 });
    expect(reader.status().contradiction).toMatch(why);
    Object.assign(batch ?? {}, { [member]: sound });
    await reader.pull();
    expect(reader.status()).toMatchObject({ sealedSequence: 5, contradiction: null });
  });

  test("a batch that ends before it begins is no answer of a sequencer, and is not asked for again and again", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent: reader } = await newAgent();
    await pushSome(await newAgent(), 5);
    model.seal(2);
    model.seal();
    Object.assign(model.batches[1] ?? {}, { sequence_end: 1 });
    // Without this, a failure would never end.
    let asked = 0;
    model.interfere = ({ path }) => (path.includes("/commitments") && ++asked > 10 ? "cut" : undefined);
    await expect(reader.pull()).rejects.toMatchObject({ code: "MALFORMED_ANSWER" });
    expect(reader.status()).toMatchObject({ pulledSequence: 5, sealedSequence: 0 });
  });

  test("an event that was quarantined does not keep its batch from being verified", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent: reader } = await newAgent();
    await pushSome(await newAgent(), 3);
    Object.assign(model.log[1] ?? {}, { payload: { total: 2 } });
    model.seal();
    expect(await reader.pull()).toMatchObject({ quarantined: 1, batches: 1 });
  });

  test("the expected version counts what is on its way once", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent({ onConflict: "rebase" });
    const change = { entityType: "order", entityId: "same", eventType: "order.changed", payload: {} };
    const based = { ...change, baseVersion: "current" as const };
    const versions = async (): Promise<number | null> => (await agent.record(based)).baseVersion;
    expect([await versions(), await versions()]).toEqual([0, 1]);
    expect(await Promise.all([versions(), versions()])).toEqual([2, 3]);
    await agent.push();
    expect(await versions()).toBe(4);
    model.interfere = ({ method }) => (method === "POST" ? "answer lost" : undefined);
    await agent.push();
    model.interfere = () => undefined;
    // In the log, pulled, and still without its receipt.
    await agent.pull();
    expect(agent.status()).toMatchObject({ outbox: { pending: 1, accepted: 4 }, pulledSequence: 5 });
    expect(await versions()).toBe(5);
    const { push } = await agent.sync();
    expect(push.outcomes.map(({ kind }) => kind)).toEqual(["replayed", "accepted"]);
    expect(await agent.history("order", "same")).toMatchObject({ version: 6, unsequenced: [] });
  });

  test("goes on in another process with the same store, and keeps stores apart", async () => {
    const { model, agent: newAgent } = await testStream();
    const other = await testStream();
    const store = openSqliteStore(":memory:");
    const { agent } = await newAgent({ store });
    const { agent: stranger } = await other.agent({ store });
    await agent.record(orderEvent());
    await stranger.record(orderEvent());
    await stranger.record(orderEvent());
    await Promise.all([agent.sync(), stranger.sync()]);
    expect([model.log.length, other.model.log.length]).toEqual([1, 2]);
    expect([agent.status().pulledSequence, stranger.status().pulledSequence]).toEqual([1, 2]);
  });

  test("tells the sequencer how far it is when it is asked to", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent, identity } = await newAgent({ acknowledge: true });
    await agent.record(orderEvent());
    await agent.sync();
    expect(model.requests.at(-1)).toBe(`PUT /api/v1/ves/cursors/${identity.agentId}`);
  });

  test("nothing passes for signed that the sequencer put beside what was signed", async () => {
    const { model, agent: newAgent } = await testStream();
    const writer = await newAgent();
    const { agent: reader } = await newAgent();
    const { eventId } = await writer.agent.record(orderEvent());
    await writer.agent.push();
    const sound = structuredClone(model.log[0]);
    Object.assign(model.log[0] ?? {}, { source_agent: crypto.randomUUID(), approved_by: "nobody" });
    await reader.pull();
    const { envelope, entityType, entityId } = await reader.waitFor(eventId, { timeoutMs: 10 });
    const { sequence_number: _number, sequenced_at: _at, ...signed } = sound ?? {};
    expect(envelope).toEqual({ ...signed, source_agent: writer.identity.agentId });
    expect((await reader.history(entityType, entityId)).events).toMatchObject([{ envelope }]);
  });

  test("what is signed by its own hash is what is stored", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent } = await newAgent();
    const { eventId } = await agent.record(orderEvent());
    await agent.sync();
    const { envelope } = await agent.waitFor(eventId, { timeoutMs: 10 });
    const [stored] = model.log.map((event) => eventSigningHash(envelopeSchema.parse(event)));
    expect(eventSigningHash(envelopeSchema.parse(envelope))).toEqual(stored);
  });
});

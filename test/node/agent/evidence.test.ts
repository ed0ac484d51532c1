import { toFunctionSelector, encodeFunctionData } from "viem";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { stateSetAnchorAbi } from "../../../contracts/abi.ts";
import { verifyEventCall } from "../../../agent/src/anchor-call.ts";
import { type Evidence, type EvidenceCheck, verifyEvidence } from "../../../agent/src/evidence.ts";
import {
  envelopeSchema,
  generateSeed,
  signingKeyFromSeed,
  to0xHex,
  toWireEnvelope,
  uuidBytes,
} from "../../../src/ves/index.ts";
import { orderEvent, pushSome, type TestAgent, type TestStream, testStream } from "../../support/agents.ts";
import { uncoveredOf } from "../../support/encrypted-event.ts";

let stream: TestStream;
let writer: TestAgent;
let evidence: Evidence;

beforeAll(async () => {
  stream = await testStream();
  writer = await stream.agent();
  const recorded = [];
  for (let i = 0; i < 5; i++) recorded.push(await writer.agent.record(orderEvent()));
  await writer.agent.push();
  const eventId = recorded[2]?.eventId ?? "";
  setTimeout(() => stream.model.seal(), 20);
  evidence = await writer.agent.proof(eventId, { timeoutMs: 5_000 });
});

const sequencerKeys = () => new Map(Array.from(stream.model.keys, ([version, key]) => [version, key.publicKey]));
const changed = (part: keyof Evidence, change: object): unknown =>
  structuredClone({ ...evidence, [part]: { ...(evidence[part] as object), ...change } });

describe("evidence", () => {
  test("is there once the event's batch is sealed", async () => {
    const { eventId } = await writer.agent.record(orderEvent());
    await expect(writer.agent.proof(eventId)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await writer.agent.push();
    await expect(writer.agent.proof(eventId)).rejects.toMatchObject({ code: "NOT_YET_SEALED" });
  });

  test("is there under a key that was registered since the agent's directory was read", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent: reader } = await newAgent();
    const author = await newAgent();
    const [first = ""] = await pushSome(author, 1);
    model.seal();
    await reader.proof(first);
    const key = await signingKeyFromSeed(generateSeed());
    const identity = { ...author.identity, keyId: 2 };
    model.register(identity, key);
    const [second = ""] = await pushSome(await newAgent({ identity, key }), 1);
    model.seal();
    expect(await reader.proof(second)).toMatchObject({ event: { agent_key_id: 2 } });
    expect(model.requests.filter((request) => request.endsWith("/signing-keys"))).toHaveLength(2);
  });

  test.each([false, true])("hands on no member that nobody has signed (pulled first: %s)", async (isPulled) => {
    const { model, agent: newAgent } = await testStream();
    const author = await newAgent();
    const [eventId = ""] = await pushSome(author, 1);
    model.seal();
    Object.assign(model.log[0] ?? {}, { approved_by: "the boss", source_agent: "another" });
    if (isPulled) await author.agent.pull();
    const { event } = await author.agent.proof(eventId);
    expect(event).toMatchObject({ event_id: eventId, source_agent: author.identity.agentId });
    expect(event).not.toHaveProperty("approved_by");
  });

  test("verifies as JSON, anywhere, with the sequencer's key alone", async () => {
    const copy: unknown = JSON.parse(JSON.stringify(evidence));
    const verdict = await verifyEvidence(copy, { sequencerKeys: sequencerKeys() });
    const passed = ["content", "signature", "receipt", "inclusion", "stateRoot"];
    expect(verdict).toEqual({ valid: true, passed, problems: [] });
  });

  test("verifies however long ago its keys' directory was signed", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 365 * 86_400_000 });
    try {
      expect(await verifyEvidence(evidence, { sequencerKeys: sequencerKeys() })).toMatchObject({ valid: true });
    } finally {
      vi.useRealTimers();
    }
  });

  test("is held against the log that was pulled", async () => {
    const { agent: reader } = await stream.agent();
    expect((await reader.verify(evidence)).passed).not.toContain("log");
    await reader.pull();
    expect((await reader.verify(evidence)).passed).toContain("log");
  });

  const zeros = "00".repeat(32);
  test.each<[string, EvidenceCheck[], () => unknown]>([
    ["another payload", ["content"], () => changed("event", { payload: { total: 9 } })],
    ["another name", ["signature", "receipt", "inclusion"], () => changed("event", { entity_id: "other" })],
    ["another signature", ["signature", "inclusion"], () => changed("event", { agent_signature: zeros + zeros })],
    ["keys that nobody signed", ["signature"], () => changed("directory", { signedAt: "2027-01-01T00:00:00Z" })],
    ["another number", ["receipt", "inclusion"], () => changed("receipt", { sequenceNumber: 4 })],
    ["a receipt that names another event", ["receipt"], () => changed("receipt", { eventId: crypto.randomUUID() })],
    ["an unknown key version", ["receipt"], () => changed("receipt", { sequencerKeyVersion: 9 })],
    ["a forged receipt", ["receipt"], () => changed("receipt", { sequencerSignature: zeros + zeros })],
    [
      "a shorter path",
      ["inclusion"],
      () => changed("inclusion", { proof_path: evidence.inclusion.proof_path.slice(1) }),
    ],
    ["another root", ["inclusion", "stateRoot"], () => changed("inclusion", { merkle_root: zeros })],
    ["another history", ["stateRoot"], () => changed("inclusion", { prev_state_root: "11".repeat(32) })],
    ["hashes that are none", ["stateRoot"], () => changed("inclusion", { new_state_root: "xyz" })],
    ["a form that is none", ["content"], () => ({ version: 1 })],
    ["nothing", ["content"], () => undefined],
  ])("with %s fails where it should", async (_what, checks, make) => {
    const verdict = await verifyEvidence(make(), { sequencerKeys: sequencerKeys() });
    expect(verdict.valid).toBe(false);
    expect(verdict.problems.map(({ check }) => check)).toEqual(checks);
  });

  test("another batch than the one of the log is noticed though it verifies by itself", async () => {
    const knownBatch = { merkleRoot: new Uint8Array(32), newStateRoot: new Uint8Array(32) };
    const verdict = await verifyEvidence(evidence, { sequencerKeys: sequencerKeys(), knownBatch });
    expect(verdict.problems.map(({ check }) => check)).toEqual(["log"]);
  });

  test("with a payload that no hash covers fails, though all else is signed and sealed", async () => {
    const { model, agent: newAgent } = await testStream();
    const { agent: reader } = await newAgent();
    const author = await newAgent();
    const [eventId = ""] = await pushSome(author, 1);
    const envelope = envelopeSchema.parse(model.log[0]);
    Object.assign(model.log[0] ?? {}, toWireEnvelope(await uncoveredOf(envelope, author.key)));
    model.seal();
    const why = "payload_encrypted: must be absent when payload_kind is 0";
    await expect(reader.proof(eventId)).rejects.toMatchObject({
      code: "LOG_CONTRADICTION",
      message: `The proof of event ${eventId} does not verify: content: ${why}`,
    });
  });

  test("the contract is asked through whatever calls it", async () => {
    const calls: { to: string; data: string }[] = [];
    const contract = `0x${"ab".repeat(20)}`;
    const answering = (word: string) => ({
      anchor: { contract, ethCall: async (call: { to: string; data: string }) => (calls.push(call), word) },
    });
    const yes = await writer.agent.verify(evidence, answering(`0x${"1".padStart(64, "0")}`));
    expect(yes.passed.at(-1)).toBe("anchor");
    for (const word of [`0x${zeros}`, "0x", "0x1"]) {
      const { problems } = await writer.agent.verify(evidence, answering(word));
      expect(problems).toMatchObject([{ check: "anchor" }]);
    }
    expect(calls[0]?.to).toBe(contract);
    expect(calls[0]?.data.slice(0, 10)).toBe(toFunctionSelector("verifyEvent(bytes32,uint64,bytes32,bytes,bytes32[])"));
  });
});

test("the contract's call is encoded as its ABI says", () => {
  const path = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const event = {
    batchId: "91def158-819a-4461-b5c9-7759750ad157",
    sequenceNumber: 2 ** 40 + 3,
    eventSigningHash: new Uint8Array(32).fill(3),
    agentSignature: new Uint8Array(64).fill(4),
    path,
  };
  const expected = encodeFunctionData({
    abi: stateSetAnchorAbi,
    functionName: "verifyEvent",
    args: [
      to0xHex(uuidBytes(event.batchId)).padEnd(66, "0") as `0x${string}`,
      BigInt(event.sequenceNumber),
      to0xHex(event.eventSigningHash) as `0x${string}`,
      to0xHex(event.agentSignature) as `0x${string}`,
      path.map((hash) => to0xHex(hash) as `0x${string}`),
    ],
  });
  expect(verifyEventCall(event)).toBe(expected);
});

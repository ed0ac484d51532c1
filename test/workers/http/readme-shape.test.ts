import { describe, expect, it } from "vitest";
import { newSigner } from "../../../scripts/lib/signer.ts";
import {
  eventSigningHash,
  fromBase64,
  fromHex,
  receiptHash,
  toBase64,
  toHex,
  verifyEd25519,
} from "../../../src/ves/index.ts";
import {
  call,
  event,
  expectError,
  expectLog,
  expectNothingStored,
  INGEST,
  ingest,
  mint,
  newAgent,
  registerKey,
  type Reply,
  without,
  type Wire,
  textOf,
} from "./harness.ts";

type Agent = Awaited<ReturnType<typeof newAgent>>;

interface PlainAnswer {
  readonly eventsAccepted: number;
  readonly eventsRejected: number;
  readonly receipts?: readonly Wire[];
  readonly rejections?: readonly { readonly reason: string; readonly message: string }[];
}

/** The shortest form: what the signature covers and cannot be told otherwise. */
function plain(wire: Wire): Wire {
  const left = [
    "source_agent_id",
    "agent_signature",
    "agent_key_id",
    "ves_version",
    "payload_kind",
    "payload_plain_hash",
    "payload_cipher_hash",
  ];
  const rest = left.reduce(without, wire);
  return {
    ...rest,
    source_agent: wire["source_agent_id"],
    signature: toBase64(fromHex(textOf(wire, "agent_signature"))),
  };
}

const send = (events: readonly Wire[], key?: string): Promise<Reply<PlainAnswer>> =>
  call("POST", INGEST, { body: { events }, ...(key === undefined ? {} : { key }) });

const agentKey = async (signer: Agent, keyId: number): Promise<Agent> => {
  const other = { ...(await newSigner(signer.tenantId, signer.storeId, keyId)), agentId: signer.agentId };
  await registerKey(other);
  return other;
};

describe("a request in the README's form", () => {
  it("is stored as the event it stands for, and answered with plain receipts", async () => {
    const signer = await newAgent();
    const wire = await event(signer, { vesVersion: 1 });
    const reply = await send([plain(wire)]);
    const signature = textOf(reply.body.receipts?.[0], "sequencer_signature");
    expect(reply.body).toMatchObject({ eventsAccepted: 1, eventsRejected: 0 });
    expect(reply.body.receipts).toEqual([
      {
        event_id: wire["event_id"],
        sequence_number: 1,
        payload_hash: textOf(wire, "payload_plain_hash").slice(2),
        merkle_proof: null,
        sequencer_signature: expect.stringMatching(/^[A-Za-z0-9+/]{86}==$/) as string,
      },
    ]);
    await expectLog(signer, [wire]);

    const sequencer = await call<{ keys: { public_key: string }[] }>("GET", "/api/v1/sequencer/keys", { key: null });
    const hash = receiptHash({
      tenantId: signer.tenantId,
      storeId: signer.storeId,
      eventId: textOf(wire, "event_id"),
      sequenceNumber: 1,
      eventSigningHash: eventSigningHash({
        ...(wire as unknown as Parameters<typeof eventSigningHash>[0]),
        payload_plain_hash: fromHex(textOf(wire, "payload_plain_hash")),
        payload_cipher_hash: fromHex(textOf(wire, "payload_cipher_hash")),
      }),
    });
    expect(await verifyEd25519(fromHex(sequencer.body.keys[0]?.public_key ?? ""), hash, fromBase64(signature))).toBe(
      true,
    );

    // The full form of the same event is a replay, and its receipt has the same signature.
    const full = await ingest(signer, [wire]);
    expect(full.body).toMatchObject({
      eventsRejected: 0,
      receipts: [{ sequencerSignature: toHex(fromBase64(signature)) }],
    });
    expect((await send([plain(wire)])).body.receipts).toEqual(reply.body.receipts);
  });

  it.each<[string, (signature: Uint8Array) => string]>([
    ["base64 without padding", (bytes) => toBase64(bytes).replaceAll("=", "")],
    ["base64url", (bytes) => toBase64(bytes).replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_")],
    ["hex", (bytes) => toHex(bytes)],
    ["hex with 0x", (bytes) => `0x${toHex(bytes)}`],
  ])("signature as %s", async (_, encode) => {
    const signer = await newAgent();
    const wire = await event(signer, { vesVersion: 1 });
    const signature = encode(fromHex(textOf(wire, "agent_signature")));
    expect((await send([{ ...plain(wire), signature }])).body).toMatchObject({ eventsAccepted: 1 });
    await expectLog(signer, [wire]);
  });

  it("of version 2, with its version and its command", async () => {
    const signer = await newAgent();
    const wire = await event(signer, { commandId: crypto.randomUUID(), baseVersion: 0 });
    expect((await send([plain(wire)])).body).toMatchObject({ rejections: [{ reason: "invalid_signature" }] });
    await expectNothingStored(signer);
    expect((await send([{ ...plain(wire), ves_version: 2 }])).body).toMatchObject({ eventsAccepted: 1 });
    await expectLog(signer, [wire]);
  });

  it("of another agent than that of its own credential", async () => {
    const signer = await newAgent();
    const other = await newAgent(signer.tenantId, signer.storeId);
    const wire = await event(signer, { vesVersion: 1 });
    expectError(await send([plain(wire)], await mint(other)), "INSUFFICIENT_PERMISSIONS", /^Agent mismatch/);
    await expectNothingStored(signer);
    expect((await send([plain(wire)], await mint(signer))).body).toMatchObject({ eventsAccepted: 1 });
    await expectLog(signer, [wire]);
  });

  it("of two agents: the first one's is the request's", async () => {
    const signer = await newAgent();
    const other = await newAgent(signer.tenantId, signer.storeId);
    const events = [plain(await event(signer, { vesVersion: 1 })), plain(await event(other, { vesVersion: 1 }))];
    expectError(
      await send(events),
      "INVALID_FIELD_VALUE",
      `events.1: source_agent_id is not the agent of the request, ${signer.agentId}`,
    );
    await expectNothingStored(signer);
  });

  it("with a payload changed after signing: the computed hash does not match what was signed", async () => {
    const signer = await newAgent();
    const wire = await event(signer, { vesVersion: 1 });
    const reply = await send([{ ...plain(wire), payload: { delta: 6 } }]);
    expect(reply.body).toMatchObject({ eventsRejected: 1, rejections: [{ reason: "invalid_signature" }] });
    await expectNothingStored(signer);
  });
});

describe("an event that names no key", () => {
  it("is verified with whichever of the agent's keys signed it", async () => {
    const first = await newAgent();
    const second = await agentKey(first, 2);
    const third = await agentKey(first, 9);
    const events = await Promise.all([third, first, second].map((signer) => event(signer, { vesVersion: 1 })));
    expect((await send(events.map(plain))).body).toMatchObject({ eventsAccepted: 3, eventsRejected: 0 });
    await expectLog(first, events);
  });

  it("names the newest key when none fits, and says so when there is none", async () => {
    const first = await newAgent();
    await agentKey(first, 5);
    const stranger = await newSigner(first.tenantId, first.storeId);
    const bad = plain(await event({ ...stranger, agentId: first.agentId }, { vesVersion: 1 }));
    expect((await send([bad])).body.rejections).toMatchObject([
      { reason: "invalid_signature", message: "agent_signature does not verify under key 5 of the agent" },
    ]);
    expect((await send([plain(await event(stranger, { vesVersion: 1 }))])).body.rejections).toMatchObject([
      { reason: "agent_key_invalid: Agent key not found", message: "Agent key not found: key 0 of the agent" },
    ]);
    await expectNothingStored(first);
  });

  it("does not pass with a key that may not be used, but is still a replay after its revocation", async () => {
    const signer = await newAgent();
    const wire = await event(signer, { vesVersion: 1 });
    const first = await send([plain(wire)]);
    await agentKey(signer, 2);
    await call("DELETE", `/api/v1/agents/${signer.agentId}/keys/1?tenant_id=${signer.tenantId}`);
    const reply = await send([plain(wire), plain(await event(signer, { vesVersion: 1 }))]);
    expect(reply.body).toMatchObject({
      eventsRejected: 1,
      rejections: [{ reason: "agent_key_invalid: Agent key has been revoked" }],
    });
    expect(reply.body.receipts).toEqual(first.body.receipts);
    await expectLog(signer, [wire]);
  });
});

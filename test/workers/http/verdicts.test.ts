import { describe, expect, it } from "vitest";
import { newSigner } from "../../../scripts/lib/signer.ts";
import {
  accept,
  call,
  event,
  expectLog,
  expectNothingStored,
  expectRejected,
  ingest,
  newAgent,
  registerKey,
  resigned,
  type Wire,
} from "./harness.ts";

type Agent = Awaited<ReturnType<typeof newAgent>>;

const UNVERIFIED = "agent_signature does not verify under key 1 of the agent";

describe("the event itself", () => {
  it.each([0, 3, 4, 4_294_967_295])("ves_version %i", async (version) => {
    const signer = await newAgent();
    const bad = { ...(await event(signer)), ves_version: version };
    await expectRejected(signer, bad, "unsupported_version", `Expected VES event version 1 or 2, got ${version}`);
  });

  it("version 1 where version 2 is demanded", async () => {
    const signer = await newAgent();
    const [first, second] = [await event(signer, { vesVersion: 1 }), await event(signer)];
    const settings = { REQUIRE_SIGNED_EXECUTION_CONTROLS: "true" };
    const reply = await ingest(signer, [first, second], { settings });
    const message = "VES event version 2 is required for signed execution controls";
    const id = first["event_id"];
    expect(reply.body.rejections).toEqual([{ eventId: id, event_id: id, reason: "unsupported_version", message }]);
    await expectLog(signer, [second]);
    // Where it is not demanded it is accepted, and once stored its repetition is answered everywhere.
    const receipts = await accept(signer, first);
    const replayed = await ingest(signer, [first], { settings });
    expect(replayed.body).toMatchObject({ eventsRejected: 0, receipts });
    await expectLog(signer, [second, first]);
  });

  it.each<[string, Wire]>([
    ["another payload", { payload: { delta: 6 } }],
    ["a payload with one member more", { payload: { delta: 5, x: 1 } }],
    ["a number as text", { payload: { delta: "5" } }],
    ["another hash", { payload_plain_hash: "0x" + "ab".repeat(32) }],
    ["a hash of zeros", { payload_plain_hash: "0x" + "00".repeat(32) }],
  ])("invalid_payload_hash: %s", async (_, change) => {
    const signer = await newAgent();
    const wire = await event(signer);
    const hash = change["payload_plain_hash"] ?? wire["payload_plain_hash"];
    const bad = await resigned(signer, wire, { ...change, payload_plain_hash: hash });
    await expectRejected(signer, bad, "invalid_payload_hash", "payload_plain_hash is not the hash of payload");
  });

  it("a cipher hash on a plaintext event", async () => {
    const signer = await newAgent();
    const bad = await resigned(signer, await event(signer), { payload_cipher_hash: `0x${"00".repeat(31)}01` });
    const message = "payload_cipher_hash: must be 32 zero bytes when payload_kind is 0";
    await expectRejected(signer, bad, "schema_validation: payload_cipher_hash", message);
  });

  const TIME = "created_at: expected an RFC 3339 time with an offset, at most 64 characters";
  it.each([
    "",
    "now",
    "2025-12-20",
    "2025-12-20T18:31:22",
    "2025-12-20T18:31Z",
    "2025-12-20T18:31:22+0530",
    "2025-12-20T18:31:22+05",
    "2025-12-20T18:31:22.Z",
    "2025-12-20T18:31:22,5Z",
    "2025-12-20T18:31:22Z ",
    " 2025-12-20T18:31:22Z",
    "2025-12-20T18:31:22Z\n",
    "2025-12-20T24:00:00Z",
    "2025-12-20T18:60:00Z",
    "2025-12-20T18:31:61Z",
    "2025-02-30T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2025-13-01T00:00:00Z",
    "2025-00-01T00:00:00Z",
    "2025-01-00T00:00:00Z",
    "2025-12-20T18:31:22+24:00",
    "2025-12-20T18:31:22+05:60",
    "+12025-12-20T18:31:22Z",
    "25-12-20T18:31:22Z",
    "2025-12-20_18:31:22Z",
    "2025-12-20T18:31:22 Z",
    "\u0662025-12-20T18:31:22Z",
    "20251220T183122Z",
    "2025-W51-6T18:31:22Z",
    `2025-12-20T18:31:22.${"1".repeat(44)}Z`,
  ])("created_at refused: %j", async (createdAt) => {
    const signer = await newAgent();
    await expectRejected(signer, await event(signer, { createdAt }), "schema_validation: created_at", TIME);
  });

  it("created_at accepted, and given back to the letter", async () => {
    const signer = await newAgent();
    const texts = [
      "2025-12-20T18:31:22.123Z",
      "2025-12-20t18:31:22z",
      "2025-12-20 18:31:22Z",
      "2025-12-20T18:31:60Z",
      "2025-12-20T18:31:22+00:00",
      "2025-12-20T18:31:22-00:00",
      "2025-12-20T18:31:22\u221205:00",
      "2025-12-20T18:31:22+23:59",
      "2024-02-29T00:00:00Z",
      "2000-02-29T00:00:00Z",
      "0000-01-01T00:00:00Z",
      "9999-12-31T23:59:59.999999999Z",
      "2025-12-20T18:31:22.1234567890123Z",
      `2025-12-20T18:31:22.${"1".repeat(43)}Z`,
    ];
    const events = await Promise.all(texts.map((createdAt) => event(signer, { createdAt })));
    await accept(signer, ...events);
    await expectLog(signer, events);
  });
});

describe("agent keys", () => {
  const key = async (signer: Agent, keyId: number, change: Wire): Promise<Agent> => {
    const other = { ...(await newSigner(signer.tenantId, signer.storeId, keyId)), agentId: signer.agentId };
    expect((await registerKey(other, change)).status).toBe(200);
    return other;
  };
  const HOUR = 3_600_000;
  const at = (offset: number): string => new Date(Date.now() + offset).toISOString();

  it("unknown", async () => {
    const signer = await newAgent();
    const bad = await event({ ...signer, keyId: 7 });
    const message = "Agent key not found: key 7 of the agent";
    await expectRejected(signer, bad, "agent_key_invalid: Agent key not found", message);
  });

  it("of an agent without keys", async () => {
    const signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
    const reply = await ingest(signer, [await event(signer)]);
    expect(reply.body).toMatchObject({
      eventsRejected: 1,
      rejections: [{ reason: "agent_key_invalid: Agent key not found" }],
    });
    expect(reply.body).not.toHaveProperty("receipts");
    await expectNothingStored(signer);
  });

  it("of another agent, and of the same agent in another tenant", async () => {
    const signer = await newAgent();
    const other = await newAgent(signer.tenantId, signer.storeId);
    const bad = await event({ ...signer, key: other.key });
    await expectRejected(signer, bad, "invalid_signature", UNVERIFIED);
    const elsewhere = { ...signer, tenantId: crypto.randomUUID() };
    const reply = await ingest(elsewhere, [await event(elsewhere)]);
    expect(reply.body).toMatchObject({
      eventsRejected: 1,
      rejections: [{ reason: "agent_key_invalid: Agent key not found" }],
    });
    await expectNothingStored(elsewhere);
  });

  it("expired, not yet valid, and within their time", async () => {
    const signer = await newAgent();
    const expired = await key(signer, 2, { validTo: at(-1) });
    const future = await key(signer, 3, { validFrom: at(HOUR) });
    const current = await key(signer, 4, { validFrom: at(-HOUR), validTo: at(HOUR) });
    const reason = "agent_key_invalid: Agent key";
    await expectRejected(
      signer,
      await event(expired),
      `${reason} has expired`,
      "Agent key has expired: key 2 of the agent",
    );
    await expectRejected(
      signer,
      await event(future),
      `${reason} is not yet valid`,
      "Agent key is not yet valid: key 3 of the agent",
    );
    await accept(signer, await event(current));
  });

  it("revoked: at once for what is new, never for what is stored", async () => {
    const signer = await newAgent();
    const wire = await event(signer);
    const receipts = await accept(signer, wire);
    const revoked = await call("DELETE", `/api/v1/agents/${signer.agentId}/keys/1?tenant_id=${signer.tenantId}`);
    expect(revoked.status).toBe(200);
    const reply = await ingest(signer, [wire, await event(signer)]);
    const rejection = {
      reason: "agent_key_invalid: Agent key has been revoked",
      message: "Agent key has been revoked: key 1 of the agent",
    };
    expect(reply.body).toMatchObject({ eventsAccepted: 0, eventsRejected: 1, receipts, rejections: [rejection] });
    await expectLog(signer, [wire]);
  });
});

it("of several defects of one event the first in the order of the protocol is told", async () => {
  const signer = await newAgent();
  let bad: Wire = { ...(await event(signer)), agent_signature: "0x" + "00".repeat(64) };
  const reasons: string[] = [];
  const tell = async (change: Wire): Promise<void> => {
    bad = { ...bad, ...change };
    const reply = await ingest(signer, [bad]);
    reasons.push(reply.body.rejections?.[0]?.reason ?? "accepted");
  };
  await tell({});
  await tell({ agent_key_id: 9 });
  await tell({ payload: { other: 1 } });
  await tell({ created_at: "yesterday" });
  await tell({ payload_cipher_hash: "0x" + "11".repeat(32) });
  await tell({ ves_version: 3 });
  expect(reasons).toEqual([
    "invalid_signature",
    "agent_key_invalid: Agent key not found",
    "invalid_payload_hash",
    "schema_validation: created_at",
    "schema_validation: payload_cipher_hash",
    "unsupported_version",
  ]);
  await expectNothingStored(signer);
});

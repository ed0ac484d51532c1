import { describe, expect, it } from "vitest";
import { newSigner } from "../../../scripts/lib/signer.ts";
import { concat, fromHex, to0xHex } from "../../../src/ves/index.ts";
import {
  accept,
  event,
  expectLog,
  expectNothingStored,
  expectRejected,
  ingest,
  newAgent,
  registerKey,
  type Wire,
  textOf,
} from "./harness.ts";

const UNVERIFIED = "agent_signature does not verify under key 1 of the agent";

/** The signature with S + L for its S: the same point equation, another text (RFC 8032 wants S < L). */
function malleated(signature: Uint8Array): Uint8Array {
  const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
  let s = 0n;
  for (let index = 63; index >= 32; index--) s = (s << 8n) | BigInt(signature[index] ?? 0);
  let malleable = (s + order) % 2n ** 256n;
  const bytes = Uint8Array.from({ length: 32 }, () => {
    const byte = Number(malleable & 0xffn);
    malleable >>= 8n;
    return byte;
  });
  return concat(signature.subarray(0, 32), bytes);
}

function withSignature(wire: Wire, change: (signature: Uint8Array) => Uint8Array): Wire {
  return { ...wire, agent_signature: to0xHex(change(fromHex(textOf(wire, "agent_signature")))) };
}

function bitFlipped(bit: number): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => bytes.map((byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
}

describe("signatures", () => {
  it.each([0, 7, 128, 254, 255, 256, 263, 400, 506, 507, 508, 509, 510, 511])("bit %i flipped", async (bit) => {
    const signer = await newAgent();
    const bad = withSignature(await event(signer), bitFlipped(bit));
    await expectRejected(signer, bad, "invalid_signature", UNVERIFIED);
  });

  it.each<[string, (signature: Uint8Array) => Uint8Array]>([
    ["S + L", malleated],
    ["zeros", () => new Uint8Array(64)],
    ["R of the identity, S of zero", () => concat(Uint8Array.of(1), new Uint8Array(63))],
    ["R and S exchanged", (signature) => concat(signature.subarray(32), signature.subarray(0, 32))],
  ])("%s", async (_, change) => {
    const signer = await newAgent();
    const wire = await event(signer);
    await expectRejected(signer, withSignature(wire, change), "invalid_signature", UNVERIFIED);
    await accept(signer, wire);
  });

  it.each<[string, Wire]>([
    ["event_id", { event_id: crypto.randomUUID() }],
    ["agent_key_id", { agent_key_id: 2 }],
    ["entity_type", { entity_type: "order" }],
    ["entity_id", { entity_id: "other" }],
    ["event_type", { event_type: "inventory.reserved" }],
    ["created_at, the same instant in other words", { created_at: "2026-01-02T03:04:05.000Z" }],
    ["ves_version", { ves_version: 1 }],
    ["command_id", { command_id: crypto.randomUUID() }],
    ["base_version", { base_version: 0 }],
  ])("a member changed after signing: %s", async (_, change) => {
    const signer = await newAgent();
    const second = { ...signer, keyId: 2 };
    await registerKey({ ...second, key: (await newSigner(signer.tenantId, signer.storeId)).key });
    const wire = await event(signer, { createdAt: "2026-01-02T03:04:05Z" });
    const message = UNVERIFIED.replace("1", "agent_key_id" in change ? "2" : "1");
    await expectRejected(signer, { ...wire, ...change }, "invalid_signature", message);
    await accept(signer, wire);
  });

  it("an event signed for another stream is not one of this", async () => {
    const signer = await newAgent();
    const wire = await event(signer);
    for (const change of [{ tenant_id: crypto.randomUUID() }, { store_id: crypto.randomUUID() }]) {
      const moved = { ...wire, ...change };
      const target = { tenantId: moved["tenant_id"] as string, storeId: moved["store_id"] as string };
      if ("tenant_id" in change) await registerKey({ ...signer, ...target });
      const reply = await ingest(signer, [moved]);
      expect(reply.body).toMatchObject({
        eventsAccepted: 0,
        eventsRejected: 1,
        rejections: [{ reason: "invalid_signature" }],
      });
      await expectNothingStored(target);
    }
    await accept(signer, wire);
    await expectLog(signer, [wire]);
  });

  it.each([
    [2, "Signature scheme 2 (ML-DSA-65) is not served, only Ed25519 (schemes 0 and 1)"],
    [3, "Signature scheme 3 (Ed25519 with ML-DSA-65) is not served, only Ed25519 (schemes 0 and 1)"],
  ])("scheme %i", async (scheme, message) => {
    const signer = await newAgent();
    const wire = await event(signer);
    const bundle = {
      ed25519_signature: Array.from(fromHex(textOf(wire, "agent_signature"))),
      ml_dsa_65_signature: [1, 2],
    };
    const bad = { ...wire, agent_signature_scheme: scheme, agent_signature_bundle: bundle };
    await expectRejected(signer, bad, "invalid_signature", message);
  });

  it.each([0, 1, 4, -1])("scheme %i counts as Ed25519 and comes back as it was sent", async (scheme) => {
    const signer = await newAgent();
    const wire = {
      ...(await event(signer)),
      agent_signature_scheme: scheme,
      agent_signature_bundle: { ml_dsa_65_signature: [7] },
    };
    await accept(signer, wire);
    await expectLog(signer, [wire]);
  });
});

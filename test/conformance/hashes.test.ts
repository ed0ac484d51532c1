import { describe, expect, test } from "vitest";
import {
  PAD_LEAF,
  VesError,
  canonicalJson,
  complianceProofHash,
  equalBytes,
  eventSigningHash,
  eventSigningPreimage,
  fromHex,
  leafHash,
  nodeHash,
  parseJson,
  payloadPlainHash,
  policyHash,
  sha256,
  signingKeyFromSeed,
  stateRoot,
  streamId,
  toHex,
  utf8,
  validityProofHash,
  verifyEd25519,
} from "../../src/ves/index.ts";
import type { SignedMembers } from "../../src/ves/index.ts";
import { SAMPLE, flipped } from "./samples.ts";
import { group } from "./vectors.ts";

type WireMembers = Omit<SignedMembers, "payload_plain_hash" | "payload_cipher_hash"> & {
  payload_plain_hash: string;
  payload_cipher_hash: string;
};

function signedMembers(wire: WireMembers): SignedMembers {
  return {
    ...wire,
    payload_plain_hash: fromHex(wire.payload_plain_hash, 32),
    payload_cipher_hash: fromHex(wire.payload_cipher_hash, 32),
  };
}

test("SHA-256 is SHA-256", async () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 147, 1000]) {
    const bytes = new Uint8Array(length).fill(length);
    expect(sha256(bytes)).toEqual(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
  }
});

describe("VES 2.1: payload hash", () => {
  test.each(group<{ payload_json: string; salt_hex: string | null }, { hash: string }>("payload_plain_hash"))(
    "$id",
    ({ input, expected }) => {
      const canonical = canonicalJson(parseJson(input.payload_json));
      const salt = input.salt_hex === null ? undefined : fromHex(input.salt_hex);
      expect(toHex(payloadPlainHash(canonical, salt))).toBe(expected.hash);
    },
  );
});

describe("VES 2.5: event signing hash", () => {
  interface Expected {
    preimage_hex: string;
    event_signing_hash: string;
    public_key: string;
    signature: string;
  }

  test.each(group<{ event: WireMembers; secret_key_hex: string }, Expected>("event_signing"))(
    "$id",
    async ({ input, expected }) => {
      const event = signedMembers(input.event);
      expect(toHex(eventSigningPreimage(event))).toBe(expected.preimage_hex);
      const hash = sha256(eventSigningPreimage(event));
      expect(toHex(hash)).toBe(expected.event_signing_hash);
      // With version 2 this is the inner hash, which the version's own hash wraps.
      expect(equalBytes(eventSigningHash(event), hash)).toBe(event.ves_version === 1);
      const key = await signingKeyFromSeed(fromHex(input.secret_key_hex));
      expect(toHex(key.publicKey)).toBe(expected.public_key);
      expect(toHex(await key.sign(hash))).toBe(expected.signature);
      expect(await verifyEd25519(key.publicKey, hash, fromHex(expected.signature))).toBe(true);
      expect(await verifyEd25519(key.publicKey, flipped(hash), fromHex(expected.signature))).toBe(false);
    },
  );

  const id = "11111111-1111-4111-8111-111111111111";
  const zero = "00".repeat(32);
  const plain = signedMembers({
    ves_version: 2,
    tenant_id: id,
    store_id: id,
    event_id: id,
    source_agent_id: id,
    agent_key_id: 1,
    entity_type: "order",
    entity_id: "o1",
    event_type: "order.created",
    created_at: "2026-09-05T00:00:00Z",
    payload_kind: 0,
    payload_plain_hash: zero,
    payload_cipher_hash: zero,
  });

  test.each<[string, Partial<SignedMembers>, string]>([
    [
      "version 2, command and base version 0",
      { command_id: id, base_version: 0 },
      "27dee9ebd0747eafc2b08121f144343627dfe1829a06f818eb23f0c50e048cc5",
    ],
    ["version 2, command", { command_id: id }, "a38580ee995f58e217bf6497ed734fca5bcee68ed93d2ae7b29959d15fb7ff58"],
    [
      "version 2, base version 0",
      { base_version: 0 },
      "6ca0451e9b6a2e56f850a96c224c8d326810c22be29deaafa02b075e64f51037",
    ],
    ["version 2, neither", {}, "887a01672f221f6c4c7f81f533d77b7e42ec44e655f71ab6ed0187820d7736b9"],
    [
      "version 2, command and largest base version",
      { command_id: id, base_version: 2 ** 53 - 1 },
      "c89e7a3369779c5b851689009ed940fdf6a9f8e3c0c8f269b093e72f1f4c15b4",
    ],
    ["version 1", { ves_version: 1 }, "efcbd708d5898ba0b5d737f788e7259740e43992b6f6377d2aa373a0e6938bfb"],
  ])("%s", (_, members, expected) => {
    expect(toHex(eventSigningHash({ ...plain, ...members }))).toBe(expected);
  });

  const other = "22222222-2222-4222-8222-222222222222";
  const changes: Partial<Record<keyof SignedMembers, Partial<SignedMembers>>> = {
    ves_version: { ves_version: 2 },
    tenant_id: { tenant_id: other },
    store_id: { store_id: other },
    event_id: { event_id: other },
    source_agent_id: { source_agent_id: other },
    agent_key_id: { agent_key_id: 8 },
    entity_type: { entity_type: "Inventory" },
    entity_id: { entity_id: "WIDGET-2" },
    event_type: { event_type: "inventory.adjusted " },
    created_at: { created_at: "2026-01-02T03:04:05.678+00:00" },
    payload_kind: { payload_kind: 1 },
    payload_plain_hash: { payload_plain_hash: flipped(SAMPLE.payload_plain_hash, 31) },
    payload_cipher_hash: { payload_cipher_hash: flipped(SAMPLE.payload_cipher_hash, 31) },
  };

  test.each(Object.entries(changes))("signs %s", (_, change) => {
    expect(eventSigningHash({ ...SAMPLE, ...change })).not.toEqual(eventSigningHash(SAMPLE));
  });

  test("two neighbouring strings cannot trade characters", () => {
    const a = { ...SAMPLE, entity_type: "ab", entity_id: "c" };
    const b = { ...SAMPLE, entity_type: "a", entity_id: "bc" };
    expect(eventSigningHash(a)).not.toEqual(eventSigningHash(b));
  });

  test.each([{ command_id: other }, { base_version: 0 }])("signs %j in version 2 only", (change) => {
    const version2 = { ...SAMPLE, ves_version: 2 };
    expect(eventSigningHash({ ...version2, ...change })).not.toEqual(eventSigningHash(version2));
    expect(eventSigningHash({ ...SAMPLE, ...change })).toEqual(eventSigningHash(SAMPLE));
  });

  test("does not sign the payload itself, the scheme and the signature", () => {
    const changed = { ...SAMPLE, payload: 1, agent_signature_scheme: 1, agent_signature: new Uint8Array(64).fill(1) };
    expect(eventSigningHash(changed)).toEqual(eventSigningHash(SAMPLE));
  });

  test.each<[string, Partial<SignedMembers>]>([
    ["unsupported_version", { ves_version: 0 }],
    ["unsupported_version", { ves_version: 3 }],
    ["invalid_uuid", { tenant_id: "64527dd3a65444109327e58a1492ce77" }],
    ["out_of_range", { agent_key_id: 2 ** 32 }],
    ["out_of_range", { ves_version: 2, base_version: -1 }],
    ["out_of_range", { ves_version: 2, base_version: 2 ** 53 }],
    ["invalid_length", { payload_plain_hash: new Uint8Array(31) }],
    ["ill_formed_text", { entity_id: "\ud800" }],
  ])("%s: %j", (code, change) => {
    expect(() => eventSigningHash({ ...SAMPLE, ...change })).toThrow(expect.objectContaining({ code }) as Error);
  });
});

describe("VES 2.6: leaf, node, stream and state", () => {
  interface LeafInput {
    tenant_id: string;
    store_id: string;
    sequence_number: string;
    event_signing_hash: string;
    agent_signature: string;
  }

  test.each(group<LeafInput, { leaf: string }>("leaf"))("$id", ({ input, expected }) => {
    const leaf = {
      tenantId: input.tenant_id,
      storeId: input.store_id,
      eventSigningHash: fromHex(input.event_signing_hash),
      agentSignature: fromHex(input.agent_signature),
    };
    const sequenceNumber = BigInt(input.sequence_number);
    expect(toHex(leafHash({ ...leaf, sequenceNumber }))).toBe(expected.leaf);
    const asNumber = Number(input.sequence_number);
    if (Number.isSafeInteger(asNumber)) {
      expect(toHex(leafHash({ ...leaf, sequenceNumber: asNumber }))).toBe(expected.leaf);
    } else {
      expect(() => leafHash({ ...leaf, sequenceNumber: asNumber })).toThrow(VesError);
    }
  });

  test.each(group<{ left: string; right: string }, { node: string }>("node"))("$id", ({ input, expected }) => {
    expect(toHex(nodeHash(fromHex(input.left), fromHex(input.right)))).toBe(expected.node);
  });

  test.each(group<object, { pad_leaf: string }>("pad_leaf"))("$id", ({ expected }) => {
    expect(toHex(PAD_LEAF)).toBe(expected.pad_leaf);
  });

  test.each(group<{ tenant_id: string; store_id: string }, { stream_id: string }>("stream_id"))(
    "$id",
    ({ input, expected }) => {
      expect(toHex(streamId(input.tenant_id, input.store_id))).toBe(expected.stream_id);
    },
  );

  interface StateRootInput {
    tenant_id: string;
    store_id: string;
    prev_state_root: string;
    merkle_root: string;
    sequence_start: number;
    sequence_end: number;
    leaf_count: number;
  }

  test.each(group<StateRootInput, { state_root: string }>("state_root"))("$id", ({ input, expected }) => {
    const root = stateRoot({
      tenantId: input.tenant_id,
      storeId: input.store_id,
      prevStateRoot: fromHex(input.prev_state_root),
      merkleRoot: fromHex(input.merkle_root),
      sequenceStart: input.sequence_start,
      sequenceEnd: input.sequence_end,
      leafCount: input.leaf_count,
    });
    expect(toHex(root)).toBe(expected.state_root);
  });
});

describe("VES 2.10: policies and proofs", () => {
  type Input =
    | { kind: "policy"; policy_id: string; policy_params_json: string }
    | { kind: "validity" | "compliance"; proof_hex: string };

  test.each(group<Input, { hash: string }>("policy_and_proof_hashes"))("$id", ({ input, expected }) => {
    if (input.kind === "policy") {
      const params = parseJson(input.policy_params_json);
      expect(toHex(policyHash(input.policy_id, params))).toBe(expected.hash);
      expect(toHex(policyHash(` ${input.policy_id}\n`, params))).toBe(expected.hash);
    } else {
      const hash = input.kind === "validity" ? validityProofHash : complianceProofHash;
      expect(toHex(hash(fromHex(input.proof_hex)))).toBe(expected.hash);
      expect(toHex(hash(utf8("another proof")))).not.toBe(expected.hash);
    }
  });
});

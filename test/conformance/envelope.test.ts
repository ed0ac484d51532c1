import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  MAX_CREATED_AT_CHARS,
  canonicalJson,
  envelopeFromMembers,
  envelopeObject,
  envelopeProblem,
  envelopeSchema,
  eventSigningHash,
  fromHex,
  payloadPlainHash,
  signatureProblem,
  signatureSchemeProblem,
  to0xHex,
  toHex,
  toWireEnvelope,
} from "../../src/ves/index.ts";
import type { EncryptedPayload, Envelope } from "../../src/ves/index.ts";
import { SAMPLE, fixedKey, flipped, signed } from "./samples.ts";
import { group } from "./vectors.ts";

const wire = toWireEnvelope(SAMPLE);

interface EncryptionExpected {
  payload_plain_hash: string;
  payload_cipher_hash: string;
  payload_encrypted: EncryptedPayload;
}

/** An encrypted event that breaks no rule. */
const ENCRYPTED: Envelope = (() => {
  const [vector] = group<{ context: object }, EncryptionExpected>("ves_enc_1");
  if (vector === undefined) throw new Error("unreachable");
  const { payload: _, ...rest } = SAMPLE;
  return {
    ...rest,
    ...vector.input.context,
    payload_kind: 1,
    payload_encrypted: vector.expected.payload_encrypted,
    payload_plain_hash: fromHex(vector.expected.payload_plain_hash),
    payload_cipher_hash: fromHex(vector.expected.payload_cipher_hash),
  };
})();

function without(envelope: Envelope, member: keyof Envelope): Envelope {
  const { [member]: _, ...rest } = envelope;
  return rest as Envelope;
}

describe("VES 6.1: wire form", () => {
  const full: Envelope = {
    ...SAMPLE,
    ves_version: 2,
    agent_signature_scheme: 3,
    agent_signature_bundle: { ed25519_signature: [1, 2], ml_dsa_65_signature: [255, 0] },
    command_id: SAMPLE.store_id,
    base_version: 0,
  };

  test.each([SAMPLE, full, ENCRYPTED])("an envelope survives being written and read", (envelope) => {
    const text = JSON.stringify(toWireEnvelope(envelope));
    expect(envelopeSchema.parse(JSON.parse(text))).toEqual(envelope);
  });

  test("writes hex with 0x, both names of the agent, and only the optional members that are there", () => {
    expect(wire.payload_plain_hash).toBe(to0xHex(SAMPLE.payload_plain_hash));
    expect(wire.agent_signature).toBe(`0x${"00".repeat(64)}`);
    expect(wire.source_agent).toBe(SAMPLE.source_agent_id);
    expect(Object.keys(wire).toSorted()).toEqual([...Object.keys(SAMPLE), "source_agent"].toSorted());
  });

  test("reads hex and UUIDs in every accepted spelling", () => {
    const bare = toHex(SAMPLE.payload_plain_hash);
    for (const payload_plain_hash of [bare, bare.toUpperCase(), `0x${bare.toUpperCase()}`]) {
      expect(envelopeSchema.parse({ ...wire, payload_plain_hash })).toEqual(SAMPLE);
    }
    for (const event_id of [
      SAMPLE.event_id.toUpperCase(),
      `{${SAMPLE.event_id}}`,
      SAMPLE.event_id.replaceAll("-", ""),
    ]) {
      expect(envelopeSchema.parse({ ...wire, event_id })).toEqual(SAMPLE);
    }
  });

  test("null counts as absent on optional members, unknown members are ignored", () => {
    const nulls = {
      payload_encrypted: null,
      agent_signature_scheme: null,
      agent_signature_bundle: null,
      command_id: null,
      base_version: null,
      sequence_number: 5,
      sequenced_at: "2026",
      whatever: {},
    };
    const read = envelopeSchema.parse({ ...wire, ...nulls });
    expect(read).toEqual(SAMPLE);
    expect(Object.keys(read).toSorted()).toEqual(Object.keys(SAMPLE).toSorted());
    expect("payload" in envelopeSchema.parse({ ...wire, payload: null })).toBe(false);
    const bundle = { ed25519_signature: [1], ml_dsa_65_signature: null };
    expect(envelopeSchema.parse({ ...wire, agent_signature_bundle: bundle }).agent_signature_bundle).toEqual({
      ed25519_signature: [1],
    });
  });

  test("payloads of every type are kept, false and 0 too", () => {
    for (const payload of [false, 0, "", [], {}]) {
      expect(envelopeSchema.parse({ ...wire, payload }).payload).toEqual(payload);
    }
  });

  test("every required member is required and has a type", () => {
    const required = Object.keys(SAMPLE).filter((member) => member !== "payload");
    for (const member of required) {
      const { [member]: _, ...rest } = wire as unknown as Record<string, unknown>;
      expect(envelopeSchema.safeParse(rest).success, `without ${member}`).toBe(false);
      for (const wrong of [null, true, {}, -1]) {
        const result = envelopeSchema.safeParse({ ...wire, [member]: wrong });
        expect(result.error?.issues[0]?.path, `${member}: ${JSON.stringify(wrong)}`).toEqual([member]);
      }
    }
  });

  test.each<[string, unknown]>([
    ["event_id", "64527dd3"],
    ["tenant_id", `{${"0".repeat(32)}}`],
    ["agent_key_id", 2 ** 32],
    ["agent_key_id", 1.5],
    ["agent_key_id", "1"],
    ["ves_version", 2 ** 32],
    ["payload_kind", 2],
    ["payload_kind", "0"],
    ["payload_plain_hash", "00".repeat(31)],
    ["payload_plain_hash", `0X${"00".repeat(32)}`],
    ["payload_cipher_hash", "zz".repeat(32)],
    ["agent_signature", "00".repeat(63)],
    ["agent_signature_scheme", 2 ** 31],
    ["agent_signature_scheme", "0"],
    ["agent_signature_bundle", []],
    ["command_id", "x"],
    ["base_version", -1],
    ["base_version", 0.5],
    ["base_version", 2 ** 53],
    ["payload_encrypted", {}],
  ])("%s: %j is refused by name", (member, value) => {
    const result = envelopeSchema.safeParse({ ...wire, [member]: value });
    expect(result.error?.issues[0]?.path[0]).toBe(member);
  });

  test.each([[[256]], [[-1]], [[0.5]], [["1"]], [Array.from({ length: 3310 }, () => 0)]])(
    "a bundle is made of at most 3309 bytes",
    (bytes) => {
      const bundle = { ml_dsa_65_signature: bytes };
      expect(envelopeSchema.safeParse({ ...wire, agent_signature_bundle: bundle }).success).toBe(false);
    },
  );

  test("the form can be made laxer and still gives an envelope", () => {
    const lax = envelopeObject.partial({ ves_version: true }).extend({ note: z.string() });
    const { ves_version: _, ...rest } = wire;
    const read = lax.parse({ ...rest, note: "n" });
    expect(envelopeFromMembers({ ...read, ves_version: read.ves_version ?? 1 })).toEqual(SAMPLE);
  });

  test("has a JSON schema of its input", () => {
    const schema = z.toJSONSchema(envelopeSchema, { io: "input" });
    expect(schema.required).toContain("agent_signature");
    expect(schema.required).not.toContain("command_id");
    expect(schema.properties?.["event_id"]).toMatchObject({ type: "string", description: /UUID/ });
  });
});

describe("VES 6.4: the order of the checks", () => {
  test.each([SAMPLE, { ...SAMPLE, ves_version: 2 }, ENCRYPTED])("a sound event has no problem", (envelope) => {
    expect(envelopeProblem(envelope)).toBeUndefined();
  });

  // In the order of the checks; each change can be made on top of all the later ones.
  const plaintext: [string, Partial<Envelope>][] = [
    ["unsupported_version", { ves_version: 3 }],
    ["schema_validation: entity_type", { entity_type: "" }],
    ["schema_validation: entity_id", { entity_id: "x".repeat(513) }],
    ["schema_validation: event_type", { event_type: "" }],
    ["schema_validation: payload_encrypted", { payload_encrypted: ENCRYPTED.payload_encrypted as EncryptedPayload }],
    ["schema_validation: payload_cipher_hash", { payload_cipher_hash: flipped(SAMPLE.payload_cipher_hash, 31) }],
    ["schema_validation: created_at", { created_at: "yesterday" }],
    ["invalid_payload_hash", { payload_plain_hash: flipped(SAMPLE.payload_plain_hash) }],
  ];
  const encrypted: [string, Partial<Envelope>][] = [
    ["schema_validation: event_type", { event_type: "" }],
    ["schema_validation: payload", { payload: 1 }],
    [
      "schema_validation: payload_encrypted.aead",
      { payload_encrypted: { ...(ENCRYPTED.payload_encrypted as EncryptedPayload), aead: "none" } },
    ],
    ["schema_validation: created_at", { created_at: "yesterday" }],
    ["invalid_cipher_hash", { payload_cipher_hash: flipped(ENCRYPTED.payload_cipher_hash) }],
  ];

  test.each([
    { base: SAMPLE, cases: plaintext },
    { base: ENCRYPTED, cases: encrypted },
  ])("the first broken rule is named, kind $base.payload_kind", ({ base, cases }) => {
    let broken = base;
    for (const [reason, change] of cases.toReversed()) {
      expect(envelopeProblem({ ...base, ...change })?.reason).toBe(reason);
      broken = { ...broken, ...change };
      expect(envelopeProblem(broken)?.reason).toBe(reason);
    }
  });

  test("a payload of the other kind, or none", () => {
    expect(envelopeProblem(without(SAMPLE, "payload"))?.reason).toBe("schema_validation: payload");
    expect(envelopeProblem(without(ENCRYPTED, "payload_encrypted"))?.reason).toBe(
      "schema_validation: payload_encrypted",
    );
  });

  test("versions", () => {
    expect(envelopeProblem({ ...SAMPLE, ves_version: 0 })).toEqual({
      reason: "unsupported_version",
      message: "Expected VES event version 1 or 2, got 0",
    });
    expect(envelopeProblem(SAMPLE, { requireVersion2: true })).toEqual({
      reason: "unsupported_version",
      message: "VES event version 2 is required for signed execution controls",
    });
    expect(envelopeProblem({ ...SAMPLE, ves_version: 2 }, { requireVersion2: true })).toBeUndefined();
    expect(envelopeProblem({ ...SAMPLE, ves_version: 3 }, { requireVersion2: true })?.message).toMatch(/got 3$/);
  });

  test.each([
    ["entity_type", 128],
    ["entity_id", 512],
    ["event_type", 256],
  ])("%s has at most %d bytes of UTF-8", (member, max) => {
    const problem = (text: string) => envelopeProblem({ ...SAMPLE, [member]: text });
    expect(problem("x")).toBeUndefined();
    expect(problem("x".repeat(max))).toBeUndefined();
    expect(problem("é".repeat(max / 2))).toBeUndefined();
    expect(problem("😀".repeat(max / 4))).toBeUndefined();
    for (const text of ["", "x".repeat(max + 1), `${"é".repeat(max / 2)}x`, `${"😀".repeat(max / 4)}x`, "\ud800"]) {
      expect(problem(text)?.reason).toBe(`schema_validation: ${member}`);
    }
  });

  test("created_at is bounded, whatever its syntax allows", () => {
    const fraction = (digits: number) => `2026-01-02T03:04:05.${"1".repeat(digits)}Z`;
    const longest = fraction(MAX_CREATED_AT_CHARS - 21);
    expect(longest).toHaveLength(MAX_CREATED_AT_CHARS);
    expect(envelopeProblem({ ...SAMPLE, created_at: longest })).toBeUndefined();
    expect(envelopeProblem({ ...SAMPLE, created_at: `${longest.slice(0, -1)}1Z` })?.reason).toBe(
      "schema_validation: created_at",
    );
  });

  test("canonical text that the caller has is used as it is", () => {
    const payload = { other: true };
    const canonicalPayload = canonicalJson(payload);
    const event = { ...SAMPLE, payload_plain_hash: payloadPlainHash(canonicalPayload) };
    expect(envelopeProblem(event)?.reason).toBe("invalid_payload_hash");
    expect(envelopeProblem(event, { canonicalPayload })).toBeUndefined();
  });

  test("a payload without a canonical form is a problem, not an error", () => {
    expect(envelopeProblem({ ...SAMPLE, payload: "\ud800" })?.reason).toBe("schema_validation: payload");
  });
});

describe("VES 3.3: signatures and schemes", () => {
  test("the agent's signature verifies, another's and one over another event do not", async () => {
    const [key, other] = [await fixedKey(4), await fixedKey(5)];
    for (const sample of [SAMPLE, { ...SAMPLE, ves_version: 2, base_version: 3 }]) {
      const event = await signed(sample, key);
      expect(await signatureProblem(event, key.publicKey)).toBeUndefined();
      expect(await signatureProblem(event, key.publicKey, eventSigningHash(event))).toBeUndefined();
      const changed = { ...event, entity_id: "WIDGET-2" };
      for (const problem of [
        await signatureProblem(event, other.publicKey),
        await signatureProblem(changed, key.publicKey),
        await signatureProblem(event, key.publicKey, eventSigningHash(changed)),
      ]) {
        expect(problem?.reason).toBe("invalid_signature");
      }
    }
  });

  test.each([undefined, 0, 1, 4, 99, -1])("scheme %s is Ed25519", async (scheme) => {
    const key = await fixedKey(4);
    const event = await signed(SAMPLE, key);
    const named = scheme === undefined ? event : { ...event, agent_signature_scheme: scheme };
    expect(await signatureProblem(named, key.publicKey)).toBeUndefined();
  });

  test.each([2, 3])("scheme %d is not served, even with an Ed25519 signature that verifies", async (scheme) => {
    const key = await fixedKey(4);
    const event = { ...(await signed(SAMPLE, key)), agent_signature_scheme: scheme };
    expect(signatureSchemeProblem(event)).toMatchObject({ reason: "invalid_signature" });
    expect((await signatureProblem(event, key.publicKey))?.message).toMatch(/only Ed25519 \(schemes 0 and 1\)$/);
  });
});

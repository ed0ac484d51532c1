import { describe, expect, it } from "vitest";
import type { EncryptedPayload, JsonValue } from "../../../src/ves/index.ts";
import {
  accept,
  detailsOf,
  event,
  expectError,
  expectLog,
  expectNothingStored,
  expectRejected,
  ingest,
  newAgent,
  resigned,
  without,
} from "./harness.ts";
import { base64Url, encrypted, sealed } from "./sealing.ts";

describe("rejected for its structure", () => {
  const sound = encrypted();
  const [first, second] = sound.recipients;
  const recipients = (...list: unknown[]) => ({ recipients: list });
  const NAMES = "expected base or hybrid-base or pqc-base";
  const KEMS = "expected X25519-HKDF-SHA256 or x25519+mlkem768 or mlkem768";
  it.each<[string, object, string]>([
    ["enc_version", { enc_version: 0 }, "expected 1 to 3, got 0"],
    ["enc_version", { enc_version: 4 }, "expected 1 to 3, got 4"],
    ["aead", { aead: "aes-256-gcm" }, "expected AES-256-GCM"],
    ["hpke.mode", { hpke: { ...sound.hpke, mode: "Base" } }, NAMES],
    ["hpke.mode", { hpke: { ...sound.hpke, mode: "auth" } }, NAMES],
    ["hpke.kem", { hpke: { ...sound.hpke, kem: "P-256" } }, KEMS],
    ["hpke.kdf", { hpke: { ...sound.hpke, kdf: "HKDF-SHA512" } }, "expected HKDF-SHA256"],
    ["hpke.aead", { hpke: { ...sound.hpke, aead: "ChaCha20Poly1305" } }, "expected AES-256-GCM"],
    ["nonce_b64u", { nonce_b64u: base64Url(11) }, "expected 12 bytes, got 11"],
    ["nonce_b64u", { nonce_b64u: "!" }, "not base64url"],
    ["nonce_b64u", { nonce_b64u: `${base64Url(12)}=` }, "not base64url"],
    ["ciphertext_b64u", { ciphertext_b64u: "" }, "must not be empty"],
    ["ciphertext_b64u", { ciphertext_b64u: "ab+/" }, "not base64url"],
    ["tag_b64u", { tag_b64u: base64Url(12) }, "expected 16 bytes, got 12"],
    ["tag_b64u", { tag_b64u: `${"A".repeat(21)}B` }, "not base64url"],
    ["recipients", recipients(), "at least one recipient is needed"],
    ["recipients", recipients(second, first), "recipient_kid must ascend strictly, 1 follows 2"],
    ["recipients", recipients(first, first), "recipient_kid must ascend strictly, 1 follows 1"],
    ["recipients.enc_b64u", recipients({ ...first, enc_b64u: base64Url(33) }), "expected 32 bytes, got 33"],
    ["recipients.enc_b64u", recipients(first, { ...second, enc_b64u: "*" }), "not base64url"],
    ["recipients.ct_b64u", recipients({ ...first, ct_b64u: base64Url(47) }), "expected 48 or 60 bytes, got 47"],
    ["recipients.ct_b64u", recipients({ ...first, ct_b64u: "" }), "expected 48 or 60 bytes, got 0"],
  ])("%s %j", async (member, change, message) => {
    const signer = await newAgent();
    const payload: EncryptedPayload = { ...sound, ...change };
    const bad = await sealed(signer, payload, "binary", sound);
    const path = `payload_encrypted.${member}`;
    await expectRejected(signer, bad, `schema_validation: ${path}`, `${path}: ${message}`);
  });

  it("several defects: the first in the order of the protocol", async () => {
    const signer = await newAgent();
    const payload = { ...sound, aead: "x", tag_b64u: "x", recipients: [] };
    const bad = { ...(await sealed(signer, payload, "binary", sound)), created_at: "x" };
    await expectRejected(
      signer,
      bad,
      "schema_validation: payload_encrypted.aead",
      "payload_encrypted.aead: expected AES-256-GCM",
    );
  });
});

describe("rejected for its hash", () => {
  const flip = (text: string): string => (text.startsWith("A") ? "B" : "A") + text.slice(1);
  const sound = encrypted();
  const changes: [string, object][] = [
    ["nonce", { nonce_b64u: flip(sound.nonce_b64u) }],
    ["ciphertext", { ciphertext_b64u: flip(sound.ciphertext_b64u) }],
    ["tag", { tag_b64u: flip(sound.tag_b64u) }],
    [
      "a recipient's key id",
      {
        recipients: sound.recipients.map((recipient, index) =>
          index === 1 ? { ...recipient, recipient_kid: 3 } : recipient,
        ),
      },
    ],
    [
      "a wrapped key",
      { recipients: sound.recipients.map((recipient) => ({ ...recipient, ct_b64u: flip(recipient.ct_b64u) })) },
    ],
    ["a recipient less", { recipients: sound.recipients.slice(1) }],
  ];
  const cases = (["binary", "json"] as const).flatMap((layout) =>
    changes.map((change) => [layout, ...change] as const),
  );
  it.each(cases)("%s layout: %s", async (layout, _, change) => {
    const signer = await newAgent();
    const bad = await sealed(signer, { ...sound, ...change }, layout, sound);
    await expectRejected(
      signer,
      bad,
      "invalid_cipher_hash",
      "payload_cipher_hash is not the hash of payload_encrypted",
    );
  });

  it("JSON layout: a recipient's unknown member", async () => {
    const signer = await newAgent();
    const payload = { ...sound, recipients: sound.recipients.map((recipient) => ({ ...recipient, label: "x" })) };
    const bad = await sealed(signer, payload, "json", sound);
    await expectRejected(
      signer,
      bad,
      "invalid_cipher_hash",
      "payload_cipher_hash is not the hash of payload_encrypted",
    );
  });

  it("binary layout: wrapped keys of 60 bytes", async () => {
    const signer = await newAgent();
    const bad = await sealed(signer, encrypted(60), "binary");
    await expectRejected(
      signer,
      bad,
      "invalid_cipher_hash",
      "payload_cipher_hash is not the hash of payload_encrypted",
    );
  });

  it("moved to another event", async () => {
    const signer = await newAgent();
    const bad = await resigned(signer, await sealed(signer, sound), { event_id: crypto.randomUUID() });
    await expectRejected(
      signer,
      bad,
      "invalid_cipher_hash",
      "payload_cipher_hash is not the hash of payload_encrypted",
    );
  });

  it("another encrypted payload under a used event id", async () => {
    const signer = await newAgent();
    const wire = await sealed(signer, sound);
    await accept(signer, wire);
    const reply = await ingest(signer, [{ ...wire, payload_encrypted: { ...sound, tag_b64u: flip(sound.tag_b64u) } }]);
    expect(reply.body).toMatchObject({ eventsRejected: 1, rejections: [{ reason: "duplicate_event_id" }] });
    await expectLog(signer, [wire]);
  });
});

describe("kind and payload that do not belong together", () => {
  it("both payloads on kind 1, and on kind 0", async () => {
    const signer = await newAgent();
    const one = { ...(await sealed(signer, encrypted())), payload: { delta: 5 } };
    await expectRejected(signer, one, "schema_validation: payload", "payload: must be absent when payload_kind is 1");
    const zero = { ...(await event(signer)), payload_encrypted: encrypted() as JsonValue };
    await expectRejected(
      signer,
      zero,
      "schema_validation: payload_encrypted",
      "payload_encrypted: must be absent when payload_kind is 0",
    );
  });

  const paths = [
    "enc_version",
    "aead",
    "nonce_b64u",
    "ciphertext_b64u",
    "tag_b64u",
    "hpke",
    "hpke.mode",
    "hpke.kem",
    "hpke.kdf",
    "hpke.aead",
    "recipients",
    "recipients.0.recipient_kid",
    "recipients.0.enc_b64u",
    "recipients.0.ct_b64u",
  ];
  it.each(paths)("422 without %s", async (path) => {
    const signer = await newAgent();
    const wire = await sealed(signer, encrypted());
    const payload = structuredClone(wire["payload_encrypted"]) as unknown as Record<string, unknown>;
    const parts = path.split(".");
    const last = parts.pop() ?? "";
    let owner = payload;
    for (const part of parts) owner = owner[part] as Record<string, unknown>;
    delete owner[last];
    const reply = await ingest(signer, [{ ...wire, payload_encrypted: payload }]);
    expectError(
      reply,
      "UNPROCESSABLE",
      new RegExp(`^events\\.0\\.payload_encrypted\\.${path}: Invalid input: expected \\w+, received undefined$`),
    );
    expect(detailsOf(reply)).toMatchObject([{ path: `events.0.payload_encrypted.${path}` }]);
    await expectNothingStored(signer);
  });

  it("422 without a plain hash: it cannot be computed from what is encrypted", async () => {
    const signer = await newAgent();
    const reply = await ingest(signer, [without(await sealed(signer, encrypted()), "payload_plain_hash")]);
    expectError(reply, "UNPROCESSABLE", "events.0.payload_plain_hash: Required when the payload is encrypted");
    await expectNothingStored(signer);
  });

  it("413 above 1 MiB", async () => {
    const signer = await newAgent();
    const wire = await sealed(signer, { ...encrypted(), ciphertext_b64u: base64Url(60_000).repeat(14) });
    expectError(
      await ingest(signer, [wire]),
      "PAYLOAD_TOO_LARGE",
      "events.0: a payload may have 1048576 bytes as canonical JSON",
    );
    await expectNothingStored(signer);
  });
});

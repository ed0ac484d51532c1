import { describe, expect, it } from "vitest";
import {
  type EncryptedPayload,
  type EncryptionLayout,
  type EventIdentity,
  type JsonValue,
  signingKeyFromSeed,
} from "../../../src/ves/index.ts";
import { group } from "../../conformance/vectors.ts";
import { accept, call, expectLog, ingest, newAgent, registerKey, resigned, textOf, without } from "./harness.ts";
import { base64Url, encrypted, sealed } from "./sealing.ts";

describe("accepted, and given back as it was sent", () => {
  const noted: EncryptedPayload = {
    ...encrypted(),
    note: { a: [1, null] },
    hpke: { ...encrypted().hpke, suite: "x" },
    recipients: encrypted().recipients.map((recipient) => ({ ...recipient, label: "warehouse", 0: true })),
  };
  it.each<[string, EncryptedPayload, EncryptionLayout]>([
    ["the binary layout", encrypted(), "binary"],
    ["the JSON layout", encrypted(), "json"],
    ["the JSON layout with wrapped keys of 60 bytes", encrypted(60), "json"],
    ["unknown members, binary layout", noted, "binary"],
    ["unknown members, JSON layout", noted, "json"],
    ["one recipient", { ...encrypted(), recipients: encrypted().recipients.slice(0, 1) }, "binary"],
    [
      "version 2",
      { ...encrypted(), enc_version: 2, hpke: { ...encrypted().hpke, mode: "hybrid-base", kem: "x25519+mlkem768" } },
      "binary",
    ],
    [
      "version 3",
      { ...encrypted(), enc_version: 3, hpke: { ...encrypted().hpke, mode: "pqc-base", kem: "mlkem768" } },
      "json",
    ],
    ["padded base64url", { ...encrypted(), tag_b64u: `${base64Url(16)}==` }, "binary"],
    ["a ciphertext of one byte", { ...encrypted(), ciphertext_b64u: base64Url(1) }, "binary"],
  ])("%s", async (_, payload, layout) => {
    const signer = await newAgent();
    const wire = await sealed(signer, payload, layout);
    const receipts = await accept(signer, wire);
    await expectLog(signer, [wire]);
    expect((await ingest(signer, [wire])).body).toMatchObject({ eventsRejected: 0, receipts });
    const query = `tenant_id=${signer.tenantId}&store_id=${signer.storeId}`;
    const row = await call("GET", `/api/v1/ves/entities/inventory/${textOf(wire, "entity_id")}?${query}`);
    expect(row.body).toMatchObject({ events: [{ payload: wire["payload_encrypted"] }] });
  });

  it("without kind and cipher hash: both are told from the payload", async () => {
    const signer = await newAgent();
    const wire = await sealed(signer, encrypted());
    await accept(signer, without(without(wire, "payload_kind"), "payload_cipher_hash"));
    await expectLog(signer, [wire]);
  });

  it("the published vector", async () => {
    interface Input {
      readonly context: EventIdentity;
    }
    interface Expected {
      readonly payload_plain_hash: string;
      readonly payload_cipher_hash: string;
      readonly payload_encrypted: EncryptedPayload;
    }
    const [vector] = group<Input, Expected>("ves_enc_1");
    if (vector === undefined) throw new Error("the vectors are there");
    const { context } = vector.input;
    const key = await signingKeyFromSeed(new Uint8Array(32).fill(7));
    const signer = {
      tenantId: context.tenant_id,
      storeId: context.store_id,
      agentId: context.source_agent_id,
      keyId: context.agent_key_id,
      key,
    };
    await registerKey(signer);
    const wire = await resigned(
      signer,
      { ...context },
      {
        payload_kind: 1,
        payload_plain_hash: `0x${vector.expected.payload_plain_hash}`,
        payload_cipher_hash: `0x${vector.expected.payload_cipher_hash}`,
        payload_encrypted: vector.expected.payload_encrypted as JsonValue,
      },
    );
    await accept(signer, wire);
    await expectLog(signer, [wire]);
  });
});

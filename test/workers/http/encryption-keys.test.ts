import { describe, expect, it } from "vitest";
import {
  type EncryptionKey,
  findRecipient,
  generateEncryptionKey,
  registrationBody,
} from "../../../agent/src/encryption/index.ts";
import type { Signer } from "../../../scripts/lib/signer.ts";
import { fromHex, type JsonValue, to0xHex, toHex } from "../../../src/ves/index.ts";
import { list as listSigningKeys, post, registration } from "./agent-key-calls.ts";
import { call, expectError, mint, newAgent, type Reply, url, type Wire } from "./harness.ts";

interface Directory {
  readonly keys: readonly { readonly kid: number; readonly revokedAt: string | null; readonly signature: string }[];
}

const path = ({ agentId }: Pick<Signer, "agentId">, kid?: number): string =>
  `/api/v1/agents/${agentId}/encryption-keys${kid === undefined ? "" : `/${kid}`}`;

async function body(
  signer: Signer,
  key: EncryptionKey,
  more: { readonly validTo?: number; readonly signedAt?: number } = {},
): Promise<Wire> {
  return {
    ...(await registrationBody({ ...signer, signingKeyId: signer.keyId, signingKey: signer.key, key, ...more })),
  };
}

async function register(signer: Signer, key: EncryptionKey, change: Wire = {}, apiKey?: string): Promise<Reply> {
  const given = { body: { ...(await body(signer, key)), ...change }, ...(apiKey !== undefined && { key: apiKey }) };
  return call("POST", path(signer), given);
}

async function directoryOf({ tenantId, agentId }: Signer): Promise<Directory> {
  return (await call<Directory>("GET", url(path({ agentId }), { tenant_id: tenantId }))).body;
}

const revoke = ({ tenantId, agentId }: Signer, kid: number): Promise<Reply<{ revokedAt: string }>> =>
  call("DELETE", url(path({ agentId }, kid), { tenant_id: tenantId }));

/** What an agent that asks this server finds, with every signature checked. */
async function find({ tenantId, agentId }: Signer) {
  const sequencer = await call<{ keys: { public_key: string }[] }>("GET", "/api/v1/sequencer/keys", { key: null });
  const sequencerKeys = sequencer.body.keys.map(({ public_key }) => fromHex(public_key));
  const get = async (asked: string): Promise<JsonValue> => (await call<JsonValue>("GET", asked)).body;
  return findRecipient(get, { tenantId, agentId }, { sequencerKeys });
}

describe("an agent's encryption keys", () => {
  it("are found by others, who check both signatures; the newest first", async () => {
    const signer = await newAgent();
    const [first, second] = [await generateEncryptionKey(), await generateEncryptionKey()];
    const own = await mint(signer);
    expect((await register(signer, first, {}, own)).body).toEqual({
      tenantId: signer.tenantId,
      agentId: signer.agentId,
      kid: first.kid,
      status: "active",
    });
    expect(await find(signer)).toEqual({
      agentId: signer.agentId,
      kid: first.kid,
      publicKey: first.publicKey,
      signingKeyId: 1,
    });
    await scheduler.wait(2);
    expect((await register(signer, second)).status).toBe(200);
    expect(await find(signer)).toMatchObject({ kid: second.kid });
    expect((await directoryOf(signer)).keys.map(({ kid }) => kid)).toEqual([second.kid, first.kid]);
  });

  it("are apart from its signing keys: neither directory lists the other's", async () => {
    const signer = await newAgent();
    const key = await generateEncryptionKey();
    await register(signer, key);
    const listed = (await listSigningKeys(signer)).body.keys;
    expect(listed.map(({ public_key }) => public_key)).toEqual([toHex(signer.key.publicKey)]);
    const signing = await call(
      "GET",
      url(`/api/v1/agents/${signer.agentId}/signing-keys`, { tenant_id: signer.tenantId }),
    );
    expect(signing.text).not.toContain(toHex(key.publicKey));
    expect((await directoryOf(signer)).keys).toMatchObject([
      {
        kid: key.kid,
        algorithm: "x25519",
        publicKey: to0xHex(key.publicKey),
        signingKeyId: 1,
        validTo: null,
        revokedAt: null,
      },
    ]);
    // As a signing key it is none.
    expect(
      (await post(registration(signer, { keyId: 2, publicKey: toHex(key.publicKey), keyAlgorithm: 2 }))).status,
    ).toBe(422);
  });

  it("are revoked once, and then no longer found; they stay listed, and nobody gets the kid again", async () => {
    const signer = await newAgent();
    const key = await generateEncryptionKey();
    await register(signer, key);
    const { body: first } = await revoke(signer, key.kid);
    expect(first).toMatchObject({ kid: key.kid, status: "revoked" });
    expect((await revoke(signer, key.kid)).body).toEqual(first);
    await expect(find(signer)).rejects.toMatchObject({ code: "no_usable_key" });
    expect((await directoryOf(signer)).keys).toMatchObject([{ kid: key.kid, revokedAt: first.revokedAt }]);
    expectError(
      await register(signer, key),
      "ALREADY_EXISTS",
      /^kid \d+ is another key's of this tenant, or was one's$/,
    );
    expectError(await revoke(signer, 7), "AGENT_KEY_NOT_FOUND", `Agent ${signer.agentId} has no encryption key 7`);
    const colleague = await newAgent(signer.tenantId);
    expectError(
      await revoke({ ...colleague, tenantId: signer.tenantId }, key.kid),
      "AGENT_KEY_NOT_FOUND",
      /has no encryption key/,
    );
  });

  it("are no longer found once the key that registered them is revoked, until another registers them again", async () => {
    const signer = await newAgent();
    const key = await generateEncryptionKey();
    await register(signer, key);
    const { key: next } = await newAgent();
    await post(registration({ ...signer, key: next }, { keyId: 2 }));
    await call("DELETE", url(`/api/v1/agents/${signer.agentId}/keys/1`, { tenant_id: signer.tenantId }));
    await expect(find(signer)).rejects.toMatchObject({ code: "no_usable_key" });
    expectError(
      await register(signer, key),
      "SIGNATURE_VERIFICATION_FAILED",
      "signingKeyId 1 cannot sign this: Agent key has been revoked",
    );
    await scheduler.wait(2);
    expect((await register({ ...signer, keyId: 2, key: next }, key)).status).toBe(200);
    expect(await find(signer)).toMatchObject({ kid: key.kid, signingKeyId: 2 });
    expect((await directoryOf(signer)).keys).toHaveLength(1);
  });

  it("may be registered again with the same answer, and with another end", async () => {
    const signer = await newAgent();
    const key = await generateEncryptionKey();
    const now = Date.now();
    const state = async (signedAt: number, validTo?: number): Promise<Reply> =>
      call("POST", path(signer), {
        body: await body(signer, key, { signedAt, ...(validTo === undefined ? {} : { validTo }) }),
      });
    const [once, again] = [await state(now - 9), await state(now - 9)];
    expect(again.body).toEqual(once.body);
    expect((await state(now - 8, now - 1_000)).status).toBe(200);
    await expect(find(signer)).rejects.toMatchObject({ code: "no_usable_key" });
    // Whoever kept the first statement brings nothing back with it.
    for (const outdated of [await state(now - 9), await state(now - 8)]) {
      expectError(outdated, "ALREADY_EXISTS", /that was not signed earlier is registered$/);
    }
    await expect(find(signer)).rejects.toMatchObject({ code: "no_usable_key" });
    expect((await state(now - 7, now + 60_000)).status).toBe(200);
    expect(await find(signer)).toMatchObject({ kid: key.kid });
    expectError(await state(now + 400_000), "UNPROCESSABLE", /^signedAt/);
  });

  it("have kids that are one key's only in the tenant, and may be another's in another", async () => {
    const signer = await newAgent();
    const key = await generateEncryptionKey();
    await register(signer, key);
    const colleague = { ...(await newAgent(signer.tenantId)), tenantId: signer.tenantId };
    const other = { ...(await generateEncryptionKey()), kid: key.kid };
    for (const taken of [other, key]) expectError(await register(colleague, taken), "ALREADY_EXISTS", /^kid/);
    expectError(await register(signer, other), "ALREADY_EXISTS", /^kid/);
    expect((await register(await newAgent(), other)).status).toBe(200);
    expect((await register(signer, { ...other, kid: 0 })).status).toBe(200);
    expect((await register(signer, { ...other, kid: 4_294_967_295 })).status).toBe(200);
  });
});

describe("a registration is refused", () => {
  const SIGNATURE = "SIGNATURE_VERIFICATION_FAILED";
  const failed = "signature does not verify under key 1";
  it.each<[string, (signer: Signer, key: EncryptionKey) => Wire | Promise<Wire>, string | RegExp]>([
    [
      "another public key than was signed",
      async () => ({ publicKey: toHex((await generateEncryptionKey()).publicKey) }),
      failed,
    ],
    ["another kid", () => ({ kid: 1 }), failed],
    ["another end", () => ({ validTo: "2090-01-01T00:00:00Z" }), failed],
    ["another time", () => ({ signedAt: "2026-01-01T00:00:00Z" }), failed],
    ["a signature of zeros", () => ({ signature: "00".repeat(64) }), failed],
    [
      "a key that the agent does not have",
      () => ({ signingKeyId: 9 }),
      "signingKeyId 9 cannot sign this: Agent key not found",
    ],
  ])("%s", async (_, change, message) => {
    const signer = await newAgent();
    const key = await generateEncryptionKey();
    expectError(await register(signer, key, await change(signer, key)), SIGNATURE, message);
    expect((await directoryOf(signer)).keys).toEqual([]);
    // Control: what was signed is accepted.
    expect((await register(signer, key)).status).toBe(200);
  });

  it("that another agent signed, or that was signed for another tenant", async () => {
    const signer = await newAgent();
    const key = await generateEncryptionKey();
    const { key: stranger } = await newAgent();
    expectError(await register({ ...signer, key: stranger }, key), SIGNATURE, failed);
    const elsewhere = await body({ ...signer, tenantId: crypto.randomUUID() }, key);
    expectError(await register(signer, key, { signature: elsewhere["signature"] }), SIGNATURE, failed);
  });

  it.each([
    ["00".repeat(32), /small order/],
    [`ed${"ff".repeat(30)}7f`, /not the canonical encoding/],
    ["ff".repeat(32), /not the canonical encoding/],
  ])("of the public key %s", async (publicKey, message) => {
    const signer = await newAgent();
    const key = { ...(await generateEncryptionKey()), publicKey: fromHex(publicKey) };
    expectError(await register(signer, key), "INVALID_PUBLIC_KEY", message);
  });

  it.each<[Wire, RegExp]>([
    [{ kid: -1 }, /^kid/],
    [{ kid: 2 ** 32 }, /^kid/],
    [{ publicKey: "00" }, /^publicKey: expected 32 bytes/],
    [{ signature: "00" }, /^signature: expected 64 bytes/],
    [{ validTo: "1969-12-31T23:59:59Z" }, /^validTo: expected a time since 1970/],
    [{ signedAt: "1969-12-31T23:59:59Z" }, /^signedAt: expected a time since 1970/],
    [{ signedAt: null }, /^signedAt/],
    [{ signingKeyId: null }, /^signingKeyId/],
  ])("%j", async (change, message) => {
    const signer = await newAgent();
    expectError(await register(signer, await generateEncryptionKey(), change), "UNPROCESSABLE", message);
  });

  it("from a credential of another agent or tenant", async () => {
    const signer = await newAgent();
    const key = await generateEncryptionKey();
    for (const other of [await newAgent(signer.tenantId), await newAgent()]) {
      expect((await register(signer, key, {}, await mint(other))).status).toBe(403);
    }
    expect((await directoryOf(signer)).keys).toEqual([]);
  });
});

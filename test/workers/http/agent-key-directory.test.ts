import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/errors.ts";
import { fromHex, type JsonObject, keyDirectoryHash, to0xHex, verifyEd25519 } from "../../../src/ves/index.ts";
import { agent, list, post, registration } from "./agent-key-calls.ts";
import { call, expectError, mint, newAgent, url, type Wire, without, textOf } from "./harness.ts";

describe("revocation, lists and the directory", () => {
  it("revokes on both paths, idempotently, and answers 404 for what is not there", async () => {
    const signer = await newAgent();
    const second = { ...signer, keyId: 2 };
    await post(registration({ ...signer, key: (await agent()).key }, { keyId: 2 }));
    await post(registration({ ...signer, key: (await agent()).key }, { keyId: 3, validFrom: "2090-01-01T00:00:00Z" }));
    await post(registration({ ...signer, key: (await agent()).key }, { keyId: 4, validTo: "2020-01-01T00:00:00Z" }));
    const paths = [
      url(`/api/v1/agents/${signer.agentId}/keys/1`, { tenant_id: signer.tenantId }),
      url("/api/v1/agent-keys/2", { tenant_id: signer.tenantId, agent_id: signer.agentId }),
    ];
    const first = await Promise.all(paths.map((path) => call<{ revoked_at: string }>("DELETE", path)));
    expect(first.map(({ body }) => body)).toMatchObject(
      [1, 2].map((key_id) => ({
        success: true,
        tenant_id: signer.tenantId,
        agent_id: signer.agentId,
        key_id,
        status: "revoked",
      })),
    );
    const again = await Promise.all(paths.map((path) => call("DELETE", path)));
    expect(again.map(({ body }) => body)).toEqual(first.map(({ body }) => body));
    const statuses = (await list(signer)).body.keys.map(({ key_id, status }) => [key_id, status]);
    expect(statuses).toEqual([
      [1, "revoked"],
      [2, "revoked"],
      [3, "not_yet_valid"],
      [4, "expired"],
    ]);
    // A revoked id stays used.
    expectError(await post(registration(second, { keyId: 1 })), "ALREADY_EXISTS", /is registered already$/);

    const path = url(`/api/v1/agents/${signer.agentId}/signing-keys`, { tenant_id: signer.tenantId });
    const { body: directory } = await call<Wire>("GET", path);
    expect(directory).toMatchObject({
      agentId: signer.agentId,
      tenantId: signer.tenantId,
      keys: [
        {
          keyId: 1,
          algorithm: "ed25519",
          publicKey: to0xHex(signer.key.publicKey),
          publicKeyBundle: null,
          validFrom: null,
          validTo: null,
          revokedAt: first[0]?.body.revoked_at,
        },
        { keyId: 2, revokedAt: first[1]?.body.revoked_at },
        { keyId: 3, validFrom: "2090-01-01T00:00:00.000+00:00", revokedAt: null },
        { keyId: 4, validTo: "2020-01-01T00:00:00.000+00:00", revokedAt: null },
      ],
    });
    const sequencer = await call<{ keys: { public_key: string }[] }>("GET", "/api/v1/sequencer/keys", { key: null });
    const publicKey = fromHex(sequencer.body.keys[0]?.public_key ?? "");
    const hash = keyDirectoryHash(without(directory, "directorySignature") as JsonObject);
    const signature = fromHex(textOf(directory, "directorySignature"));
    expect(await verifyEd25519(publicKey, hash, signature)).toBe(true);
    const forged = keyDirectoryHash({
      ...without(directory, "directorySignature"),
      agentId: crypto.randomUUID(),
    });
    expect(await verifyEd25519(publicKey, forged, signature)).toBe(false);
  });

  it.each<[string, ErrorCode, string]>([
    ["/api/v1/agents/AGENT/keys/7?tenant_id=TENANT", "AGENT_KEY_NOT_FOUND", "Agent AGENT has no key 7"],
    ["/api/v1/agent-keys/7?tenant_id=TENANT&agent_id=AGENT", "AGENT_KEY_NOT_FOUND", "Agent AGENT has no key 7"],
    ["/api/v1/agents/AGENT/keys/x?tenant_id=TENANT", "INVALID_FIELD_VALUE", "key_id: expected a whole number"],
    [
      "/api/v1/agents/AGENT/keys/4294967296?tenant_id=TENANT",
      "INVALID_FIELD_VALUE",
      "key_id: Too big: expected number to be <=4294967295",
    ],
    [
      "/api/v1/agents/AGENT/keys/1",
      "MISSING_REQUIRED_FIELD",
      "tenant_id: Invalid input: expected string, received undefined",
    ],
    [
      "/api/v1/agent-keys/1?tenant_id=TENANT",
      "MISSING_REQUIRED_FIELD",
      "agent_id: Invalid input: expected string, received undefined",
    ],
    ["/api/v1/agents/x/keys/1?tenant_id=TENANT", "INVALID_FIELD_VALUE", "agent_id: expected a UUID"],
  ])("DELETE %s: %s", async (path, code, message) => {
    const signer = await newAgent();
    const named = (text: string): string =>
      text.replaceAll("AGENT", signer.agentId).replaceAll("TENANT", signer.tenantId);
    expectError(await call("DELETE", named(path)), code, named(message));
    expect((await list(signer)).body.keys.map(({ status }) => status)).toEqual(["active"]);
  });

  it("lists by tenant, for every credential of the tenant that may read", async () => {
    const signer = await newAgent();
    const other = await newAgent(signer.tenantId);
    const key = await mint(signer, { readOnly: true });
    const reply = await call<{ keys: { agent_id: string }[] }>(
      "GET",
      url("/api/v1/agent-keys", { tenant_id: signer.tenantId }),
      { key },
    );
    expect(reply.body.keys.map(({ agent_id }) => agent_id)).toEqual([signer.agentId, other.agentId].toSorted());
    expect((await list({ ...signer, agentId: crypto.randomUUID() })).body).toEqual({ keys: [] });
    expectError(
      await call("GET", "/api/v1/agent-keys"),
      "MISSING_REQUIRED_FIELD",
      "tenant_id: Invalid input: expected string, received undefined",
    );
  });

  it("a bound is kept however its time is written", async () => {
    const signer = await agent();
    const window = { validFrom: "2016-12-31T23:59:60Z", validTo: "2090-01-01T00:00:00\u221205:00" };
    expect((await post(registration(signer, window))).status).toBe(200);
    const bounds = { valid_from: "2017-01-01T00:00:00.000+00:00", valid_to: "2090-01-01T05:00:00.000+00:00" };
    expect((await list(signer)).body.keys).toMatchObject([{ status: "active", ...bounds }]);
    const past = { keyId: 2, validFrom: null, validTo: "2016-12-31T23:59:60Z" };
    expect((await post(registration(signer, past))).status).toBe(200);
    expect((await list(signer)).body.keys.map(({ status }) => status)).toEqual(["active", "expired"]);
  });
});

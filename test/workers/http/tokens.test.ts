import { describe, expect, it, vi } from "vitest";
import type { Signer } from "../../../scripts/lib/signer.ts";
import { claimsFor, issue, JWT_SECRET, newIssuerKey, signToken } from "../../support/tokens.ts";
import { ADMIN, call, event, expectError, ingest, mint, newAgent, type Reply, streamQuery, url } from "./harness.ts";

const settings = { JWT_SECRET };

const head = (signer: Signer, authorization: string, given: object = settings): Promise<Reply> =>
  call("GET", url("/api/v1/ves/head", streamQuery(signer)), {
    key: null,
    headers: { authorization },
    settings: { ...given },
  });

describe("a token", () => {
  it.each(["Bearer", "bearer", "BEARER", "Bearer  "])("is sent as %s", async (scheme) => {
    const signer = await newAgent();
    const token = await signToken(claimsFor(signer.tenantId, { perms: "read" }));
    expect((await head(signer, `${scheme} ${token}`)).status).toBe(200);
  });

  it("is told apart from an API key under the same scheme", async () => {
    const signer = await newAgent();
    expect((await head(signer, `Bearer ${await mint(signer)}`)).status).toBe(200);
    expect((await head(signer, `Bearer ${ADMIN}`)).status).toBe(200);
    const token = await signToken(claimsFor(signer.tenantId, { perms: "read" }));
    expectError(await head(signer, `ApiKey ${token}`), "INVALID_API_KEY", "Invalid API key");
  });

  it("401: expired, or anything else that is wrong, in few words", async () => {
    const signer = await newAgent();
    const told = async (change: Record<string, unknown>, secret?: string): Promise<Reply> => {
      const token = await signToken(claimsFor(signer.tenantId, change), secret === undefined ? {} : { key: secret });
      return head(signer, `Bearer ${token}`);
    };
    const now = Math.floor(Date.now() / 1_000);
    expect((await told({ perms: "read", exp: now - 50 })).status).toBe(200);
    expectError(await told({ exp: now - 61 }), "TOKEN_EXPIRED", "The token has expired");
    expectError(await told({ aud: "another" }), "INVALID_TOKEN", "Invalid token");
    expectError(await told({ jti: undefined }), "INVALID_TOKEN", "Invalid token");
    expectError(await told({}, "another secret"), "INVALID_TOKEN", "Invalid token");
  });

  it("for the nil tenant is nobody's, whatever it says it may", async () => {
    const signer = await newAgent();
    const nil = "00000000-0000-0000-0000-000000000000";
    const token = await signToken(claimsFor(nil, { perms: "read,write,admin" }));
    expectError(await head(signer, `Bearer ${token}`), "INVALID_TOKEN", "Invalid token");
  });

  it("ingests for its agent only, or for all when it names none", async () => {
    const signer = await newAgent();
    const ingestAs = async (change: Record<string, unknown>): Promise<Reply> => {
      const token = await signToken(claimsFor(signer.tenantId, { perms: "read,write", ...change }));
      const headers = { authorization: `Bearer ${token}` };
      return ingest(signer, [await event(signer)], { key: null, headers, settings });
    };
    expect((await ingestAs({ agent: signer.agentId })).body).toMatchObject({ eventsAccepted: 1 });
    expect((await ingestAs({ agent: null })).body).toMatchObject({ eventsAccepted: 1 });
    expect((await ingestAs({ stores: ` ${signer.storeId} ` })).body).toMatchObject({ eventsAccepted: 1 });
    const mismatch = `Agent mismatch: this credential belongs to another agent than ${signer.agentId}`;
    expectError(await ingestAs({ agent: crypto.randomUUID() }), "INSUFFICIENT_PERMISSIONS", mismatch);
    const foreign = await ingestAs({ stores: crypto.randomUUID() });
    expectError(foreign, "INSUFFICIENT_PERMISSIONS", "Store access denied");
  });
});

describe("an issuer's key set", () => {
  const URL = "https://id.example.com/jwks.json";

  it("verifies tokens, from the settings or from its URL", async () => {
    const signer = await newAgent();
    const key = await newIssuerKey("RS256", "2026-11");
    const token = await issue(key, claimsFor(signer.tenantId, { perms: "read" }));
    const set = { keys: [key.jwk] };
    expect((await head(signer, `Bearer ${token}`, { JWT_JWKS_JSON: JSON.stringify(set) })).status).toBe(200);
    expectError(await head(signer, `Bearer ${token}`), "INVALID_TOKEN", "Invalid token");
    const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(() => Promise.resolve(Response.json(set)));
    try {
      expect((await head(signer, `Bearer ${token}`, { JWT_JWKS_URL: URL })).status).toBe(200);
      expect(fetched.mock.calls.map(([address]) => address)).toEqual([URL]);
    } finally {
      fetched.mockRestore();
    }
  });

  it("503 while it was never had; API keys work meanwhile", async () => {
    const signer = await newAgent();
    const token = await issue(await newIssuerKey("ES256"), claimsFor(signer.tenantId));
    const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(() => Promise.reject(new TypeError("away")));
    try {
      const reply = await head(signer, `Bearer ${token}`, { JWT_JWKS_URL: URL });
      const message = "The keys of this deployment's token issuer cannot be fetched";
      expectError(reply, "SERVICE_UNAVAILABLE", message);
      expect(reply.headers.get("retry-after")).toBe("1");
      expect((await head(signer, `ApiKey ${ADMIN}`, { JWT_JWKS_URL: URL })).status).toBe(200);
    } finally {
      fetched.mockRestore();
    }
  });
});

describe("without authentication", () => {
  const off = { ...settings, AUTH_MODE: "disabled", ALLOW_AUTH_DISABLED: "true" };

  it("whoever has no valid credential is the bootstrap administrator", async () => {
    const signer = await newAgent();
    for (const headers of [
      {},
      { authorization: "Basic YTpi" },
      { authorization: "ApiKey wrong" },
      { authorization: `Bearer ${await signToken(claimsFor(signer.tenantId, { exp: 1 }))}` },
      { authorization: `Bearer ${await signToken(claimsFor(signer.tenantId), { key: "another secret" })}` },
    ] as Record<string, string>[]) {
      const given = { key: null, headers, settings: off };
      expect((await call("GET", "/v1/commitments/pending", given)).status).toBe(200);
    }
  });

  it("whoever has one keeps to it", async () => {
    const signer = await newAgent();
    const other = await newAgent();
    const token = await signToken(claimsFor(signer.tenantId, { perms: "read" }));
    for (const authorization of [`ApiKey ${await mint(signer, { readOnly: true })}`, `Bearer ${token}`]) {
      expect((await head(signer, authorization, off)).status).toBe(200);
      expectError(await head(other, authorization, off), "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
      const headers = { authorization };
      const reply = await ingest(signer, [await event(signer)], { key: null, headers, settings: off });
      expectError(reply, "INSUFFICIENT_PERMISSIONS", "Write permission required");
    }
  });

  it.each([{ AUTH_MODE: "disabled" }, { ...off, SEQUENCER_ENV: "production" }])(
    "503: %j is no way to run",
    async (wrong) => {
      const reply = await call("GET", "/v1/commitments/pending", { key: null, settings: wrong });
      expectError(reply, "SERVICE_UNAVAILABLE", "The server's configuration is wrong; its log says how");
    },
  );
});

import { exportJWK, UnsecuredJWT } from "jose";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { JwtVerifier } from "../../src/access/jwt.ts";
import { readConfig } from "../../src/config.ts";
import { toBase64Url, utf8 } from "../../src/ves/index.ts";
import { uuid } from "../support/checked-events.ts";
import { claimsFor, issue, JWT_SECRET, newIssuerKey, signToken } from "../support/tokens.ts";

const TENANT = uuid(1, 1);
const NIL = "00000000-0000-0000-0000-000000000000";
const INVALID = { code: "INVALID_TOKEN", message: "Invalid token" };
const EXPIRED = { code: "TOKEN_EXPIRED", message: "The token has expired" };

async function verifier(settings: Record<string, string> = { JWT_SECRET }): Promise<JwtVerifier> {
  const { jwt } = await readConfig({
    VES_SEQUENCER_SIGNING_KEY: "ab".repeat(32),
    PAYLOAD_ENCRYPTION_KEY: "cd".repeat(32),
    ...settings,
  });
  if (jwt === null) throw new Error("no verifier");
  return jwt;
}

const byKeys = (...keys: unknown[]): Promise<JwtVerifier> => verifier({ JWT_JWKS_JSON: JSON.stringify({ keys }) });

afterEach(() => vi.useRealTimers());

describe("claims", () => {
  test("become a principal", async () => {
    const jwt = await verifier();
    const claims = claimsFor(TENANT, {
      stores: `${uuid(2, 1)}, ${uuid(2, 2).toUpperCase()}`,
      agent: uuid(3, 1),
      perms: " read , write",
    });
    const principal = await jwt.verify(await signToken(claims));
    expect(principal).toEqual({
      kind: "jwt",
      tenantId: TENANT,
      storeIds: [uuid(2, 1), uuid(2, 2)],
      permissions: { read: true, write: true, admin: false },
      agentId: uuid(3, 1),
      expiresAt: ((claims.exp ?? 0) + 60) * 1_000,
      credentialId: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      tokenId: claims.jti,
      rateLimit: null,
      limitId: principal.credentialId,
    });
    const again = await jwt.verify(await signToken({ ...claims, perms: "read" }));
    expect(again.credentialId).toBe(principal.credentialId);
    const other = await jwt.verify(await signToken({ ...claims, jti: "another" }));
    expect(other.credentialId).not.toBe(principal.credentialId);
  });

  test.each<[Record<string, unknown>, object]>([
    [{}, { storeIds: null, agentId: null, permissions: { read: false, write: false, admin: false } }],
    [
      { stores: "", perms: "", agent: null },
      { storeIds: null, agentId: null },
    ],
    [{ perms: "admin" }, { permissions: { read: false, write: false, admin: true } }],
    [{ perms: "Read,root,*,readwrite,write " }, { permissions: { read: false, write: true, admin: false } }],
    [{ aud: ["another", "stateset-api"] }, { tenantId: TENANT }],
    [{ sub: TENANT.toUpperCase() }, { tenantId: TENANT }],
  ])("%j", async (change, expected) => {
    expect(await (await verifier()).verify(await signToken(claimsFor(TENANT, change)))).toMatchObject(expected);
  });

  test.each<Record<string, unknown>>([
    ...["sub", "iss", "aud", "exp", "iat", "nbf", "jti"].map((name) => ({ [name]: undefined })),
    { sub: NIL },
    { sub: NIL, perms: "read,write,admin" },
    { sub: "me" },
    { sub: 7 },
    { iss: "another" },
    { iss: ["stateset-sequencer"] },
    { aud: "another" },
    { aud: [] },
    { exp: "9999999999" },
    { exp: 9_999_999_999.5 },
    { iat: 1.5 },
    { iat: "1" },
    { nbf: 1.5 },
    { nbf: null },
    { jti: "" },
    { jti: 7 },
    { stores: " " },
    { stores: "," },
    { stores: `${uuid(2, 1)},` },
    { stores: `${uuid(2, 1)},all` },
    { stores: null },
    { stores: [uuid(2, 1)] },
    { agent: "" },
    { agent: "me" },
    { agent: 7 },
    { perms: null },
    { perms: ["admin"] },
  ])("refused: %j", async (change) => {
    const token = await signToken(claimsFor(TENANT, { perms: "read", ...change }));
    await expect((await verifier()).verify(token)).rejects.toMatchObject(INVALID);
  });
});

describe("time", () => {
  const NOW = 1_790_000_000;
  test.each<[Record<string, number>, object | null]>([
    [{ exp: NOW + 1 }, null],
    [{ exp: NOW - 59 }, null],
    [{ exp: NOW - 60 }, EXPIRED],
    [{ exp: NOW - 1_000_000 }, EXPIRED],
    [{ exp: -1 }, EXPIRED],
    [{ nbf: NOW + 60 }, null],
    [{ nbf: NOW + 61 }, INVALID],
    [{ iat: NOW + 1_000 }, null],
  ])("%j", async (change, error) => {
    vi.useFakeTimers({ now: NOW * 1_000, toFake: ["Date"] });
    const verified = (await verifier()).verify(await signToken(claimsFor(TENANT, change)));
    if (error === null) expect(await verified).toMatchObject({ tenantId: TENANT });
    else await expect(verified).rejects.toMatchObject(error);
  });

  test("a token that is remembered ends all the same", async () => {
    vi.useFakeTimers({ now: NOW * 1_000, toFake: ["Date"] });
    const jwt = await verifier();
    const token = await signToken(claimsFor(TENANT, { exp: NOW + 10 }));
    const first = await jwt.verify(token);
    vi.setSystemTime((NOW + 69) * 1_000 + 999);
    expect(await jwt.verify(token)).toBe(first);
    vi.setSystemTime((NOW + 70) * 1_000);
    await expect(jwt.verify(token)).rejects.toMatchObject(EXPIRED);
  });

  test("an expired token of somebody else is invalid, not expired", async () => {
    const token = await signToken(claimsFor(TENANT, { exp: 1 }), { key: "another secret" });
    await expect((await verifier()).verify(token)).rejects.toMatchObject(INVALID);
    const foreign = await signToken(claimsFor(TENANT, { exp: 1, iss: "another" }));
    await expect((await verifier()).verify(foreign)).rejects.toMatchObject(INVALID);
  });
});

describe("signatures", () => {
  test("issuer and audience are those of the deployment", async () => {
    const jwt = await verifier({ JWT_SECRET, JWT_ISSUER: "https://id.example.com", JWT_AUDIENCE: "orders" });
    const own = claimsFor(TENANT, { iss: "https://id.example.com", aud: "orders" });
    expect(await jwt.verify(await signToken(own))).toMatchObject({ tenantId: TENANT });
    await expect(jwt.verify(await signToken(claimsFor(TENANT)))).rejects.toMatchObject(INVALID);
  });

  test.each(["RS256", "PS256", "ES256", "ES384", "EdDSA"])("%s under a key of the set", async (alg) => {
    const [key, other] = [await newIssuerKey(alg, "1"), await newIssuerKey(alg, "2")];
    const jwt = await byKeys(key.jwk, other.jwk);
    const claims = claimsFor(TENANT);
    expect(await jwt.verify(await issue(key, claims))).toMatchObject({ tenantId: TENANT });
    for (const header of [{ kid: "2" }, { kid: "3" }, { kid: undefined }]) {
      await expect(jwt.verify(await issue(key, claims, header as object))).rejects.toMatchObject(INVALID);
    }
  });

  test("HS256 goes to the secret, others to the keys, where there is one", async () => {
    const key = await newIssuerKey();
    const claims = claimsFor(TENANT);
    const [bySecret, byKey] = [await signToken(claims), await issue(key, claims)];
    const JWT_JWKS_JSON = JSON.stringify({ keys: [key.jwk] });
    const both = await verifier({ JWT_SECRET, JWT_JWKS_JSON });
    expect(await both.verify(bySecret)).toMatchObject({ tenantId: TENANT });
    expect(await both.verify(byKey)).toMatchObject({ tenantId: TENANT });
    await expect((await verifier()).verify(byKey)).rejects.toMatchObject(INVALID);
    await expect((await verifier({ JWT_JWKS_JSON })).verify(bySecret)).rejects.toMatchObject(INVALID);
  });

  test("no algorithm stands in for another", async () => {
    const [rsa, ec] = [await newIssuerKey("RS256", "rsa"), await newIssuerKey("ES256", "ec")];
    const jwt = await verifier({ JWT_SECRET, JWT_JWKS_JSON: JSON.stringify({ keys: [rsa.jwk, ec.jwk] }) });
    const claims = claimsFor(TENANT, { perms: "admin" });
    const refused = async (token: string): Promise<void> => {
      await expect(jwt.verify(token)).rejects.toMatchObject(INVALID);
    };
    // The public key as the secret of a MAC.
    for (const text of [JSON.stringify(rsa.jwk), rsa.jwk.n ?? "", JSON.stringify(await exportJWK(ec.privateKey))]) {
      await refused(await signToken(claims, { key: text, header: { alg: "HS256", kid: "rsa" } }));
    }
    for (const alg of ["HS384", "HS512"]) {
      await refused(await signToken(claims, { key: JWT_SECRET.repeat(2), header: { alg, kid: "rsa" } }));
    }
    await refused(new UnsecuredJWT(claims).encode());
    const payload = toBase64Url(utf8(JSON.stringify(claims)));
    for (const header of [{ alg: "none" }, { alg: "None", kid: "rsa" }, { alg: "", kid: "rsa" }, { kid: "rsa" }, []]) {
      await refused(`${toBase64Url(utf8(JSON.stringify(header)))}.${payload}.`);
      await refused(`${toBase64Url(utf8(JSON.stringify(header)))}.${payload}.${"A".repeat(342)}`);
    }
    await refused(await issue(ec, claims, { kid: "rsa" }));
    await refused(await issue({ ...rsa, jwk: { ...rsa.jwk, alg: "PS256" } }, claims).catch(() => "a.b.c"));
  });

  test.each(["", "..", "a.b.c", "a.b", "a.b.c.d", "e30.e30.", "eyJhbGciOiJIUzI1NiJ9..", "eyJhbGciOiJIUzI1NiJ9.e30."])(
    "no token: %j",
    async (text) => {
      await expect((await verifier()).verify(text)).rejects.toMatchObject(INVALID);
    },
  );

  test("every part of a token is covered, and one beyond 8,192 characters is not looked at", async () => {
    const jwt = await verifier();
    const token = await signToken(claimsFor(TENANT));
    const [header = "", payload = "", signature = ""] = token.split(".");
    const forged = toBase64Url(utf8(JSON.stringify(claimsFor(TENANT, { perms: "admin" }))));
    for (const text of [
      `${header}.${forged}.${signature}`,
      `${header}.${payload}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`,
      `${header}.${payload}.${signature.slice(2)}`,
      `${header}.${payload}.`,
      `${header} .${payload}.${signature}`,
    ]) {
      await expect(jwt.verify(text)).rejects.toMatchObject(INVALID);
    }
    const long = await signToken(claimsFor(TENANT, { padding: "x".repeat(6_500) }));
    expect(long.length).toBeGreaterThan(8_192);
    await expect(jwt.verify(long)).rejects.toMatchObject(INVALID);
    expect(await jwt.verify(token)).toMatchObject({ tenantId: TENANT });
  });
});

describe("a key set", () => {
  test("gives no keys but those that can be used", async () => {
    const sound = await newIssuerKey("ES256", "sound");
    const claims = claimsFor(TENANT);
    const [twin, other] = [await newIssuerKey("ES256", "twin"), await newIssuerKey("ES256", "twin")];
    const secret = { kty: "oct", k: toBase64Url(utf8(JWT_SECRET)), kid: "oct", alg: "HS256" };
    const variants = await Promise.all(
      [
        { kid: undefined },
        { kid: "no alg", alg: undefined },
        { kid: "enc", use: "enc" },
        { kid: "ops", key_ops: ["encrypt"] },
        { kid: "curve", alg: "ES384" },
        { kid: "other", alg: "ES512" },
        { kid: "broken", x: "AAAA" },
      ].map(async (change) => {
        const key = await newIssuerKey("ES256");
        return {
          key: { ...key, jwk: { ...key.jwk, alg: "ES256", kid: change.kid ?? "none" } },
          jwk: { ...key.jwk, ...change },
        };
      }),
    );
    const withPrivate = await newIssuerKey("ES256", "private");
    const jwt = await byKeys(
      sound.jwk,
      secret,
      twin.jwk,
      other.jwk,
      { ...(await exportJWK(withPrivate.privateKey)), alg: "ES256", kid: "private" },
      ...variants.map(({ jwk }) => jwk),
      null,
      "key",
    );
    expect(await jwt.verify(await issue(sound, claims))).toMatchObject({ tenantId: TENANT });
    for (const key of [twin, other, withPrivate, ...variants.map((variant) => variant.key)]) {
      await expect(jwt.verify(await issue(key, claims)), key.jwk.kid).rejects.toMatchObject(INVALID);
    }
    const byMac = await signToken(claims, { header: { alg: "HS256", kid: "oct" } });
    await expect(jwt.verify(byMac)).rejects.toMatchObject(INVALID);
  });

  test.each([
    "{",
    "[]",
    "{}",
    '{"keys":{}}',
    '{"keys":[]}',
    '{"keys":[{"kty":"oct","k":"AAAA","kid":"1","alg":"HS256"}]}',
  ])("a deployment with %s does not serve", async (text) => {
    await expect(verifier({ JWT_JWKS_JSON: text })).rejects.toThrow("JWT_JWKS_JSON: expected a JSON Web Key Set");
  });
});

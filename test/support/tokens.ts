import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import { utf8 } from "../../src/ves/index.ts";

/** What JWT_SECRET is set to for the tests. */
export const JWT_SECRET = "a secret of the tests that protects nothing";

/** The claims of a sound token for the tenant. Undefined ones are left out. */
export function claimsFor(tenantId: string, change: Readonly<Record<string, unknown>> = {}): JWTPayload {
  const now = Math.floor(Date.now() / 1_000);
  return {
    sub: tenantId,
    iss: "stateset-sequencer",
    aud: "stateset-api",
    iat: now,
    nbf: now,
    exp: now + 3_600,
    jti: crypto.randomUUID(),
    ...change,
  };
}

/** A token of these claims, by HS256 and the tests' secret unless given otherwise. */
export function signToken(
  claims: JWTPayload,
  { key = JWT_SECRET, header = {} }: { readonly key?: CryptoKey | string; readonly header?: Readonly<JWK> } = {},
): Promise<string> {
  const protectedHeader = { alg: "HS256", ...header };
  return new SignJWT(claims).setProtectedHeader(protectedHeader).sign(typeof key === "string" ? utf8(key) : key);
}

/** A key of an issuer, and its public half as it stands in a key set. */
export interface IssuerKey {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export async function newIssuerKey(alg = "ES256", kid: string = crypto.randomUUID()): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), alg, kid, use: "sig" } };
}

/** A token by the issuer's key. */
export function issue({ privateKey, jwk }: IssuerKey, claims: JWTPayload, header: Readonly<JWK> = {}): Promise<string> {
  const { alg = "", kid = "" } = jwk;
  return signToken(claims, { key: privateKey, header: { alg, kid, ...header } });
}

import { ConfigError } from "../errors.ts";
import type { Settings } from "../settings.ts";
import { utf8 } from "../ves/index.ts";
import { JwtVerifier, type KeySource } from "./jwt.ts";
import { readKeySet } from "./key-set.ts";
import { RemoteKeySet } from "./remote-key-set.ts";

type TokenSettings = Pick<Settings, "JWT_SECRET" | "JWT_JWKS_JSON" | "JWT_JWKS_URL" | "JWT_ISSUER" | "JWT_AUDIENCE">;

/**
 * What verifies the tokens of a deployment, or null when it has no issuer of any.
 *
 * @throws ConfigError
 */
export async function jwtVerifierOf(values: TokenSettings): Promise<JwtVerifier | null> {
  const secret = values.JWT_SECRET === undefined ? null : await hmacKey(values.JWT_SECRET);
  const keys = await keySourceOf(values);
  if (secret === null && keys === null) return null;
  return new JwtVerifier({ issuer: values.JWT_ISSUER, audience: values.JWT_AUDIENCE, secret, keys });
}

async function keySourceOf({ JWT_JWKS_JSON: json, JWT_JWKS_URL: url }: TokenSettings): Promise<KeySource | null> {
  if (url !== undefined) return new RemoteKeySet(url);
  if (json === undefined) return null;
  const keys = await readKeySet(json);
  if (keys !== undefined && keys.size > 0) return { find: (kid) => Promise.resolve(keys.get(kid)) };
  throw new ConfigError("wrong configuration: JWT_JWKS_JSON: expected a JSON Web Key Set with a key that can be used");
}

function hmacKey(secret: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", utf8(secret), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

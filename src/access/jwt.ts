import { decodeProtectedHeader, errors, jwtVerify } from "jose";
import { RequestError } from "../errors.ts";
import { sha256, toHex, utf8 } from "../ves/index.ts";
import { ExpiringCache } from "./expiring-cache.ts";
import { CLOCK_LEEWAY_SECS, principalOfClaims } from "./jwt-claims.ts";
import type { VerificationKey } from "./key-set.ts";
import type { Principal } from "./principal.ts";

/** Characters of the longest token that is looked at: some 200 stores. */
const MAX_TOKEN_LENGTH = 8_192;

/** Tokens that an isolate remembers as verified, of about 600 bytes each. */
const MAX_VERIFIED = 10_000;

/** Where public keys are found by their ids. */
export interface KeySource {
  find(kid: string): Promise<VerificationKey | undefined>;
}

/** Who may issue tokens for this deployment. At least one of the two is there. */
export interface TokenIssuers {
  readonly issuer: string;
  readonly audience: string;
  /** Verifies HS256, and nothing else does. */
  readonly secret: CryptoKey | null;
  readonly keys: KeySource | null;
}

interface Verified {
  readonly principal: Principal;
  /** What it was verified with: when the issuer's keys are fetched anew, so must the token be verified. */
  readonly key: CryptoKey;
}

/** Verifies JSON Web Tokens (RFC 7519), and remembers those that it has verified until they end. */
export class JwtVerifier {
  readonly #issuers: TokenIssuers;
  readonly #verified = new ExpiringCache<Verified>(MAX_VERIFIED);

  constructor(issuers: TokenIssuers) {
    this.#issuers = issuers;
  }

  /** @throws RequestError TOKEN_EXPIRED or INVALID_TOKEN, or SERVICE_UNAVAILABLE when the issuer's keys are not known */
  async verify(token: string): Promise<Principal> {
    if (token.length > MAX_TOKEN_LENGTH) throw invalidToken();
    const { algorithm, key } = await this.#keyOf(token);
    const hash = toHex(sha256(utf8(token)));
    const known = this.#verified.get(hash, Infinity);
    if (known?.key === key && Date.now() < (known.principal.expiresAt ?? Infinity)) return known.principal;

    const { issuer, audience } = this.#issuers;
    const options = { issuer, audience, algorithms: [algorithm], clockTolerance: CLOCK_LEEWAY_SECS };
    const verified = await jwtVerify(token, key, options).catch((error: unknown) => {
      throw error instanceof errors.JWTExpired ? expiredToken() : invalidToken();
    });
    const principal = principalOfClaims(verified.payload);
    if (principal === undefined) throw invalidToken();
    this.#verified.set(hash, { principal, key }, Date.now());
    return principal;
  }

  /** The token's header chooses among keys; which algorithm goes with a key is never its choice. */
  async #keyOf(token: string): Promise<{ readonly algorithm: string; readonly key: CryptoKey }> {
    const { alg, kid } = headerOf(token);
    const { secret, keys } = this.#issuers;
    if (alg === "HS256") {
      if (secret === null) throw invalidToken();
      return { algorithm: alg, key: secret };
    }
    const found = typeof kid === "string" ? await keys?.find(kid) : undefined;
    if (found === undefined || found.algorithm !== alg) throw invalidToken();
    return found;
  }
}

function headerOf(token: string): { readonly alg?: unknown; readonly kid?: unknown } {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw invalidToken();
  }
}

/** The same words whatever is wrong: the answer does not help to make a better forgery. */
function invalidToken(): RequestError {
  return new RequestError("INVALID_TOKEN", "Invalid token");
}

function expiredToken(): RequestError {
  return new RequestError("TOKEN_EXPIRED", "The token has expired");
}

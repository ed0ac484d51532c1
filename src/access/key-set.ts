import { importJWK } from "jose";
import { z } from "zod";

/** Signatures that tokens may have. None is symmetric: whoever can check one of these cannot make one. */
const ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"] as const;

/** Most keys of a set. */
const MAX_KEYS = 100;

export interface VerificationKey {
  readonly algorithm: (typeof ALGORITHMS)[number];
  readonly key: CryptoKey;
}

/** An issuer's public keys by their ids. */
export type KeySet = ReadonlyMap<string, VerificationKey>;

const keySet = z.object({ keys: z.array(z.unknown()).max(MAX_KEYS) });

/** The members that make a public key, and no others: what is private in a set must not become usable. */
const publicKey = z.object({
  kid: z.string().min(1),
  alg: z.enum(ALGORITHMS),
  kty: z.enum(["RSA", "EC", "OKP"]),
  use: z.literal("sig").optional(),
  key_ops: z
    .array(z.string())
    .refine((operations) => operations.includes("verify"))
    .optional(),
  n: z.string().optional(),
  e: z.string().optional(),
  crv: z.string().optional(),
  x: z.string().optional(),
  y: z.string().optional(),
  d: z.undefined().optional(),
});

/**
 * The keys of a JSON Web Key Set (RFC 7517) that can be used. Those without a `kid` or an `alg`, for anything but
 * signatures, of other algorithms or with a private part cannot, nor can those that share their id.
 *
 * @returns undefined when it is no key set
 */
export async function readKeySet(json: unknown): Promise<KeySet | undefined> {
  const parsed = keySet.safeParse(json);
  if (!parsed.success) return undefined;
  const candidates = parsed.data.keys.flatMap((key) => publicKey.safeParse(key).data ?? []);
  const usable = new Map<string, VerificationKey>();
  for (const [kid, [only, ...others]] of Map.groupBy(candidates, (candidate) => candidate.kid)) {
    if (only === undefined || others.length > 0) continue;
    const { alg, kty, n, e, crv, x, y } = only;
    const members = Object.fromEntries(Object.entries({ n, e, crv, x, y }).filter(([, value]) => value !== undefined));
    const key = await importJWK({ kty, ...members }, alg).catch(() => undefined);
    if (key !== undefined && !(key instanceof Uint8Array)) usable.set(kid, { algorithm: alg, key });
  }
  return usable;
}

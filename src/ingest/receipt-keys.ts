import { unavailable } from "../errors.ts";
import { sha256, type SigningKey, signingKeyFromSeed, uuidFromBytes } from "../ves/index.ts";

export interface ReceiptKeySource {
  readonly version: number;
  readonly seed: Uint8Array;
  /** Milliseconds since the epoch; null where the operator did not say. */
  readonly validFrom: number | null;
  readonly validTo: number | null;
}

export interface ReceiptKey extends Omit<ReceiptKeySource, "seed"> {
  readonly key: SigningKey;
}

/** The sequencer's identity and its receipt keys. */
export interface ReceiptKeyring {
  /** UUID. */
  readonly sequencerId: string;
  /** Signs for every event sequenced from now on. */
  readonly current: ReceiptKey;
  /** All of them, newest first. Retired keys still re-issue the receipts of their time, byte for byte. */
  readonly all: readonly ReceiptKey[];
}

/**
 * Loads the keys. Without a configured id the sequencer's id derives from its oldest key, so that it is the same on every
 * edge and after every restart.
 */
export async function receiptKeyring(
  current: ReceiptKeySource,
  retired: readonly ReceiptKeySource[],
  sequencerId: string | undefined,
): Promise<ReceiptKeyring> {
  const sources = [current, ...retired.toSorted((a, b) => b.version - a.version)];
  const all = await Promise.all(
    sources.map(async ({ seed, ...source }): Promise<ReceiptKey> => ({
      ...source,
      key: await signingKeyFromSeed(seed),
    })),
  );
  const [newest] = all;
  const oldest = all.at(-1);
  if (newest === undefined || oldest === undefined) throw new Error("the current key is always there");
  return { sequencerId: sequencerId ?? idFromKey(oldest.key.publicKey), current: newest, all };
}

/**
 * The key that signed under this version; if it is no longer there, the current one.
 *
 * @throws RequestError SERVICE_UNAVAILABLE for a version that this isolate does not know yet, while a new key is rolled out
 */
export function receiptKeyOf(keyring: ReceiptKeyring, version: number): ReceiptKey {
  if (version > keyring.current.version) throw unavailable("The receipt key is being rotated: repeat the request");
  return keyring.all.find((key) => key.version === version) ?? keyring.current;
}

/** A UUID of version 8 (RFC 9562): its other bits are the first of SHA-256 of the public key. */
function idFromKey(publicKey: Uint8Array): string {
  const bytes = sha256(publicKey).slice(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return uuidFromBytes(bytes);
}

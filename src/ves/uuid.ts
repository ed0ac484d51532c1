import { hexDigit, toHex } from "./encoding.ts";
import { VesError } from "./errors.ts";

const HYPHENATED = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const SIMPLE = /^[0-9a-f]{32}$/i;
const URN = "urn:uuid:";

/** Where the 16 hex pairs of a hyphenated UUID start. */
const PAIR_OFFSETS = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const;

/**
 * The canonical (lowercase hyphenated) form of a UUID given hyphenated, as 32 bare digits, after `urn:uuid:` or in
 * braces (VES 0), or `undefined` when it is none of these.
 */
export function parseUuid(text: string): string | undefined {
  if (text.length === 36) return HYPHENATED.test(text) ? text.toLowerCase() : undefined;
  if (text.length === 32) return SIMPLE.test(text) ? hyphenate(text.toLowerCase()) : undefined;
  const inner = text.startsWith(URN)
    ? text.slice(URN.length)
    : text.startsWith("{") && text.endsWith("}")
      ? text.slice(1, -1)
      : "";
  return HYPHENATED.test(inner) ? inner.toLowerCase() : undefined;
}

/** The 16 bytes of a canonical UUID in network order (VES 0). @throws VesError `invalid_uuid` */
export function uuidBytes(canonical: string): Uint8Array {
  const out = new Uint8Array(16);
  putUuid(out, 0, canonical);
  return out;
}

/** Writes the 16 bytes at `at` and returns the offset after them. @throws VesError `invalid_uuid` */
export function putUuid(out: Uint8Array, at: number, canonical: string): number {
  let seen = canonical.length === 36 ? 0 : 0x80;
  for (let i = 0; i < 16; i++) {
    const offset = PAIR_OFFSETS[i] as number;
    const high = hexDigit(canonical, offset);
    const low = hexDigit(canonical, offset + 1);
    seen |= high | low;
    out[at + i] = (high << 4) | low;
  }
  if (seen >= 0x80) throw new VesError("invalid_uuid", `${JSON.stringify(canonical)} is not a hyphenated UUID`);
  return at + 16;
}

/** Canonical text of 16 bytes. @throws VesError `invalid_uuid` for any other length */
export function uuidFromBytes(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new VesError("invalid_uuid", `a UUID has 16 bytes, got ${bytes.length}`);
  return hyphenate(toHex(bytes));
}

/**
 * A new UUID of version 7 (RFC 9562): 48 bits of time, then 74 random ones. Ids that rise with time lie together in an
 * index, so a sequencer stores them at less cost than random ones.
 *
 * @param nowMs milliseconds since the epoch
 */
export function newUuidV7(nowMs: number = Date.now()): string {
  const random = crypto.randomUUID();
  const time = nowMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${random.slice(15)}`;
}

function hyphenate(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

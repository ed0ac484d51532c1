import { VesError } from "./errors.ts";

/** Marks a character outside an alphabet; larger than every digit so that OR-ing digits keeps it visible. */
const BAD = 0x80;

const HEX_PAIRS: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const HEX_DIGITS = digitTable("0123456789abcdef");
for (const [index, letter] of "ABCDEF".split("").entries()) HEX_DIGITS[letter.charCodeAt(0)] = 10 + index;

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const STANDARD = `${LETTERS}+/`;
const URL_SAFE = `${LETTERS}-_`;
const STANDARD_DIGITS = digitTable(STANDARD);
const URL_SAFE_DIGITS = digitTable(URL_SAFE);

function digitTable(alphabet: string): Uint8Array {
  const table = new Uint8Array(128).fill(BAD);
  for (let i = 0; i < alphabet.length; i++) table[alphabet.charCodeAt(i)] = i;
  return table;
}

/** Value of the hex digit at `index`, or a number of at least 128 when there is none. */
export function hexDigit(text: string, index: number): number {
  return HEX_DIGITS[text.charCodeAt(index)] ?? BAD;
}

/** Lowercase hex without `0x`, the form of receipts, commitments and proofs (VES 3.2). */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += HEX_PAIRS[bytes[i] as number];
  return text;
}

/** Lowercase hex with `0x`, the form of envelope members (VES 3.2). */
export function to0xHex(bytes: Uint8Array): string {
  return `0x${toHex(bytes)}`;
}

/**
 * Hex in any case with at most one `0x` before it; `0X` is refused (VES 3.2).
 *
 * @param byteLength exact number of bytes the text must stand for
 * @throws VesError `invalid_encoding`
 */
export function fromHex(text: string, byteLength?: number): Uint8Array {
  const start = text.startsWith("0x") ? 2 : 0;
  const digits = text.length - start;
  if (digits % 2 !== 0) throw new VesError("invalid_encoding", `hex needs an even number of digits, got ${digits}`);
  if (byteLength !== undefined && digits !== 2 * byteLength) {
    throw new VesError("invalid_encoding", `expected ${2 * byteLength} hex digits, got ${digits}`);
  }
  const out = new Uint8Array(digits / 2);
  let seen = 0;
  for (let i = 0, at = start; i < out.length; i++, at += 2) {
    const high = hexDigit(text, at);
    const low = hexDigit(text, at + 1);
    seen |= high | low;
    out[i] = (high << 4) | low;
  }
  if (seen >= BAD) throw new VesError("invalid_encoding", "not hexadecimal");
  return out;
}

/** Standard base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  const text = encode(bytes, STANDARD);
  return text + "=".repeat((4 - (text.length % 4)) % 4);
}

/** base64url without padding, the form this library emits (VES 3.2). */
export function toBase64Url(bytes: Uint8Array): string {
  return encode(bytes, URL_SAFE);
}

/**
 * Base64 in the standard or the url-safe alphabet (not both in one text), unpadded or padded to a multiple of four.
 *
 * @throws VesError `invalid_encoding`
 */
export function fromBase64(text: string): Uint8Array {
  return decode(text, /[-_]/.test(text) ? URL_SAFE_DIGITS : STANDARD_DIGITS, "base64");
}

/**
 * base64url, unpadded or padded to a multiple of four. Refuses `+`, `/`, stray padding and trailing bits that are not
 * zero, so that one byte string has exactly one accepted unpadded spelling (VES 3.2).
 *
 * @throws VesError `invalid_encoding`
 */
export function fromBase64Url(text: string): Uint8Array {
  return decode(text, URL_SAFE_DIGITS, "base64url");
}

function encode(bytes: Uint8Array, alphabet: string): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const rest = bytes.length - i;
    text += alphabet.charAt(group >>> 18) + alphabet.charAt((group >>> 12) & 63);
    if (rest > 1) text += alphabet.charAt((group >>> 6) & 63);
    if (rest > 2) text += alphabet.charAt(group & 63);
  }
  return text;
}

function decode(text: string, digits: Uint8Array, name: string): Uint8Array {
  const length = unpaddedLength(text);
  if (length % 4 === 1) throw new VesError("invalid_encoding", `${name} cannot have ${length} digits`);
  const out = new Uint8Array(Math.floor((length * 3) / 4));
  let bits = 0;
  let bitCount = 0;
  let at = 0;
  let seen = 0;
  for (let i = 0; i < length; i++) {
    const digit = digits[text.charCodeAt(i)] ?? BAD;
    seen |= digit;
    bits = ((bits << 6) | digit) & 0xffff;
    bitCount += 6;
    if (bitCount >= 8) {
      bitCount -= 8;
      out[at++] = bits >>> bitCount;
    }
  }
  if (seen >= BAD) throw new VesError("invalid_encoding", `not ${name}`);
  if ((bits & ((1 << bitCount) - 1)) !== 0) {
    throw new VesError("invalid_encoding", `${name} has trailing bits that are not zero`);
  }
  return out;
}

/** Length without canonical padding; stray padding stays in and fails as a bad digit. */
function unpaddedLength(text: string): number {
  if (text.length % 4 !== 0) return text.length;
  if (text.endsWith("==")) return text.length - 2;
  return text.endsWith("=") ? text.length - 1 : text.length;
}

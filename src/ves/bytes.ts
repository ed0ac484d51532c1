import { VesError } from "./errors.ts";

const encoder = new TextEncoder();
const U32_MAX = 0xffff_ffff;
const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** 32 zero bytes: the cipher hash of a plaintext event, the first previous state root, the root of an empty tree. */
export const ZERO_32: Uint8Array = new Uint8Array(32);

/**
 * UTF-8 bytes of `text`, without normalization.
 *
 * @throws VesError `ill_formed_text` for a lone surrogate: encoding it as U+FFFD would give two texts one preimage.
 */
export function utf8(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new VesError("ill_formed_text", "text contains a lone surrogate");
  return encoder.encode(text);
}

/** Big-endian 4 bytes (VES 0). @throws VesError `out_of_range` */
export function u32(n: number): Uint8Array {
  const out = new Uint8Array(4);
  putU32(out, 0, n);
  return out;
}

/** Big-endian 8 bytes (VES 0); a number must be a safe integer. @throws VesError `out_of_range` */
export function u64(n: number | bigint): Uint8Array {
  const out = new Uint8Array(8);
  putU64(out, 0, n);
  return out;
}

/** Length-prefixed text: U32(byte length) then UTF-8 (VES 0). @throws VesError `ill_formed_text` */
export function str(text: string): Uint8Array {
  const bytes = utf8(text);
  return concat(u32(bytes.length), bytes);
}

/** One new array holding all parts in order. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** True when both hold the same bytes. Runs in constant time for equal lengths, though nothing here is secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

/*
 * Preimage writers. Each writes at offset `at` of `out` and returns the offset after what it wrote, so that a preimage
 * is built in one buffer. The caller sizes the buffer; a string needs at most {@link maxStrBytes}.
 */

/** Upper bound of what {@link putStr} writes: a UTF-16 unit never takes more than 3 bytes of UTF-8. */
export function maxStrBytes(text: string): number {
  return 4 + 3 * text.length;
}

/** @throws VesError `out_of_range` */
export function putU32(out: Uint8Array, at: number, n: number): number {
  if (!Number.isInteger(n) || n < 0 || n > U32_MAX) {
    throw new VesError("out_of_range", `${n} is not an unsigned 32-bit integer`);
  }
  out[at] = n >>> 24;
  out[at + 1] = n >>> 16;
  out[at + 2] = n >>> 8;
  out[at + 3] = n;
  return at + 4;
}

/** @throws VesError `out_of_range`, also for a number that is not a safe integer: it no longer says which one it was */
export function putU64(out: Uint8Array, at: number, n: number | bigint): number {
  if (typeof n === "bigint") {
    if (n < 0n || n > U64_MAX) throw new VesError("out_of_range", `${n} is not an unsigned 64-bit integer`);
    putU32(out, at, Number(n >> 32n));
    return putU32(out, at + 4, Number(n & 0xffff_ffffn));
  }
  if (!Number.isSafeInteger(n) || n < 0) throw new VesError("out_of_range", `${n} is not a safe unsigned integer`);
  putU32(out, at, Math.floor(n / 2 ** 32));
  return putU32(out, at + 4, n % 2 ** 32);
}

/** @throws VesError `invalid_length` when `bytes` is not exactly `length` long: fixed fields carry no length word */
export function putFixed(out: Uint8Array, at: number, bytes: Uint8Array, length: number): number {
  if (bytes.length !== length) throw new VesError("invalid_length", `expected ${length} bytes, got ${bytes.length}`);
  out.set(bytes, at);
  return at + length;
}

/** Writes STR(text). ASCII, which nearly every field is, is copied without a trip through TextEncoder. */
export function putStr(out: Uint8Array, at: number, text: string): number {
  let end = at + 4;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) {
      const bytes = utf8(text);
      out.set(bytes, putU32(out, at, bytes.length));
      return at + 4 + bytes.length;
    }
    out[end++] = code;
  }
  putU32(out, at, text.length);
  return end;
}

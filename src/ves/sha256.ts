import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import { concat, utf8 } from "./bytes.ts";

/** SHA-256, synchronous so that it can run inside a storage transaction. 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return nobleSha256(bytes);
}

/** A hash function of VES 2: SHA-256 over a domain prefix and the parts that follow it. */
export type TaggedHash = (...parts: readonly Uint8Array[]) => Uint8Array;

/** `H(domain ‖ parts…)` for one of the domain strings of VES 0, which carries neither length nor terminator. */
export function taggedHash(domain: string): TaggedHash {
  const prefix = utf8(domain);
  return (...parts) => sha256(concat(prefix, ...parts));
}

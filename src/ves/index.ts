/** VES v1.0: hashing, signing and verifying of events, receipts and logs. Pure functions over WebCrypto. */
export * from "./agent-key.ts";
export { ZERO_32, concat, equalBytes, str, u32, u64, utf8 } from "./bytes.ts";
export * from "./ed25519.ts";
export { fromBase64, fromBase64Url, fromHex, to0xHex, toBase64, toBase64Url, toHex } from "./encoding.ts";
export * from "./encrypted-payload.ts";
export * from "./envelope.ts";
export * from "./errors.ts";
export * from "./event-checks.ts";
export * from "./hashes.ts";
export * from "./jcs.ts";
export * from "./json.ts";
export * from "./key-directory.ts";
export * from "./merkle.ts";
export * from "./receipt.ts";
export * from "./rejection.ts";
export * from "./sha256.ts";
export * from "./timestamp.ts";
export { newUuidV7, parseUuid, uuidBytes, uuidFromBytes } from "./uuid.ts";

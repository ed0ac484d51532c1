/** End-to-end encryption of payloads (VES 4.1): to agents, to groups of them, with keys that the sequencer lists. */
export { decryptPayload } from "./decrypt.ts";
export type { Decryption } from "./decrypt.ts";
export * from "./directory.ts";
export { encryptPayload, MAX_RECIPIENTS } from "./encrypt.ts";
export type { EncryptedMembers, Encryption, Recipient } from "./encrypt.ts";
export * from "./errors.ts";
export * from "./find-recipient.ts";
export * from "./group.ts";
export { encryptionPublicKey, generateEncryptionKey } from "./keys.ts";
export type { EncryptionKey } from "./keys.ts";
export * from "./keyring.ts";
export * from "./registration.ts";
export * from "./sealed-keys.ts";
export type { AgentRef, SequencerTrust } from "./signed-answer.ts";

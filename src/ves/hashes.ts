/** All hash functions of VES 2 in one place. */
export * from "./log-hash.ts";
export * from "./payload-hash.ts";
export * from "./proof-hash.ts";
export { eventSigningHash, eventSigningPreimage } from "./signing-hash.ts";
export type { EventIdentity, SignedMembers } from "./signing-hash.ts";

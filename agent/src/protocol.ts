/*
 * The protocol itself: hashing, signing and verifying of events, receipts, logs and evidence. Pure functions over WebCrypto, for
 * Node, Workers and browsers alike.
 */
export * from "../../src/ves/index.ts";
export * from "./anchor-call.ts";
export {
  type Evidence,
  type EvidenceCheck,
  type EvidenceSettings,
  type EvidenceVerdict,
  verifyEvidence,
} from "./evidence.ts";

import { canonicalJson, fromHex, taggedHash, utf8, verifyEd25519, VesError } from "../ves/index.ts";
import type { AuditHead } from "./chain.ts";

/** A head as the sequencer states it. Whoever keeps one can prove it when the log later lacks what it covers. */
export interface SignedAuditHead extends AuditHead {
  readonly tenant_id: string;
  /** RFC 3339. */
  readonly signed_at: string;
  /** Which of the sequencer's receipt keys has signed it. */
  readonly key_version: number;
  /** Lowercase hex. */
  readonly signature: string;
}

const hashHead = taggedHash("STATESET_AUDIT_HEAD_V1");

/** What the sequencer signs: SHA-256 over the domain prefix and the canonical JSON of the head without `signature`. */
export function auditHeadHash(head: Omit<SignedAuditHead, "signature">): Uint8Array {
  return hashHead(utf8(canonicalJson({ ...head })));
}

/** Whether the head was signed with the key (32 bytes). */
export async function verifyAuditHead({ signature, ...head }: SignedAuditHead, key: Uint8Array): Promise<boolean> {
  try {
    return await verifyEd25519(key, auditHeadHash(head), fromHex(signature, 64));
  } catch (error) {
    if (error instanceof VesError) return false;
    throw error;
  }
}

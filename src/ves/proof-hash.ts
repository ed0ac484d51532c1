import { utf8 } from "./bytes.ts";
import { canonicalJson } from "./jcs.ts";
import type { JsonValue } from "./json.ts";
import { taggedHash } from "./sha256.ts";

const hashPop = taggedHash("VES_POP_V1");
const hashPolicy = taggedHash("STATESET_VES_COMPLIANCE_POLICY_HASH_V1");
const hashValidityProof = taggedHash("STATESET_VES_VALIDITY_PROOF_HASH_V1");
const hashComplianceProof = taggedHash("STATESET_VES_COMPLIANCE_PROOF_HASH_V1");

/**
 * What the owner of a key signs to show possession (VES 2.9): over the raw Ed25519 key, over Ed25519 ‖ ML-DSA-65 for a
 * hybrid key, over ML-DSA-65 alone otherwise.
 */
export function proofOfPossessionChallenge(publicKeyBytes: Uint8Array): Uint8Array {
  return hashPop(publicKeyBytes);
}

/** Hash of a compliance policy; blanks around `policyId` do not count (VES 2.10). */
export function policyHash(policyId: string, policyParams: JsonValue): Uint8Array {
  return hashPolicy(utf8(canonicalJson({ policyId: policyId.trim(), policyParams })));
}

/** Hash of a validity proof's bytes (VES 2.10). */
export function validityProofHash(proof: Uint8Array): Uint8Array {
  return hashValidityProof(proof);
}

/** Hash of a compliance proof's bytes (VES 2.10). */
export function complianceProofHash(proof: Uint8Array): Uint8Array {
  return hashComplianceProof(proof);
}

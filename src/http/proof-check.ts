import { z } from "zod";
import { RequestError } from "../errors.ts";
import { fromHex, MAX_PATH_LENGTH, VesError, verifyInclusion, verifyInclusionStrict } from "../ves/index.ts";

const HASH_BYTES = 32;

const hashField = z.string().describe("32 bytes in hex, with or without 0x");

/** A proof to be checked, but for its root, which each family has under another name. */
export const claimMembers = {
  leafHash: hashField,
  proofPath: z.array(hashField).describe(`Siblings from the leaf to the root, at most ${MAX_PATH_LENGTH}`),
  leafIndex: z.int().min(0),
  leafCount: z
    .int()
    .min(0)
    .nullish()
    .describe("Events in the batch. When given, padding and inner nodes do not pass for events (VES 5.3)"),
};
export const rootField = hashField;

const claim = z.object(claimMembers);

/**
 * Whether the path leads from the leaf to the root. `rootName` is what the caller calls the root.
 *
 * @throws RequestError INVALID_FIELD_VALUE for a hash that is none, or a path that is too long
 */
export function checkProof(given: z.output<typeof claim>, root: string, rootName: string): boolean {
  if (given.proofPath.length > MAX_PATH_LENGTH) {
    const message = `expected at most ${MAX_PATH_LENGTH} hashes, got ${given.proofPath.length}`;
    throw invalid("proof_path", message);
  }
  const parsed = {
    leafHash: hashOf(given.leafHash, "leaf_hash"),
    root: hashOf(root, rootName),
    path: given.proofPath.map((text, index) => hashOf(text, `proof_path.${index}`)),
    leafIndex: given.leafIndex,
  };
  const leafCount = given.leafCount ?? null;
  return leafCount === null ? verifyInclusion(parsed) : verifyInclusionStrict({ ...parsed, leafCount });
}

function hashOf(text: string, member: string): Uint8Array {
  try {
    return fromHex(text, HASH_BYTES);
  } catch (error) {
    if (error instanceof VesError) throw invalid(member, error.message);
    throw error;
  }
}

function invalid(path: string, message: string): RequestError {
  return new RequestError("INVALID_FIELD_VALUE", `${path}: ${message}`, { details: [{ path, message }] });
}

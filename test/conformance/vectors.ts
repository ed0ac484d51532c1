import vectors from "../vectors/ves.json";

/** One published input and what it must give. */
export interface Vector<Input, Expected> {
  readonly id: string;
  readonly input: Input;
  readonly expected: Expected;
}

/** Which suite covers a group of test/vectors/ves.json. */
export const COVERED = {
  primitives: "encoding.test.ts",
  created_at_acceptance: "encoding.test.ts",
  jcs: "json.test.ts",
  payload_plain_hash: "hashes.test.ts",
  event_signing: "hashes.test.ts",
  leaf: "hashes.test.ts",
  node: "hashes.test.ts",
  pad_leaf: "hashes.test.ts",
  stream_id: "hashes.test.ts",
  state_root: "hashes.test.ts",
  policy_and_proof_hashes: "hashes.test.ts",
  payload_cipher_hash: "encrypted-payload.test.ts",
  ves_enc_1: "encrypted-payload.test.ts",
  merkle_root: "merkle.test.ts",
  inclusion_proof: "merkle.test.ts",
  inclusion_proof_negative: "merkle.test.ts",
  ed25519_edge: "keys.test.ts",
  proof_of_possession: "keys.test.ts",
  receipt: "receipt.test.ts",
  end_to_end_batch: "receipt.test.ts",
} as const;

/** Groups, or single members of covered groups, that no suite here looks at, and why. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  grpc_created_at: "the text is rebuilt only by a gRPC server, and none is served",
  legacy_payload_hash: "unsigned events are not sequenced, so their hash is never computed",
  at_rest: "stored payloads are protected by the platform, not by this format",
  evm: "contract calls belong to the anchoring suites",
  "jcs: expected.legacy": "the serialization of unsigned events, see legacy_payload_hash",
  "stream_id: expected.advisory_lock_key": "matters only to servers that share one database",
  "proof_of_possession: algorithms 3 and 5": "ML-DSA-65 is not served",
};

/** The vectors of a covered group. The caller names the shapes, which differ from group to group. */
export function group<Input, Expected>(id: keyof typeof COVERED): readonly Vector<Input, Expected>[] {
  const found = vectors.groups.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`no vector group ${id}`);
  return found.vectors as unknown as readonly Vector<Input, Expected>[];
}

export const groupIds: readonly string[] = vectors.groups.map(({ id }) => id);

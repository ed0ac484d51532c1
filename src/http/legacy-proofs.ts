import { z } from "zod";
import { requireFlag } from "../access/principal.ts";
import { endpoint } from "./endpoint.ts";
import { checkProof, claimMembers, rootField } from "./proof-check.ts";
import { legacyProofResponse, proofJson } from "./proof-json.ts";
import { proofParams, proofQuery, readProof } from "./proof-reads.ts";

const legacyClaim = z
  .object({
    ...claimMembers,
    eventsRoot: rootField.nullish(),
    merkleRoot: rootField.nullish().describe("Read when eventsRoot is not given"),
  })
  .transform(({ eventsRoot, merkleRoot, ...claim }, context) => {
    const root = eventsRoot ?? merkleRoot ?? null;
    if (root !== null) return { ...claim, root, rootName: eventsRoot === root ? "events_root" : "merkle_root" };
    context.addIssue({ code: "custom", path: ["eventsRoot"], message: "Invalid input: expected string" });
    return z.NEVER;
  });

/** The same proofs under the names of the older family. */
export const legacyProofEndpoints = [
  endpoint({
    method: "POST",
    path: "/api/v1/proofs/verify",
    tag: "Older family",
    summary: "Whether a path leads from a leaf to a root",
    successor: "/api/v1/ves/proofs/verify",
    body: legacyClaim,
    response: z.object({
      valid: z.boolean(),
      leaf_hash: z.string().describe("As given"),
      events_root: z.string().describe("As given"),
    }),
    handle: (c, { body }) => {
      requireFlag(c.get("principal"), "read", "admin");
      const valid = checkProof(body, body.root, body.rootName);
      return { valid, leaf_hash: body.leafHash, events_root: body.root };
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/proofs/{sequence_number}",
    tag: "Older family",
    summary: "That the event with this number lies in its sealed batch",
    successor: "/api/v1/ves/proofs/{sequence_number}",
    params: proofParams,
    query: proofQuery,
    response: legacyProofResponse,
    errors: [404],
    handle: async (c, { params, query }) => {
      const found = await readProof(c, params.sequence_number, query);
      const proof = proofJson(found.proof);
      return { ...proof, events_root: proof.merkle_root };
    },
  }),
];

import { z } from "zod";
import { requirePermission, requireFlag } from "../access/principal.ts";
import { endpoint } from "./endpoint.ts";
import { immutable } from "./immutable.ts";
import { checkProof, claimMembers, rootField } from "./proof-check.ts";
import { proofJson, proofResponse } from "./proof-json.ts";
import { type FoundProof, proofParams, proofQuery, readProof, readProofOfEvent } from "./proof-reads.ts";
import { streamQuery } from "./schemas.ts";
import { eventParams } from "./stream-reads.ts";

/** Proofs that events lie in sealed batches. */
export const proofEndpoints = [
  endpoint({
    method: "POST",
    path: "/api/v1/ves/proofs/verify",
    tag: "Proofs",
    summary: "Whether a path leads from a leaf to a root",
    description: `Says nothing about an event: whoever needs certainty computes the leaf from the event and checks the
path themselves. Without \`leafCount\` even padding passes for a leaf.`,
    body: z.object({ ...claimMembers, merkleRoot: rootField }),
    response: z.object({
      valid: z.boolean(),
      leaf_hash: z.string().describe("As given"),
      merkle_root: z.string().describe("As given"),
    }),
    handle: (c, { body }) => {
      requireFlag(c.get("principal"), "read", "admin");
      const valid = checkProof(body, body.merkleRoot, "merkle_root");
      return { valid, leaf_hash: body.leafHash, merkle_root: body.merkleRoot };
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/ves/proofs/{sequence_number}",
    tag: "Proofs",
    summary: "That the event with this number lies in its sealed batch",
    params: proofParams,
    query: proofQuery,
    response: proofResponse,
    isImmutable: true,
    errors: [404],
    handle: async (c, { params: { sequence_number: sequenceNumber }, query }) => {
      requirePermission(c.get("principal"), "read", query.tenant_id, query.store_id);
      const key = [query.tenant_id, query.store_id, "proofs", sequenceNumber, query.batch_id ?? "any"];
      return immutable(c, key, async () => finalProof(await readProof(c, sequenceNumber, query)));
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/ves/inclusion-proofs/{event_id}",
    tag: "Proofs",
    summary: "That the event with this id lies in its sealed batch",
    params: eventParams,
    query: streamQuery,
    response: proofResponse,
    isImmutable: true,
    errors: [404],
    handle: async (c, { params: { event_id: eventId }, query }) => {
      requirePermission(c.get("principal"), "read", query.tenant_id, query.store_id);
      const key = [query.tenant_id, query.store_id, "inclusion-proofs", eventId];
      return immutable(c, key, async () => finalProof(await readProofOfEvent(c, eventId, query)));
    },
  }),
];

function finalProof({ proof, isMirrored }: FoundProof) {
  return { json: proofJson(proof), isFinal: isMirrored };
}

import { anchoringResponse, verificationResponse } from "./anchor-json.ts";
import { anchorBatch, anchorBody, ANCHORING_ERRORS, verifyBatch } from "./anchor-requests.ts";
import { batchParams, batchQuery } from "./batch-lookup.ts";
import { endpoint } from "./endpoint.ts";

const DESCRIPTION = `For administrators. Sealed batches are anchored by themselves; this is for who does not want to wait. It
answers once the batch is in a block, or with \`submitted\` when that takes too long: it goes on by itself then. The contract takes a
stream's batches in their order, so earlier ones go first. Repeating it is safe.`;

/** Anchoring: sealed batches are written to a contract on a chain, where nobody can change them. */
export const anchoringEndpoints = [
  endpoint({
    method: "POST",
    path: "/api/v1/ves/anchor",
    tag: "Anchoring",
    summary: "Anchor a sealed batch now",
    description: DESCRIPTION,
    body: anchorBody,
    response: anchoringResponse,
    errors: ANCHORING_ERRORS,
    handle: (c, { body: { batch_id: batchId, ...query } }) => anchorBatch(c, batchId, query),
  }),
  endpoint({
    method: "POST",
    path: "/api/v1/ves/commitments/{batch_id}/anchor",
    tag: "Anchoring",
    summary: "Anchor a sealed batch now, named in the path",
    description: DESCRIPTION,
    params: batchParams,
    query: batchQuery,
    response: anchoringResponse,
    errors: ANCHORING_ERRORS,
    handle: (c, { params, query }) => anchorBatch(c, params.batch_id, query),
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/ves/anchor/{batch_id}/verify",
    tag: "Anchoring",
    summary: "Whether the contract holds a batch",
    description: "Reads the chain now, with the newest block, and nothing that is kept here.",
    params: batchParams,
    query: batchQuery,
    response: verificationResponse,
    errors: [404],
    handle: (c, { params, query }) => verifyBatch(c, params.batch_id, query),
  }),
];

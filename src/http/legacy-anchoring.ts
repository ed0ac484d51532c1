import { legacyAnchoringResponse, verificationResponse } from "./anchor-json.ts";
import { anchorBatch, anchorBody, ANCHORING_ERRORS, verifyBatch } from "./anchor-requests.ts";
import { batchParams, batchQuery } from "./batch-lookup.ts";
import { endpoint } from "./endpoint.ts";

const PATH = "/api/v1/anchor";
const SUCCESSOR = "/api/v1/ves/anchor";

/** The same anchoring under the names of the older family. */
export const legacyAnchoringEndpoints = [
  endpoint({
    method: "POST",
    path: PATH,
    tag: "Older family",
    summary: "Anchor a sealed batch now",
    successor: SUCCESSOR,
    body: anchorBody,
    response: legacyAnchoringResponse,
    errors: ANCHORING_ERRORS,
    handle: async (c, { body: { batch_id: batchId, ...query } }) => {
      const anchoring = await anchorBatch(c, batchId, query);
      return { ...anchoring, events_root: anchoring.merkle_root };
    },
  }),
  endpoint({
    method: "GET",
    path: `${PATH}/{batch_id}/verify`,
    tag: "Older family",
    summary: "Whether the contract holds a batch",
    successor: `${SUCCESSOR}/{batch_id}/verify`,
    params: batchParams,
    query: batchQuery,
    response: verificationResponse,
    errors: [404],
    handle: (c, { params, query }) => verifyBatch(c, params.batch_id, query),
  }),
];

import { z } from "zod";
import { batchParams, batchQuery } from "./batch-lookup.ts";
import { batchesQuery, batchListMembers, commitBody, readBatch, readBatches, sealRange } from "./batch-reads.ts";
import {
  legacyCommitmentDetailJson,
  legacyCommitmentDetailResponse,
  legacyCommitmentJson,
  legacyCommitmentResponse,
} from "./commitment-json.ts";
import { endpoint } from "./endpoint.ts";

const PATH = "/api/v1/commitments";
const SUCCESSOR = "/api/v1/ves/commitments";

/** The same batches under the names and shapes of the older family. */
export const legacyCommitmentEndpoints = [
  endpoint({
    method: "POST",
    path: PATH,
    tag: "Older family",
    summary: "Seal a range of events now",
    successor: SUCCESSOR,
    body: commitBody,
    response: legacyCommitmentResponse,
    handle: async (c, { body }) => legacyCommitmentJson(await sealRange(c, body)),
  }),
  endpoint({
    method: "GET",
    path: PATH,
    tag: "Older family",
    summary: "A stream's batches, newest first",
    successor: SUCCESSOR,
    query: batchesQuery,
    response: z.object({ commitments: z.array(legacyCommitmentResponse), ...batchListMembers }),
    handle: async (c, { query }) => {
      const { found, counts } = await readBatches(c, query);
      return { commitments: found.map(legacyCommitmentJson), ...counts };
    },
  }),
  endpoint({
    method: "GET",
    path: `${PATH}/{batch_id}`,
    tag: "Older family",
    summary: "One batch by its id",
    successor: `${SUCCESSOR}/{batch_id}`,
    params: batchParams,
    query: batchQuery,
    response: legacyCommitmentDetailResponse,
    errors: [404],
    handle: async (c, { params, query }) => legacyCommitmentDetailJson(await readBatch(c, params.batch_id, query)),
  }),
];

import { z } from "zod";
import { RequestError } from "../errors.ts";
import {
  batchNotFound,
  batchParams,
  batchQuery,
  batchStreamMembers,
  streamOfBatch,
  wholeStream,
} from "./batch-lookup.ts";
import { batchesQuery, batchListMembers, commitBody, readBatch, readBatches, sealRange } from "./batch-reads.ts";
import {
  commitmentDetailJson,
  commitmentDetailResponse,
  commitmentJson,
  commitmentResponse,
} from "./commitment-json.ts";
import { endpoint } from "./endpoint.ts";
import { envelopeJson } from "./event-json.ts";
import { immutable } from "./immutable.ts";
import { openEvents } from "./open-events.ts";
import { envelopeResponse, limitParam, uuidText } from "./schemas.ts";
import { DEFAULT_LIMIT, existingStream, fromParam, MAX_EVENTS } from "./stream-reads.ts";

const batchEventsQuery = z
  .object({
    ...batchStreamMembers,
    from: fromParam.describe("First number wanted; 0 and nothing mean the batch's first"),
    limit: limitParam(1, MAX_EVENTS).optional().describe("Rows wanted, 100 when absent, at most 1000"),
  })
  .superRefine(wholeStream);

const batchEventsResponse = z.object({
  batch_id: uuidText,
  events: z.array(z.object({ envelope: envelopeResponse })),
  count: z.int(),
  next_sequence: z.int().nullable().describe("Where to continue; null when the batch ends here"),
});

/** Sealed batches: ranges of a stream's events under one Merkle root, chained to each other. */
export const commitmentEndpoints = [
  endpoint({
    method: "POST",
    path: "/api/v1/ves/commitments",
    tag: "Commitments",
    summary: "Seal a range of events now",
    description: `Streams seal their events by themselves; this is for who does not want to wait. The range must begin
where the last batch ends. The same range again is answered with the batch that it is.`,
    body: commitBody,
    response: commitmentResponse,
    handle: async (c, { body }) => commitmentJson(await sealRange(c, body)),
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/ves/commitments",
    tag: "Commitments",
    summary: "A stream's batches, newest first",
    query: batchesQuery,
    response: z.object({ commitments: z.array(commitmentResponse), ...batchListMembers }),
    handle: async (c, { query }) => {
      const { found, counts } = await readBatches(c, query);
      return { commitments: found.map(commitmentJson), ...counts };
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/ves/commitments/{batch_id}",
    tag: "Commitments",
    summary: "One batch by its id",
    params: batchParams,
    query: batchQuery,
    response: commitmentDetailResponse,
    errors: [404],
    handle: async (c, { params, query }) => commitmentDetailJson(await readBatch(c, params.batch_id, query)),
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/ves/commitments/{batch_id}/events",
    tag: "Commitments",
    summary: "The events of a batch, in order",
    params: batchParams,
    query: batchEventsQuery,
    response: batchEventsResponse,
    isImmutable: true,
    errors: [404],
    handle: async (c, { params: { batch_id: batchId }, query }) => {
      const stream = await streamOfBatch(c, batchId, query);
      const limit = query.limit ?? DEFAULT_LIMIT;
      // What is encrypted at rest does not lie at the edge in clear.
      const isClear = c.get("config").payloadKeys(stream.tenantId).current === null;
      const key = isClear ? [stream.tenantId, stream.storeId, "batch-events", batchId, query.from ?? 0, limit] : null;
      return immutable(c, key, async () => {
        const stub = await existingStream(c, stream);
        const batch = (await stub?.batch(batchId)) ?? null;
        if (stub === null || batch === null) throw batchNotFound(batchId, query);
        const { sequenceStart: start, sequenceEnd: end } = batch;
        const from = query.from || start;
        if (from < start || from > end) {
          throw new RequestError(
            "INVALID_FIELD_VALUE",
            `from: ${from} is not in the batch, which holds ${start} to ${end}`,
          );
        }
        const { mirroredSequence } = await stub.state();
        const { events, nextSequence } = await stub.events({ from, to: end, limit });
        const json = {
          batch_id: batchId,
          events: (await openEvents(c, events)).map((event) => ({ envelope: envelopeJson(event) })),
          count: events.length,
          next_sequence: nextSequence > end ? null : nextSequence,
        };
        return { json, isFinal: end <= mirroredSequence };
      });
    },
  }),
];

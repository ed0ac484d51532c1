import { z } from "zod";
import { frozen, RequestError } from "../errors.ts";
import type { CommitResult } from "../stream/messages.ts";
import type { StreamBatch } from "../stream/wire-json.ts";
import { uuidField } from "../ves/index.ts";
import { batchNotFound, type batchQuery, rememberBatch, streamOfBatch } from "./batch-lookup.ts";
import type { AppContext } from "./context.ts";
import { limitParam, numberParam, streamQuery } from "./schemas.ts";
import { DEFAULT_LIMIT, existingStream, streamOf } from "./stream-reads.ts";

/*
 * What both families ask for about batches, and how it is done.
 */

const MAX_BATCHES = 1_000;

const sequenceNumberField = z.int().min(1);

export const commitBody = z.object({
  tenantId: uuidField,
  storeId: uuidField,
  sequenceStart: sequenceNumberField.describe("Where the next batch begins: one after the last batch's end"),
  sequenceEnd: sequenceNumberField.describe("At most the head"),
});

export const batchesQuery = streamQuery.extend({
  limit: limitParam(1, MAX_BATCHES).optional().describe("Batches wanted, 100 when absent, at most 1000"),
  before: numberParam(1, Number.MAX_SAFE_INTEGER).optional().describe("Only batches that begin before this number"),
  anchored: z.enum(["true", "false"]).optional().describe("Only batches that are anchored, or only those that are not"),
});

/** Members that a list of batches has beside them. */
export const batchListMembers = {
  count: z.int(),
  has_more: z.boolean(),
  next_before: z.int().nullable().describe("What to give as `before` for the next page; null on the last"),
};

/**
 * Seals a range now, or gives the batch that it is already.
 *
 * @throws RequestError INVALID_FIELD_VALUE, INVARIANT_VIOLATION or STREAM_FROZEN, and nothing was sealed
 */
export async function sealRange(c: AppContext, body: z.output<typeof commitBody>): Promise<StreamBatch> {
  const stream = { tenantId: body.tenantId, storeId: body.storeId };
  const { sequenceStart: start, sequenceEnd: end } = body;
  const stub = await existingStream(c, stream, "write");
  if (end < start) {
    throw invalid(`sequenceEnd ${end} lies before sequenceStart ${start}: give the first number, then the last`);
  }
  const result: CommitResult = (await stub?.commit({ start, end })) ?? { kind: "beyond_head", head: 0 };
  if (result.kind === "frozen") throw frozen(result.reason);
  if (result.kind === "beyond_head") throw invalid(`sequenceEnd ${end} lies above the head, ${result.head}`);
  if (result.kind === "too_large") {
    throw invalid(
      `The range is too large for one batch: from ${start} it may go to ${result.largestEnd}, not to ${end}`,
    );
  }
  if (result.kind === "not_next") {
    const message = `Batches leave no gaps and do not overlap: the next one begins at ${result.next}, not at ${start}`;
    throw new RequestError("INVARIANT_VIOLATION", message);
  }
  if (result.kind === "other_end") {
    const next = ((await stub?.state())?.latestBatch?.sequenceEnd ?? 0) + 1;
    const found = `The batch that begins at ${start} ends at ${result.batch.sequenceEnd}, not at ${end}`;
    throw new RequestError("INVARIANT_VIOLATION", `${found}; the next one begins at ${next}`);
  }
  rememberBatch(result.batch.batchId, stream);
  return { stream, batch: result.batch };
}

/** A page of a stream's batches, newest first. */
export async function readBatches(c: AppContext, query: z.output<typeof batchesQuery>) {
  const stream = streamOf(query);
  const stub = await existingStream(c, stream);
  const { batches, hasMore } = (await stub?.batches({
    before: query.before ?? Number.MAX_SAFE_INTEGER,
    limit: query.limit ?? DEFAULT_LIMIT,
    anchored: query.anchored === undefined ? undefined : query.anchored === "true",
  })) ?? { batches: [], hasMore: false };
  return {
    found: batches.map((batch): StreamBatch => ({ stream, batch })),
    counts: {
      count: batches.length,
      has_more: hasMore,
      next_before: hasMore ? (batches.at(-1)?.sequenceStart ?? null) : null,
    },
  };
}

/** @throws RequestError BATCH_NOT_FOUND, and what {@link streamOfBatch} throws */
export async function readBatch(
  c: AppContext,
  batchId: string,
  query: z.output<typeof batchQuery>,
): Promise<StreamBatch> {
  const stream = await streamOfBatch(c, batchId, query);
  const batch = (await (await existingStream(c, stream))?.batch(batchId)) ?? null;
  if (batch === null) throw batchNotFound(batchId, query);
  return { stream, batch };
}

function invalid(message: string): RequestError {
  return new RequestError("INVALID_FIELD_VALUE", message);
}

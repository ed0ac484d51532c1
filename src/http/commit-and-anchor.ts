import { z } from "zod";
import { requirePermission } from "../access/principal.ts";
import { anchorNow } from "../anchor/anchor-client.ts";
import { RequestError } from "../errors.ts";
import { MAX_BATCH_EVENTS } from "../stream/seal-limits.ts";
import { toHex, uuidField } from "../ves/index.ts";
import { anchoringJson, anchoringResponse } from "./anchor-json.ts";
import { ANCHORING_ERRORS, requireAnchoring } from "./anchor-requests.ts";
import { recordBefore } from "./audit-context.ts";
import { commitBody, sealRange } from "./batch-reads.ts";
import type { AppContext } from "./context.ts";
import { endpoint } from "./endpoint.ts";
import { hexText } from "./schemas.ts";
import { existingStream } from "./stream-reads.ts";

const DEFAULT_MAX_EVENTS = 1_024;

const { sequenceStart, sequenceEnd } = commitBody.shape;

const commitAndAnchorBody = z.object({
  tenantId: uuidField,
  storeId: uuidField,
  sequenceStart: sequenceStart.nullish().describe("Where the next batch begins; with sequenceEnd, or neither"),
  sequenceEnd: sequenceEnd.nullish().describe("At most the head; with sequenceStart, or neither"),
  maxEvents: z
    .int()
    .min(1)
    .max(MAX_BATCH_EVENTS)
    .nullish()
    .describe(`Without a range: most events of the batch, ${DEFAULT_MAX_EVENTS} when absent`),
});

type Body = z.output<typeof commitAndAnchorBody>;
type SealBody = z.output<typeof commitBody>;

/** Stands before the commitments, since one of their paths would match it. */
export const commitAndAnchorEndpoints = [
  endpoint({
    method: "POST",
    path: "/api/v1/ves/commitments/anchor",
    tag: "Commitments",
    summary: "Seal events now, and anchor their batch",
    description: `For administrators. Without a range it seals what is not sealed yet, as much as one batch may hold. An error
that names a \`batch_id\` in its details came after sealing: anchor that batch then, instead of sealing again.`,
    body: commitAndAnchorBody,
    response: anchoringResponse
      .extend({ prev_state_root: hexText, new_state_root: hexText })
      .meta({ id: "CommitmentAnchoring" }),
    errors: ANCHORING_ERRORS,
    handle: async (c, { body }) => {
      const chainId = await requireAnchoring(c);
      for (const permission of ["admin", "write"] as const) {
        requirePermission(c.get("principal"), permission, body.tenantId, body.storeId);
      }
      const given = givenRange(body);
      await recordBefore(c, body.tenantId, {
        action: "stream.anchoring_requested",
        resource: { type: "stream", id: body.storeId },
        storeId: body.storeId,
        details: {
          sequence_start: given?.sequenceStart ?? null,
          sequence_end: given?.sequenceEnd ?? null,
          max_events: body.maxEvents ?? null,
        },
      });
      const sealed = await sealRange(c, given ?? (await nextRange(c, body)));
      const { stream, batch } = sealed;
      const anchoring = anchoringJson(sealed, await anchorNow(c.env, stream, batch.batchId), chainId);
      return {
        ...anchoring,
        prev_state_root: toHex(batch.prevStateRoot),
        new_state_root: toHex(batch.newStateRoot),
      };
    },
  }),
];

/** The range that is asked for; null when none is. @throws RequestError INVALID_FIELD_VALUE for half of one */
function givenRange({ tenantId, storeId, sequenceStart: start, sequenceEnd: end }: Body): SealBody | null {
  if (typeof start === "number" && typeof end === "number") {
    return { tenantId, storeId, sequenceStart: start, sequenceEnd: end };
  }
  if (typeof start !== "number" && typeof end !== "number") return null;
  const [given, missing] =
    typeof start === "number" ? ["sequenceStart", "sequenceEnd"] : ["sequenceEnd", "sequenceStart"];
  throw invalid(`${missing}: expected beside ${given}: give both or neither`);
}

/** Seals what comes next, and gives the range that it became. @throws RequestError INVALID_FIELD_VALUE when there is nothing */
async function nextRange(c: AppContext, { tenantId, storeId, maxEvents }: Body): Promise<SealBody> {
  const stub = await existingStream(c, { tenantId, storeId }, "write");
  const state = (await stub?.state()) ?? null;
  if (stub === null || state === null || state.head === 0) throw invalid("The stream has no events to seal");
  const { head, latestBatch } = state;
  const start = (latestBatch?.sequenceEnd ?? 0) + 1;
  if (start > head) {
    const last = `the last batch is ${latestBatch?.batchId}, which POST /api/v1/ves/anchor anchors`;
    throw invalid(`All events up to the head, ${head}, are sealed; ${last}`);
  }
  const end = Math.min(head, start + (maxEvents ?? DEFAULT_MAX_EVENTS) - 1);
  const result = await stub.commit({ start, end });
  const range = { tenantId, storeId, sequenceStart: start };
  if (result.kind === "too_large") return { ...range, sequenceEnd: result.largestEnd };
  // The stream has sealed it by itself meanwhile.
  if (result.kind === "other_end") return { ...range, sequenceEnd: result.batch.sequenceEnd };
  return { ...range, sequenceEnd: end };
}

function invalid(message: string): RequestError {
  return new RequestError("INVALID_FIELD_VALUE", message);
}

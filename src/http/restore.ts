import { z } from "zod";
import { requireBootstrapAdmin } from "../access/principal.ts";
import { RequestError, unavailable, unreadable } from "../errors.ts";
import type { RestorationOutlook, RestoreRefusal } from "../stream/messages.ts";
import { locationHint, streamStub } from "../stream/stream-client.ts";
import { ensureStore } from "../tenant/agent-directory.ts";
import { uuidField } from "../ves/index.ts";
import { recordPieceBefore } from "./audit-context.ts";
import { endpoint } from "./endpoint.ts";

/** Rebuilding streams whose objects were lost. */
export const restoreEndpoints = [
  endpoint({
    method: "POST",
    path: "/api/v1/admin/streams/restore",
    tag: "Administration",
    summary: "Rebuild an empty stream from Postgres",
    description: `For the bootstrap administrator. One call does a piece of the work: repeat it until it answers
\`restored\`. Every batch is verified before anything of it is taken over, and the stream takes no writes until all of it is
there. With \`dryRun\` nothing changes, and nothing is verified: it answers \`restorable\`, or \`not_empty\`.`,
    body: z.object({
      tenantId: uuidField,
      storeId: uuidField,
      dryRun: z.boolean().nullish().describe("Only look"),
    }),
    response: z.object({
      status: z.enum(["restoring", "restored", "restorable", "not_empty"]),
      restored_sequence: z.int().describe("Events up to here are back; with `dryRun`, are in the stream's object"),
      total_sequence: z.int().describe("Events up to here are in Postgres"),
      batches: z.int().optional().describe("With `dryRun`: batches in Postgres"),
    }),
    errors: [404, 409],
    handle: async (c, { body: { dryRun, ...stream } }) => {
      requireBootstrapAdmin(c.get("principal"));
      const near = locationHint(c.req.raw.cf as IncomingRequestCfProperties | undefined);
      const stub = streamStub(c.env, stream, near);
      if (dryRun === true) return outlookJson(await stub.restorationOutlook());
      await recordPieceBefore(c, stream.tenantId, {
        action: "stream.restoration_requested",
        resource: { type: "stream", id: stream.storeId },
        storeId: stream.storeId,
        details: {},
      });
      const result = await stub.restore();
      const isThere = result.kind !== "refused" || result.refusal.kind === "not_empty";
      if (isThere) await ensureStore(c.env, stream.tenantId, stream.storeId);
      if (result.kind === "refused") throw errorOf(result.refusal);
      return {
        status: result.kind,
        restored_sequence: result.restoredSequence,
        total_sequence: result.totalSequence,
      };
    },
  }),
];

function outlookJson(outlook: RestorationOutlook) {
  if (outlook.kind === "refused") throw errorOf(outlook.refusal);
  const { kind, head, totalSequence, batches } = outlook;
  return { status: kind, restored_sequence: head, total_sequence: totalSequence, batches };
}

function errorOf(refusal: RestoreRefusal): RequestError {
  switch (refusal.kind) {
    case "not_empty":
      return new RequestError(
        "ALREADY_EXISTS",
        `The stream holds events up to ${refusal.head}: only an empty one is restored`,
      );
    case "not_mirrored":
      return new RequestError("RESOURCE_NOT_FOUND", "Postgres holds no batch of this stream");
    case "no_mirror":
      return new RequestError("RESOURCE_NOT_FOUND", "This deployment has no mirror to restore from");
    case "unreachable":
      return unavailable("Postgres cannot be reached, or its tables are not there: repeat the request");
    case "unreadable":
      return unreadable(
        `Event ${refusal.sequenceNumber} is encrypted under key ${refusal.keyId}, which is not configured: nothing from its batch on was taken over`,
        refusal.sequenceNumber,
      );
    case "unverified":
      break;
  }
  return new RequestError(
    "INTEGRITY_VIOLATION",
    `What Postgres holds does not verify, and nothing from there on was taken over: ${refusal.reason}`,
  );
}

import { z } from "zod";
import { requireBootstrapAdmin } from "../access/principal.ts";
import { RequestError, unavailable, unreadable } from "../errors.ts";
import type { RestoreRefusal } from "../stream/messages.ts";
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
there.`,
    body: z.object({ tenantId: uuidField, storeId: uuidField }),
    response: z.object({
      status: z.enum(["restoring", "restored"]),
      restored_sequence: z.int().describe("Events up to here are back"),
      total_sequence: z.int().describe("Events up to here are in Postgres"),
    }),
    errors: [404, 409],
    handle: async (c, { body: stream }) => {
      requireBootstrapAdmin(c.get("principal"));
      await recordPieceBefore(c, stream.tenantId, {
        action: "stream.restoration_requested",
        resource: { type: "stream", id: stream.storeId },
        storeId: stream.storeId,
        details: {},
      });
      const near = locationHint(c.req.raw.cf as IncomingRequestCfProperties | undefined);
      const result = await streamStub(c.env, stream, near).restore();
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

import { z } from "zod";
import { requireBootstrapAdmin } from "../access/principal.ts";
import { payloadProblemText } from "../at-rest/open-payload.ts";
import { RequestError, unavailable } from "../errors.ts";
import type { PayloadCounts, ReencryptResult, UnreadablePayload } from "../stream/messages.ts";
import { uuidField } from "../ves/index.ts";
import { recordPieceBefore } from "./audit-context.ts";
import { endpoint } from "./endpoint.ts";
import { sequenceNumber } from "./schemas.ts";
import { existingStream } from "./stream-reads.ts";

const counts = z.object({
  by_key: z.record(z.string(), z.int()).describe("Payloads as they were found, by key id; none: stored as text"),
  reencrypted: z.int().describe("How many are under the current key since"),
});

/** Bringing the payloads of a stream under the current key. */
export const reencryptEndpoints = [
  endpoint({
    method: "POST",
    path: "/api/v1/admin/streams/reencrypt",
    tag: "Administration",
    summary: "Encrypt payloads under the current key, or count them by key",
    description: `For the bootstrap administrator. One call does a piece of a stream, in its object and in Postgres: repeat it
with \`from\` set to \`next_sequence\` until that is null. What is under the current key already is left alone, so repeating is
safe. Nothing of an event but the encryption of its payload changes. A payload that no configured key opens stays as it is, and is
named. With \`dryRun\` nothing changes at all.`,
    body: z.object({
      tenantId: uuidField,
      storeId: uuidField,
      from: z.int().min(1).nullish().describe("First number of the piece; 1 when absent"),
      dryRun: z.boolean().nullish().describe("Only count"),
    }),
    response: z.object({
      current_key: z.string().describe("Id of the key that new payloads are encrypted under; none: they are not"),
      next_sequence: z.int().nullable().describe("Where to continue; null when the stream ends here"),
      head_sequence: z.int(),
      object: counts,
      database: counts.nullable().describe("Null in a deployment without a mirror"),
      unreadable_count: z.int().describe("Payloads in the object that no configured key opens"),
      unreadable: z
        .array(z.object({ sequence_number: sequenceNumber, key_id: z.string(), reason: z.string() }))
        .describe("The first of them"),
    }),
    errors: [404],
    handle: async (c, { body: { tenantId, storeId, from, dryRun } }) => {
      requireBootstrapAdmin(c.get("principal"));
      const request = { from: from ?? 1, isDryRun: dryRun ?? false };
      const stream = await existingStream(c, { tenantId, storeId }, "admin");
      if (stream === null) {
        throw new RequestError(
          "RESOURCE_NOT_FOUND",
          "As far as its tenant's registry knows, the store was never written to",
        );
      }
      // Who only counts changes nothing.
      if (!request.isDryRun) {
        await recordPieceBefore(c, tenantId, {
          action: "stream.reencryption_requested",
          resource: { type: "stream", id: storeId },
          storeId,
          details: {},
        });
      }
      const result = await stream.reencrypt(request);
      if (result.kind !== "piece") throw errorOf(result);
      return {
        current_key: result.currentKeyId,
        next_sequence: result.nextSequence,
        head_sequence: result.head,
        object: countsJson(result.object),
        database: result.database && countsJson(result.database),
        unreadable_count: result.unreadable.count,
        unreadable: result.unreadable.first.map(unreadableJson),
      };
    },
  }),
];

function errorOf(result: Exclude<ReencryptResult, { kind: "piece" }>): RequestError {
  if (result.kind === "no_key") {
    const message = "PAYLOAD_ENCRYPTION_MODE is disabled: there is no key to encrypt under";
    return new RequestError("INVARIANT_VIOLATION", message);
  }
  return unavailable(`${result.reason}: repeat the request`);
}

function unreadableJson({ sequenceNumber: number, keyId, problem }: UnreadablePayload) {
  return { sequence_number: number, key_id: keyId, reason: payloadProblemText(problem) };
}

function countsJson({ byKey, reencrypted }: PayloadCounts): z.output<typeof counts> {
  return { by_key: { ...byKey }, reencrypted };
}

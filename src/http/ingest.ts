import { z } from "zod";
import type { Config } from "../config.ts";
import { ingest, type Ingested } from "../ingest/ingest.ts";
import { issueReceipt } from "../ingest/receipt.ts";
import { requireStrictForms } from "../ingest/strict-forms.ts";
import { requireSignatures, type Submission, submissionOf, submissionSchema } from "../ingest/submission.ts";
import { tally } from "../ingest/tally.ts";
import { recorder } from "../observe/recorder.ts";
import type { AppContext } from "./context.ts";
import { endpoint } from "./endpoint.ts";
import { plainReceiptJson, plainReceiptResponse, receiptJson, receiptResponse } from "./receipt-json.ts";
import { head, uuidText } from "./schemas.ts";

const rejection = z
  .object({
    eventId: uuidText,
    event_id: uuidText,
    reason: z.string().describe("For programs"),
    message: z.string().describe("For people"),
  })
  .meta({ id: "Rejection" });

const ingestResponse = z
  .object({
    batchId: uuidText.describe("Names this answer in logs; nothing is stored under it"),
    eventsAccepted: z.int(),
    eventsRejected: z.int(),
    sequenceStart: z.int().nullable(),
    sequenceEnd: z.int().nullable(),
    headSequence: head,
    rejections: z.array(rejection).optional(),
    receipts: z.array(z.union([receiptResponse, plainReceiptResponse])).optional(),
  })
  .meta({ id: "IngestResponse" });

const legacyIngestResponse = ingestResponse.extend({
  batch_id: uuidText,
  events_accepted: z.int(),
  events_rejected: z.int(),
  assigned_sequence_start: z.int().nullable(),
  assigned_sequence_end: z.int().nullable(),
  head_sequence: head,
});

const description = `Each event gets its own verdict: one bad event does not refuse the others. Accepted events get
consecutive numbers in request order. Repeating a request is always safe: an event that is already in the log is answered
with the receipt it had.`;

const shared = {
  method: "POST",
  tag: "Events",
  description,
  body: submissionSchema,
  inspectBody: (body: unknown, config: Config) => {
    requireSignatures(body);
    if (config.requireStrictForms) requireStrictForms(body);
  },
  errors: [413],
} as const;

/** POST of signed events, on its own path and on the older one. */
export const ingestEndpoints = [
  endpoint({
    ...shared,
    path: "/api/v1/ves/events/ingest",
    summary: "Submit signed events",
    response: ingestResponse,
    handle: async (c, { body }) => {
      const submission = submissionOf(body, c.get("principal"), c.get("config"));
      return answer(c, submission);
    },
  }),
  endpoint({
    ...shared,
    path: "/api/v1/events/ingest",
    summary: "Submit signed events",
    successor: "/api/v1/ves/events/ingest",
    response: legacyIngestResponse,
    handle: async (c, { body }) => {
      const submission = submissionOf(body, c.get("principal"), c.get("config"));
      const response = await answer(c, submission);
      return {
        ...response,
        batch_id: response.batchId,
        events_accepted: response.eventsAccepted,
        events_rejected: response.eventsRejected,
        assigned_sequence_start: response.sequenceStart,
        assigned_sequence_end: response.sequenceEnd,
        head_sequence: response.headSequence,
      };
    },
  }),
];

async function answer(c: AppContext, submission: Submission): Promise<z.output<typeof ingestResponse>> {
  const startedAt = Date.now();
  c.set("subject", submission.stream);
  const { events, head: headSequence } = await ingest(
    submission,
    c.env,
    c.get("config"),
    c.req.raw.cf as IncomingRequestCfProperties | undefined,
  );
  const counts = tally(events.map(({ event, outcome }) => ({ vesVersion: event.envelope.ves_version, outcome })));
  const rejections = rejectionsOf(events);
  const receipts = await receiptsOf(events, submission, c);
  recorder.observeSince("sequencer_ingest_latency_seconds", {}, startedAt);
  return {
    batchId: crypto.randomUUID(),
    eventsAccepted: counts.accepted,
    eventsRejected: counts.rejected,
    sequenceStart: counts.sequenceStart,
    sequenceEnd: counts.sequenceEnd,
    headSequence,
    ...(rejections.length === 0 ? {} : { rejections }),
    ...(receipts.length === 0 ? {} : { receipts }),
  };
}

/** By the phase that found them, and within one in request order. */
function rejectionsOf(events: Ingested["events"]): z.output<typeof rejection>[] {
  return events
    .flatMap(({ event, outcome }) => (outcome.kind === "rejected" ? [{ id: event.envelope.event_id, ...outcome }] : []))
    .toSorted((a, b) => a.phase - b.phase)
    .map(({ id, rejection: { reason, message } }) => ({ eventId: id, event_id: id, reason, message }));
}

type AnyReceipt = z.output<typeof receiptResponse> | z.output<typeof plainReceiptResponse>;

/** Replays first, then new events, each in request order. */
async function receiptsOf(
  events: Ingested["events"],
  { stream, isPlainForm }: Submission,
  c: AppContext,
): Promise<AnyReceipt[]> {
  const receipts: AnyReceipt[] = [];
  for (const kind of ["replayed", "accepted"] as const) {
    for (const { event, outcome } of events) {
      if (outcome.kind !== kind) continue;
      const { event_id: eventId, payload_plain_hash: payloadHash } = event.envelope;
      const signed = { eventId, signingHash: event.signingHash };
      const receipt = await issueReceipt(c.get("config").receiptKeys, stream, signed, outcome.place);
      const proof = outcome.kind === "replayed" ? outcome.proof : null;
      receipts.push(isPlainForm ? plainReceiptJson(receipt, payloadHash, proof) : receiptJson(receipt, proof));
    }
  }
  return receipts;
}

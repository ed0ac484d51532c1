import { z } from "zod";
import { envelopeObject, hex32Field, uuidField } from "../../src/ves/index.ts";
import { ApiError, type Server } from "../lib/client.ts";
import { SourceError } from "./log-source.ts";
import { callPatiently } from "./retry.ts";

/*
 * What is read of the sequencer's answers. That they have this form is all that is taken for granted; receipts may hold
 * any text, which is then compared.
 */

export const headAnswer = z.object({
  head_sequence: z.int(),
  sealed_sequence: z.int(),
  state_root: hex32Field,
  frozen: z.string().nullish(),
});

const receipt = z.object({
  sequencerId: z.string(),
  eventId: z.string(),
  sequenceNumber: z.number(),
  sequencedAt: z.string(),
  receiptHash: z.string(),
  signatureAlg: z.string(),
  sequencerSignature: z.string(),
  sequencerKeyVersion: z.number(),
});

const eventRow = z.object({
  envelope: envelopeObject.extend({ sequence_number: z.int(), sequenced_at: z.string() }),
  receipt: receipt.optional(),
});

export type EventRow = z.output<typeof eventRow>;

export const eventsAnswer = z.object({ events: z.array(eventRow), has_more: z.boolean(), next_sequence: z.int() });

const commitmentRow = z.object({
  batch_id: uuidField,
  ves_version: z.int(),
  tree_depth: z.int(),
  leaf_count: z.int(),
  padded_leaf_count: z.int(),
  merkle_root: hex32Field,
  prev_state_root: hex32Field,
  new_state_root: hex32Field,
  sequence_start: z.int(),
  sequence_end: z.int(),
  committed_at: z.string(),
});

export type CommitmentRow = z.output<typeof commitmentRow>;

export const commitmentsAnswer = z.object({
  commitments: z.array(commitmentRow),
  has_more: z.boolean(),
  next_before: z.int().nullable(),
});

export const sequencerKeysAnswer = z.object({
  keys: z.array(z.object({ key_version: z.int(), public_key: hex32Field })),
});

export const agentKeysAnswer = z.object({
  keys: z.array(z.object({ agent_id: uuidField, key_id: z.int(), public_key: hex32Field })),
});

/** Reads one answer. @throws SourceError when there is none, or none of this form */
export async function ask<Schema extends z.ZodType>(
  server: Server,
  path: string,
  schema: Schema,
): Promise<z.output<Schema>> {
  const route = path.split("?", 1)[0];
  let answer: unknown;
  try {
    answer = await callPatiently<unknown>(server, "GET", path);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const why =
      error.status === 401 || error.status === 403
        ? `does not let this API key read ${route}: ${error.message}`
        : `answers ${route} with ${error.message}`;
    throw new SourceError(`The sequencer at ${server.url} ${why}.`, { cause: error });
  }
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const what = issue === undefined ? "" : `: ${issue.path.join(".")}: ${issue.message}`;
  throw new SourceError(`What ${server.url} answers to ${route} is not understood${what}.`, { cause: parsed.error });
}

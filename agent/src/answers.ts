import { z } from "zod";
import { envelopeObject, hex32Field, uuidField } from "../../src/ves/index.ts";

/*
 * What is read of the sequencer's answers. That they have this form is all that is taken for granted.
 */

const sequenceNumber = z.int().min(1);

/** A receipt as it is kept, and handed on. */
export const receiptForm = z.object({
  sequencerId: z.string(),
  eventId: uuidField,
  sequenceNumber,
  sequencedAt: z.string(),
  receiptHash: z.string(),
  signatureAlg: z.string(),
  sequencerSignature: z.string(),
  sequencerKeyVersion: z.int(),
});

export const ingestAnswer = z.object({
  sequenceStart: z.int().nullish(),
  sequenceEnd: z.int().nullish(),
  headSequence: z.int(),
  rejections: z.array(z.object({ event_id: uuidField, reason: z.string(), message: z.string() })).optional(),
  receipts: z.array(receiptForm).optional(),
});

/** An event of the log, with its place. */
export const loggedEvent = envelopeObject.extend({ sequence_number: sequenceNumber, sequenced_at: z.string() });

export type LoggedEvent = z.output<typeof loggedEvent>;

export const eventsAnswer = z.object({
  events: z.array(z.object({ envelope: z.looseObject({}) })),
  head_sequence: z.int(),
  has_more: z.boolean(),
});

/** Hashes are read as bytes; whatever else a batch says is not looked at. */
const commitment = z.object({
  batch_id: uuidField,
  merkle_root: hex32Field,
  prev_state_root: hex32Field,
  new_state_root: hex32Field,
  sequence_start: sequenceNumber,
  sequence_end: sequenceNumber,
});

export type Commitment = z.output<typeof commitment>;

export const commitmentsAnswer = z.object({
  commitments: z.array(commitment),
  has_more: z.boolean(),
  next_before: z.int().nullish(),
});

export const sequencerKeysAnswer = z.object({
  sequencer_id: z.string(),
  keys: z.array(z.object({ key_version: z.int(), public_key: hex32Field })),
});

/** What is signed is the whole body, so members that are not known here stay in it. */
export const directoryForm = z.looseObject({
  agentId: uuidField,
  tenantId: uuidField,
  keys: z.array(
    z.looseObject({
      keyId: z.int(),
      publicKey: z.string(),
      validFrom: z.string().nullish(),
      validTo: z.string().nullish(),
      revokedAt: z.string().nullish(),
    }),
  ),
  directorySignature: z.string(),
});

/** That an event lies in a sealed batch, as the sequencer answers it and as it is handed on. Hashes are hex. */
export const inclusionForm = z.object({
  sequence_number: sequenceNumber,
  batch_id: uuidField,
  merkle_root: z.string(),
  leaf_hash: z.string(),
  leaf_index: z.int().min(0),
  leaf_count: z.int().min(1),
  proof_path: z.array(z.string()),
  sequence_start: sequenceNumber,
  sequence_end: sequenceNumber,
  prev_state_root: z.string(),
  new_state_root: z.string(),
});

export const eventAnswer = z.object({ envelope: z.looseObject({}) });

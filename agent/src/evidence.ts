import { z } from "zod";
import {
  type Envelope,
  envelopeProblem,
  envelopeSchema,
  equalBytes,
  eventSigningHash,
  fromHex,
  leafHash,
  signatureProblem,
  stateRoot,
  verifyInclusionStrict,
  VesError,
} from "../../src/ves/index.ts";
import { type EthCall, isAnchored } from "./anchor-call.ts";
import { directoryForm, inclusionForm, receiptForm } from "./answers.ts";
import { receiptProblem } from "./receipt-problem.ts";
import { directoryFault, keyAt } from "./trust.ts";

export const evidenceForm = z.object({
  version: z.literal(1),
  event: z.looseObject({}),
  receipt: receiptForm,
  inclusion: inclusionForm,
  directory: directoryForm,
});

/**
 * All that somebody needs who holds the sequencer's public key, to see that an event is in the log: JSON, to be kept or handed
 * on. `directory` are the signing agent's keys as the sequencer signed them.
 */
export type Evidence = z.output<typeof evidenceForm>;

/**
 * - `content`: the event has the form that the sequencer takes, and its payload is what was signed
 * - `signature`: the agent's, under a key that the sequencer vouches for
 * - `receipt`: the sequencer promised this event this number
 * - `inclusion`: it stands there in the sealed batch
 * - `stateRoot`: the batch's state root follows from the one before it and from the batch
 * - `log`: it is the batch that the agent itself computed from the log
 * - `anchor`: the contract finds the event in an anchored batch
 */
export type EvidenceCheck = "content" | "signature" | "receipt" | "inclusion" | "stateRoot" | "log" | "anchor";

export interface EvidenceVerdict {
  /** Whether nothing failed that was looked at; the first five checks always are. */
  readonly valid: boolean;
  readonly passed: readonly EvidenceCheck[];
  readonly problems: readonly { readonly check: EvidenceCheck; readonly message: string }[];
}

/** What evidence is held against. */
export interface EvidenceSettings {
  /** The sequencer's public keys by version, 32 bytes each. */
  readonly sequencerKeys: ReadonlyMap<number, Uint8Array>;
  /** The roots of the batch, as the verifier knows them from the log itself. Not looked at when absent. */
  readonly knownBatch?: { readonly merkleRoot: Uint8Array; readonly newStateRoot: Uint8Array } | undefined;
  /** Asked whether the batch is anchored. Not asked when absent. */
  readonly anchor?: { readonly contract: string; readonly ethCall: EthCall } | undefined;
}

/**
 * Verifies evidence without asking the sequencer. Only an anchor check leaves the machine, through the function that it is given.
 *
 * @throws what `ethCall` throws
 */
export async function verifyEvidence(evidence: unknown, settings: EvidenceSettings): Promise<EvidenceVerdict> {
  const parsed = evidenceForm.safeParse(evidence);
  const envelope = parsed.success ? envelopeSchema.safeParse(parsed.data.event) : undefined;
  if (!parsed.success || !envelope?.success) {
    const message = "the evidence is malformed";
    return { valid: false, passed: [], problems: [{ check: "content", message }] };
  }
  const held: Held = { evidence: parsed.data, event: envelope.data, settings };
  const { anchor } = settings;
  const checks: [EvidenceCheck, Check][] = [
    ["content", ({ event }) => envelopeProblem(event)?.message],
    ["signature", signedProblem],
    ["receipt", promisedProblem],
    ["inclusion", inclusionProblem],
    ["stateRoot", stateRootProblem],
  ];
  if (settings.knownBatch !== undefined) checks.push(["log", logProblem]);
  if (anchor !== undefined) checks.push(["anchor", () => anchorProblem(held, anchor.contract, anchor.ethCall)]);
  const results = await Promise.all(
    checks.map(async ([check, problem]) => ({ check, message: await messageOf(() => problem(held)) })),
  );
  const problems = results.flatMap(({ check, message }) => (message === undefined ? [] : [{ check, message }]));
  const passed = results.filter(({ message }) => message === undefined).map(({ check }) => check);
  return { valid: problems.length === 0, passed, problems };
}

/** What is wrong, or `undefined`. */
type Check = (held: Held) => Promise<string | undefined> | string | undefined;

interface Held {
  readonly evidence: Evidence;
  readonly event: Envelope;
  readonly settings: EvidenceSettings;
}

/** A value that is out of its domain proves nothing either. */
async function messageOf(check: () => ReturnType<Check>): Promise<string | undefined> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof VesError) return error.message;
    throw error;
  }
}

async function signedProblem({ evidence: { directory, receipt }, event, settings }: Held): Promise<string | undefined> {
  const { source_agent_id: agentId, tenant_id: tenantId, agent_key_id: keyId } = event;
  const untrusted = await directoryFault(directory, { tenantId, agentId }, settings.sequencerKeys);
  if (untrusted !== undefined) return `the key directory: ${untrusted.message}`;
  const { key, problem } = keyAt(directory, keyId, receipt.sequencedAt);
  if (key === undefined || problem !== undefined) return problem ?? "the key is in no directory";
  return (await signatureProblem(event, key.publicKey))?.message;
}

async function promisedProblem({ evidence: { receipt }, event, settings }: Held): Promise<string | undefined> {
  const subject = { ...streamOf(event), eventId: event.event_id, eventSigningHash: eventSigningHash(event) };
  const key = settings.sequencerKeys.get(receipt.sequencerKeyVersion);
  const problem = await receiptProblem(subject, receipt, key);
  return problem === undefined ? undefined : `the receipt ${problem}`;
}

function inclusionProblem({ evidence: { inclusion, receipt }, event }: Held): string | undefined {
  if (inclusion.sequence_number !== receipt.sequenceNumber) return "the proof is for another number than the receipt";
  if (inclusion.leaf_count !== inclusion.sequence_end - inclusion.sequence_start + 1) {
    return "the batch does not hold as many events as it has numbers";
  }
  const isThere = verifyInclusionStrict({
    leafHash: leafHash({ ...streamOf(event), ...leafPartsOf(event, inclusion.sequence_number) }),
    leafIndex: inclusion.sequence_number - inclusion.sequence_start,
    leafCount: inclusion.leaf_count,
    path: inclusion.proof_path.map((hash) => fromHex(hash, 32)),
    root: fromHex(inclusion.merkle_root, 32),
  });
  return isThere ? undefined : "the path does not lead from this event to the batch's root";
}

function stateRootProblem({ evidence: { inclusion }, event }: Held): string | undefined {
  const root = stateRoot({
    ...streamOf(event),
    prevStateRoot: fromHex(inclusion.prev_state_root, 32),
    merkleRoot: fromHex(inclusion.merkle_root, 32),
    sequenceStart: inclusion.sequence_start,
    sequenceEnd: inclusion.sequence_end,
    leafCount: inclusion.leaf_count,
  });
  return equalBytes(root, fromHex(inclusion.new_state_root, 32)) ? undefined : "the state root does not follow";
}

function logProblem({ evidence: { inclusion }, settings: { knownBatch } }: Held): string | undefined {
  const isSame =
    knownBatch !== undefined &&
    equalBytes(fromHex(inclusion.merkle_root, 32), knownBatch.merkleRoot) &&
    equalBytes(fromHex(inclusion.new_state_root, 32), knownBatch.newStateRoot);
  return isSame ? undefined : "the log that was pulled has another batch there";
}

async function anchorProblem(
  { evidence: { inclusion }, event }: Held,
  contract: string,
  ethCall: EthCall,
): Promise<string | undefined> {
  const isThere = await isAnchored(ethCall, contract, {
    batchId: inclusion.batch_id,
    ...leafPartsOf(event, inclusion.sequence_number),
    path: inclusion.proof_path.map((hash) => fromHex(hash, 32)),
  });
  return isThere ? undefined : "the contract does not find the event in an anchored batch";
}

function streamOf(event: Envelope) {
  return { tenantId: event.tenant_id, storeId: event.store_id };
}

function leafPartsOf(event: Envelope, sequenceNumber: number) {
  return { sequenceNumber, eventSigningHash: eventSigningHash(event), agentSignature: event.agent_signature };
}

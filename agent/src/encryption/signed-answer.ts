import type { z } from "zod";
import {
  fromHex,
  isRfc3339,
  type JsonObject,
  type JsonValue,
  verifyEd25519,
  VesError,
} from "../../../src/ves/index.ts";
import { EncryptionError } from "./errors.ts";

/** Whose keys are asked for. */
export interface AgentRef {
  readonly tenantId: string;
  readonly agentId: string;
}

/** What the sequencer signs a directory with, and how old an answer may be. */
export interface SequencerTrust {
  /** Its Ed25519 keys, 32 bytes each. They are to be known from elsewhere: what it says of itself binds it to nothing. */
  readonly sequencerKeys: readonly Uint8Array[];
  /** Milliseconds since the epoch; the clock's unless given. */
  readonly now?: number;
}

/** A replayed answer hides a revocation for this long at most. Clocks may be apart by as much. */
const MAX_AGE_MS = 5 * 60_000;

/**
 * An answer of one of the sequencer's directories, once its signature, its subject and its age are checked.
 *
 * @param hash what the sequencer signs over the answer without `directorySignature`
 * @throws EncryptionError `malformed_directory`, `wrong_directory`, `directory_signature_invalid`, `directory_stale`
 */
export async function checkedAnswer<Schema extends z.ZodType>(
  answer: JsonValue,
  schema: Schema,
  hash: (body: JsonObject) => Uint8Array,
  agent: AgentRef,
  { sequencerKeys, now = Date.now() }: SequencerTrust,
): Promise<z.output<Schema>> {
  const body = objectOf(answer);
  await requireSigned(body, hash, agent, sequencerKeys);
  requireLive(body, now);
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw malformed("its keys are not of the expected form");
  return parsed.data;
}

/**
 * Whether an answer is about this agent and signed by the sequencer, at whatever time.
 *
 * @param hash what the sequencer signs over the answer without `directorySignature`
 * @throws EncryptionError `malformed_directory`, `wrong_directory`, `directory_signature_invalid`
 */
export async function requireSigned(
  { directorySignature, ...signed }: JsonObject,
  hash: (body: JsonObject) => Uint8Array,
  { tenantId, agentId }: AgentRef,
  sequencerKeys: readonly Uint8Array[],
): Promise<void> {
  if (signed["tenantId"] !== tenantId || signed["agentId"] !== agentId) {
    throw new EncryptionError("wrong_directory", "the answer is about another agent");
  }
  const signature = hexOf(directorySignature, 64);
  const digest = hashed(() => hash(signed));
  const verdicts = await Promise.all(sequencerKeys.map((key) => verifyEd25519(key, digest, signature)));
  if (!verdicts.includes(true)) {
    throw new EncryptionError("directory_signature_invalid", "the answer is not signed by the sequencer");
  }
}

/**
 * Whether an answer was signed just now. An old one, kept by somebody, hides what was revoked since.
 *
 * @param now milliseconds since the epoch
 * @throws EncryptionError `malformed_directory`, `directory_stale`
 */
export function requireLive(signed: JsonObject, now: number): void {
  const ageMs = now - timeOf(signed["signedAt"]);
  if (Math.abs(ageMs) <= MAX_AGE_MS) return;
  const seconds = Math.round(Math.abs(ageMs) / 1_000);
  const when = ageMs > 0 ? `${seconds} s ago` : `${seconds} s from now`;
  throw new EncryptionError("directory_stale", `the answer was signed ${when}, by this machine's clock`);
}

/** @throws EncryptionError `malformed_directory` */
function hashed(hash: () => Uint8Array): Uint8Array {
  try {
    return hash();
  } catch (error) {
    if (error instanceof VesError) throw malformed(error.message);
    throw error;
  }
}

/** Milliseconds since the epoch. @throws EncryptionError `malformed_directory` */
export function timeOf(value: JsonValue | undefined): number {
  if (typeof value !== "string" || !isRfc3339(value)) throw malformed("a time is not of the expected form");
  return Date.parse(value);
}

/** @throws EncryptionError `malformed_directory` */
export function hexOf(value: JsonValue | undefined, bytes: number): Uint8Array {
  try {
    if (typeof value === "string") return fromHex(value, bytes);
  } catch {
    // Reported below.
  }
  throw malformed(`expected ${bytes} bytes in hex`);
}

function objectOf(value: JsonValue): JsonObject {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw malformed("it is not an object");
}

function malformed(message: string): EncryptionError {
  return new EncryptionError("malformed_directory", `not a directory's answer: ${message}`);
}

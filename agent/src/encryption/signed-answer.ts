import type { z } from "zod";
import { fromHex, isRfc3339, type JsonObject, type JsonValue, verifyEd25519 } from "../../../src/ves/index.ts";
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
  { tenantId, agentId }: AgentRef,
  { sequencerKeys, now = Date.now() }: SequencerTrust,
): Promise<z.output<Schema>> {
  const body = objectOf(answer);
  const { directorySignature, ...signed } = body;
  if (signed["tenantId"] !== tenantId || signed["agentId"] !== agentId) {
    throw new EncryptionError("wrong_directory", "the answer is about another agent");
  }
  const signature = hexOf(directorySignature, 64);
  const digest = hash(signed);
  const verdicts = await Promise.all(sequencerKeys.map((key) => verifyEd25519(key, digest, signature)));
  if (!verdicts.includes(true)) {
    throw new EncryptionError("directory_signature_invalid", "the answer is not signed by the sequencer");
  }
  const signedAt = timeOf(signed["signedAt"]);
  if (Math.abs(now - signedAt) > MAX_AGE_MS) {
    throw new EncryptionError("directory_stale", `the answer was signed ${Math.round((now - signedAt) / 1000)} s ago`);
  }
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw malformed("its keys are not of the expected form");
  return parsed.data;
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

import { z } from "zod";
import {
  envelopeSchema,
  equalBytes,
  eventSigningHash,
  fromHex,
  leafHash,
  stateRoot,
  VesError,
  verifyInclusionStrict,
} from "../../src/ves/index.ts";
import { parseOptions, UsageError } from "../lib/usage.ts";
import type { Command } from "./command.ts";
import { readText, wholeNumber } from "./server-options.ts";

const HELP = `Usage: npm run admin -- verify-proof (--proof FILE | --leaf-hash ... ) [options]

Verifies an inclusion proof by the strict rule of VES 5.3, without asking anybody: the path leads from the leaf to the root, the
leaf is one of the batch, and the path has the tree's depth.

  --proof FILE       the proof as the sequencer gives it, with any member names that it has there; - is standard input
  --leaf-hash HEX    or its parts: the leaf,
  --merkle-root HEX  the root,
  --proof-path HEX,HEX,...
                     the siblings from the leaf to the root,
  --leaf-index N     the leaf's place in the batch, from 0,
  --leaf-count N     and how many events the batch has
  --event FILE       the event, as you signed it or as the sequencer gives it. With it the leaf, and the state root where the
                     proof has one, are derived from the event. Without it, nothing is said about which event the leaf is
  --json             answers {"valid", "checks": {"inclusion", "leaf", "state_root"}}, null for what was not checked
  --help             print this

Exit code 0: it holds, 1: it does not, 2: wrong usage, or no proof.
`;

const hash = z.string().transform((hex, context) => {
  try {
    return fromHex(hex, 32);
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message });
    return z.NEVER;
  }
});

const place = z.int().min(1);

const proofSchema = z.object({
  leaf_hash: hash,
  merkle_root: hash,
  proof_path: z.array(hash),
  leaf_index: z.int().min(0),
  leaf_count: z.int().min(1),
  sequence_start: place.optional(),
  sequence_end: place.optional(),
  prev_state_root: hash.optional(),
  new_state_root: hash.optional(),
});

type Proof = z.output<typeof proofSchema>;
type Event = z.output<typeof envelopeSchema>;

/** Null: not checked. */
interface Checks {
  readonly inclusion: boolean;
  readonly leaf: boolean | null;
  readonly stateRoot: boolean | null;
}

export const verifyProof: Command = {
  summary: "verifies an inclusion proof without asking anybody",
  run: (args) => Promise.resolve(run(args)),
};

function run(args: readonly string[]): number {
  const values = parseOptions(args, {
    proof: { type: "string" },
    "leaf-hash": { type: "string" },
    "merkle-root": { type: "string" },
    "proof-path": { type: "string" },
    "leaf-index": { type: "string" },
    "leaf-count": { type: "string" },
    event: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const proof = values.proof === undefined ? proofOfParts(values) : proofOfFile(values.proof);
  const event = values.event === undefined ? null : eventOfFile(values.event);
  const checks = check(proof, event);
  const isValid = checks.inclusion && checks.leaf !== false && checks.stateRoot !== false;
  const { inclusion, leaf, stateRoot: root } = checks;
  const document = { valid: isValid, checks: { inclusion, leaf, state_root: root } };
  process.stdout.write(values.json === true ? `${JSON.stringify(document)}\n` : text(proof, checks));
  return isValid ? 0 : 1;
}

function check(proof: Proof, event: Event | null): Checks {
  const { leaf_hash: leaf, leaf_index: leafIndex, leaf_count: leafCount, merkle_root: root } = proof;
  const inclusion = verifyInclusionStrict({ leafHash: leaf, leafIndex, leafCount, path: proof.proof_path, root });
  const start = proof.sequence_start;
  if (event === null) return { inclusion, leaf: null, stateRoot: null };
  if (start === undefined) throw new UsageError("With --event, the proof must have sequence_start.");
  const stream = { tenantId: event.tenant_id, storeId: event.store_id };
  try {
    const own = leafHash({
      ...stream,
      sequenceNumber: start + leafIndex,
      eventSigningHash: eventSigningHash(event),
      agentSignature: event.agent_signature,
    });
    const { prev_state_root: prevStateRoot, new_state_root: newStateRoot } = proof;
    if (prevStateRoot === undefined || newStateRoot === undefined) {
      return { inclusion, leaf: equalBytes(own, leaf), stateRoot: null };
    }
    const sequenceEnd = proof.sequence_end ?? start + leafCount - 1;
    const after = stateRoot({
      ...stream,
      prevStateRoot,
      merkleRoot: root,
      sequenceStart: start,
      sequenceEnd,
      leafCount,
    });
    return { inclusion, leaf: equalBytes(own, leaf), stateRoot: equalBytes(after, newStateRoot) };
  } catch (error) {
    // Members out of their domain are those of no event and of no batch.
    if (error instanceof VesError) return { inclusion, leaf: false, stateRoot: false };
    throw error;
  }
}

function proofOfFile(path: string): Proof {
  const given = snakeNames(jsonOf("--proof", path));
  return parsed("--proof", proofSchema, { ...given, merkle_root: given["merkle_root"] ?? given["events_root"] });
}

function proofOfParts(values: Readonly<Record<string, string | boolean | undefined>>): Proof {
  const part = (name: string): string => {
    const value = values[name];
    if (typeof value !== "string") throw new UsageError(`Give --proof, or --${name} with the other parts.`);
    return value;
  };
  const path = part("proof-path");
  return parsed("The proof", proofSchema, {
    leaf_hash: part("leaf-hash"),
    merkle_root: part("merkle-root"),
    proof_path: path === "" ? [] : path.split(","),
    leaf_index: wholeNumber("--leaf-index", part("leaf-index"), 0),
    leaf_count: wholeNumber("--leaf-count", part("leaf-count"), 1),
  });
}

/** The event itself, or whatever the sequencer wraps it in. */
function eventOfFile(path: string): Event {
  const given = jsonOf("--event", path);
  return parsed("--event", envelopeSchema, given["envelope"] ?? given);
}

function parsed<Schema extends z.ZodType>(what: string, schema: Schema, given: unknown): z.output<Schema> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new UsageError(`${what}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}.`);
}

function jsonOf(option: string, path: string): Readonly<Record<string, unknown>> {
  const given = readText(option, path);
  try {
    const value: unknown = JSON.parse(given);
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // Said below.
  }
  throw new UsageError(`${option}: ${path} does not hold a JSON object.`);
}

/** Receipts carry their proofs with names in camelCase. */
function snakeNames(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [snake(name), value]));
}

function text({ leaf_index: index, leaf_count: count }: Proof, checks: Checks): string {
  const lines = [
    checks.inclusion
      ? `The path leads from leaf ${index} of ${count} to the root.`
      : `The path does not lead from leaf ${index} of ${count} to the root.`,
  ];
  if (checks.leaf !== null) lines.push(checks.leaf ? "The leaf is the event's." : "The leaf is not the event's.");
  if (checks.stateRoot !== null) {
    lines.push(checks.stateRoot ? "The state root follows from the batch." : "The state root is not the batch's.");
  }
  return `${lines.join("\n")}\n`;
}

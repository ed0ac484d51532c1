import type { AgentIdentity } from "../../agent/src/signer.ts";
import type { StreamRef } from "../../agent/src/store/store.ts";
import type { Transport, TransportReply, TransportRequest } from "../../agent/src/transport.ts";
import {
  envelopeSchema,
  eventSigningHash,
  fromHex,
  generateSeed,
  encryptionKeyDirectoryHash,
  inclusionPath,
  type JsonObject,
  keyDirectoryHash,
  leafHash,
  merkleTree,
  type MerkleTree,
  receiptHash,
  type SigningKey,
  signingKeyFromSeed,
  stateRoot,
  to0xHex,
  toHex,
  type WireEnvelope,
  ZERO_32,
} from "../../src/ves/index.ts";

/*
 * A sequencer in memory, for tests of agents: it answers as the real one does, and does whatever harm a test asks for.
 */

type Loose<T> = { -readonly [Member in keyof T]: T[Member] };

/** An event of the model's log, which a test may alter. */
export type ModelEvent = Loose<WireEnvelope> & { sequence_number: number; sequenced_at: string };

interface ModelBatch {
  batch_id: string;
  merkle_root: string;
  prev_state_root: string;
  new_state_root: string;
  sequence_start: number;
  sequence_end: number;
  readonly tree: MerkleTree;
}

/** What becomes of a request. Absent: it is answered. */
export type Interference =
  /** It never arrives. */
  | "cut"
  /** It is done, and the answer is lost. */
  | "answer lost"
  /** Something else is answered, and nothing done. */
  | { readonly status: number; readonly code: string; readonly retryAfter?: string }
  /** Something on the way answers in the sequencer's place. */
  | { readonly status: number; readonly foreign: string }
  /** Its answer is altered. */
  | ((answer: JsonObject) => unknown);

export interface ModelSequencer {
  readonly transport: Transport;
  readonly log: ModelEvent[];
  readonly batches: ModelBatch[];
  /** The sequencer's keys by version; the last one signs. */
  readonly keys: Map<number, SigningKey>;
  /** Why events are rejected, by their event type. */
  readonly rejections: Map<string, string>;
  /** Ids of agents' keys under which nothing is accepted. */
  readonly refusedKeys: Set<number>;
  /** Requests that arrived or should have, as `POST /path`. */
  readonly requests: string[];
  /** Ids of the events of each ingest request. */
  readonly pushed: string[][];
  interfere: (request: TransportRequest) => Interference | undefined;
  readonly register: (identity: AgentIdentity, key: SigningKey, members?: JsonObject) => void;
  readonly seal: (count?: number) => void;
}

const SEQUENCER_ID = "00000000-0000-8000-8000-000000000001";
const START = Date.parse("2026-01-01T00:00:00Z");

interface Reply {
  readonly status: number;
  readonly answer: unknown;
}

export async function modelSequencer(stream: StreamRef): Promise<ModelSequencer> {
  const directories = new Map<string, JsonObject[]>();
  const encryptionKeys = new Map<string, JsonObject[]>();
  const versions = new Map<string, number>();
  const commands = new Set<string>();

  const model: ModelSequencer = {
    log: [],
    batches: [],
    keys: new Map([[1, await signingKeyFromSeed(generateSeed())]]),
    rejections: new Map(),
    refusedKeys: new Set(),
    requests: [],
    pushed: [],
    interfere: () => undefined,
    register: ({ agentId, keyId }, { publicKey }, members = {}) => {
      const none = { validFrom: null, validTo: null, revokedAt: null };
      const key = { keyId, algorithm: "ed25519", publicKey: to0xHex(publicKey), ...none, ...members };
      directories.set(agentId, [...(directories.get(agentId) ?? []), key]);
    },
    seal: (count = model.log.length) => seal(model, stream, count),
    transport: {
      send: async (request): Promise<TransportReply> => {
        request.signal.throwIfAborted();
        model.requests.push(`${request.method} ${request.path.split("?", 1)[0]}`);
        const interference = model.interfere(request);
        if (interference === "cut") throw new TypeError("fetch failed");
        if (typeof interference === "object") {
          const { status } = interference;
          if ("foreign" in interference) return { status, retryAfter: null, body: interference.foreign };
          const { code, retryAfter = null } = interference;
          return { status, retryAfter, body: JSON.stringify(errorAnswer(code, `is ${code}`)) };
        }
        const { status, answer } = await handle(request);
        if (interference === "answer lost") throw new TypeError("fetch failed");
        const given = interference === undefined ? answer : interference(structuredClone(answer) as JsonObject);
        return { status, retryAfter: null, body: JSON.stringify(given) };
      },
    },
  };

  async function handle({ method, path, body, signal }: TransportRequest): Promise<Reply> {
    const url = new URL(path, "https://model.test");
    const last = url.pathname.split("/").at(-1) ?? "";
    const query = (name: string): number => Number(url.searchParams.get(name) ?? 0);
    if (url.pathname === "/api/v1/ves/events/ingest") return ok(await ingest(JSON.parse(body ?? "")));
    if (url.pathname === "/api/v1/sequencer/keys") return ok(keysAnswer(model));
    const agentId = url.pathname.split("/")[4] ?? "";
    if (url.pathname.endsWith("/signing-keys")) {
      return ok(await directoryAnswer(agentId, directories.get(agentId) ?? [], keyDirectoryHash));
    }
    if (url.pathname.endsWith("/encryption-keys")) {
      const listed = encryptionKeys.get(agentId) ?? [];
      if (method === "GET") return ok(await directoryAnswer(agentId, listed, encryptionKeyDirectoryHash));
      encryptionKeys.set(agentId, [
        { validTo: null, revokedAt: null, ...(JSON.parse(body ?? "") as JsonObject) },
        ...listed,
      ]);
      return ok({});
    }
    if (url.pathname === "/api/v1/ves/events") {
      const from = query("from") || query("after") + 1;
      await untilLonger(model, from - 1, query("wait"), signal);
      return ok(page(model, from, query("limit")));
    }
    if (url.pathname === "/api/v1/ves/commitments") return ok(commitments(model, query("before"), query("limit")));
    if (url.pathname.includes("/cursors/")) return ok({ method, acknowledged: JSON.parse(body ?? "").sequenceNumber });
    const event = model.log.find(({ event_id: id }) => id === last);
    if (event === undefined) return missing("EVENT_NOT_FOUND");
    if (url.pathname.includes("/receipts/")) return ok(await receiptOf(model, event));
    if (!url.pathname.includes("/inclusion-proofs/")) return ok({ envelope: event });
    return proof(model, event);
  }

  async function ingest({ events }: { events: WireEnvelope[] }) {
    model.pushed.push(events.map(({ event_id: id }) => id));
    const rejections: JsonObject[] = [];
    const replayed: ModelEvent[] = [];
    const accepted: ModelEvent[] = [];
    for (const event of events) {
      const known = model.log.find(({ event_id: id }) => id === event.event_id);
      if (known?.agent_signature === event.agent_signature) {
        replayed.push(known);
        continue;
      }
      const reason = known === undefined ? reasonAgainst(event) : "duplicate_event_id";
      if (reason !== undefined) {
        rejections.push({ event_id: event.event_id, reason, message: `because of ${reason}` });
        continue;
      }
      const number = model.log.length + 1;
      const sequenced_at = new Date(START + number).toISOString();
      const stored: ModelEvent = { ...event, sequence_number: number, sequenced_at };
      model.log.push(stored);
      accepted.push(stored);
      versions.set(nameOf(event), (versions.get(nameOf(event)) ?? 0) + 1);
      if (event.command_id !== undefined) commands.add(event.command_id);
    }
    return {
      sequenceStart: accepted[0]?.sequence_number ?? null,
      sequenceEnd: accepted.at(-1)?.sequence_number ?? null,
      headSequence: model.log.length,
      rejections,
      receipts: await Promise.all([...replayed, ...accepted].map((event) => receiptOf(model, event))),
    };
  }

  function reasonAgainst(event: WireEnvelope): string | undefined {
    const given = model.rejections.get(event.event_type);
    if (given !== undefined) return given;
    if (model.refusedKeys.has(event.agent_key_id)) return "agent_key_invalid: Agent key has been revoked";
    if (event.command_id !== undefined && commands.has(event.command_id)) return "duplicate_command_id";
    const actual = versions.get(nameOf(event)) ?? 0;
    if (event.base_version === undefined || event.base_version === actual) return undefined;
    return `version_conflict: expected ${event.base_version}, actual ${actual}`;
  }

  async function directoryAnswer(agentId: string, keys: JsonObject[], hash: (body: JsonObject) => Uint8Array) {
    const body = { agentId, tenantId: stream.tenantId, keys, signedAt: new Date().toISOString() };
    const [, key] = current(model);
    return { ...body, directorySignature: to0xHex(await key.sign(hash(body))) };
  }

  return model;
}

function nameOf({ entity_type: type, entity_id: id }: WireEnvelope): string {
  return JSON.stringify([type, id]);
}

function ok(answer: unknown): Reply {
  return { status: 200, answer };
}

function missing(code: string): Reply {
  return { status: 404, answer: errorAnswer(code, "there is none") };
}

function errorAnswer(code: string, message: string): JsonObject {
  return { error: { code, numeric_code: 1, message, request_id: "r" }, code, message };
}

function current({ keys }: ModelSequencer): [number, SigningKey] {
  return [...keys].at(-1) as [number, SigningKey];
}

function keysAnswer({ keys }: ModelSequencer) {
  const all = Array.from(keys, ([key_version, { publicKey }]) => ({ key_version, public_key: toHex(publicKey) }));
  return { sequencer_id: SEQUENCER_ID, keys: all };
}

/** As long polling does. */
async function untilLonger(
  { log }: ModelSequencer,
  after: number,
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  for (const end = Date.now() + seconds * 1_000; log.length <= after && Date.now() < end;) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function page({ log }: ModelSequencer, from: number, limit: number) {
  const events = log.slice(from - 1, from - 1 + limit).map((envelope) => ({ envelope }));
  const next = from + events.length;
  return { events, next_sequence: next, head_sequence: log.length, has_more: next <= log.length };
}

function commitments({ batches }: ModelSequencer, before: number, limit: number) {
  const earlier = batches.filter(({ sequence_start: start }) => start < before).toReversed();
  const rows = earlier.slice(0, limit).map(({ tree: _tree, ...batch }) => batch);
  const hasMore = earlier.length > rows.length;
  return { commitments: rows, has_more: hasMore, next_before: hasMore ? (rows.at(-1)?.sequence_start ?? null) : null };
}

async function receiptOf(model: ModelSequencer, event: ModelEvent) {
  const [version, key] = current(model);
  const hash = receiptHash({
    tenantId: event.tenant_id,
    storeId: event.store_id,
    eventId: event.event_id,
    sequenceNumber: event.sequence_number,
    eventSigningHash: eventSigningHash(envelopeSchema.parse(event)),
  });
  return {
    sequencerId: SEQUENCER_ID,
    eventId: event.event_id,
    sequenceNumber: event.sequence_number,
    sequencedAt: event.sequenced_at,
    receiptHash: toHex(hash),
    signatureAlg: "ed25519",
    sequencerSignature: toHex(await key.sign(hash)),
    sequencerKeyVersion: version,
  };
}

function leafOf(stream: StreamRef, event: ModelEvent): Uint8Array {
  return leafHash({
    ...stream,
    sequenceNumber: event.sequence_number,
    eventSigningHash: eventSigningHash(envelopeSchema.parse(event)),
    agentSignature: fromHex(event.agent_signature, 64),
  });
}

function seal(model: ModelSequencer, stream: StreamRef, count: number): void {
  const before = model.batches.at(-1);
  const sequenceStart = (before?.sequence_end ?? 0) + 1;
  const sequenceEnd = Math.min(model.log.length, sequenceStart + count - 1);
  const events = model.log.slice(sequenceStart - 1, sequenceEnd);
  const tree = merkleTree(events.map((event) => leafOf(stream, event)));
  const prevStateRoot = before === undefined ? ZERO_32 : fromHex(before.new_state_root);
  const chained = { prevStateRoot, merkleRoot: tree.root, sequenceStart, sequenceEnd, leafCount: events.length };
  model.batches.push({
    batch_id: crypto.randomUUID(),
    merkle_root: toHex(tree.root),
    prev_state_root: toHex(prevStateRoot),
    new_state_root: toHex(stateRoot({ ...stream, ...chained })),
    sequence_start: sequenceStart,
    sequence_end: sequenceEnd,
    tree,
  });
}

function proof({ batches }: ModelSequencer, { sequence_number: number }: ModelEvent): Reply {
  const found = batches.find(({ sequence_start: start, sequence_end: end }) => start <= number && number <= end);
  if (found === undefined) return missing("NOT_YET_SEALED");
  const { tree, ...batch } = found;
  const index = number - batch.sequence_start;
  return ok({
    ...batch,
    sequence_number: number,
    leaf_hash: toHex(tree.levels[0]?.[index] ?? ZERO_32),
    leaf_index: index,
    leaf_count: batch.sequence_end - batch.sequence_start + 1,
    proof_path: inclusionPath(tree, index).map(toHex),
  });
}

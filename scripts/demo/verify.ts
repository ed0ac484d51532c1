import {
  canonicalJson,
  contentProblem,
  type Envelope,
  envelopeSchema,
  fromHex,
  type JsonObject,
  keyDirectoryHash,
  type Receipt,
  signatureProblem,
  verifyEd25519,
  verifyReceipt,
  type WireEnvelope,
} from "../../src/ves/index.ts";
import { call, type Server } from "../lib/client.ts";
import type { Agents, Stream } from "./agents.ts";
import type { Outgoing } from "./outbox.ts";

/*
 * Verification as anybody outside could do it: with the public keys and the arithmetic of the protocol, and without
 * believing a word of what the server says.
 */

/** Keys by version. */
export type SequencerKeys = ReadonlyMap<number, Uint8Array>;

/** The agents' keys, by agent id and key id: see {@link keyName}. */
export type AgentKeys = ReadonlyMap<string, Uint8Array>;

/** An event as the log gives it back. */
export type LoggedEvent = WireEnvelope & { readonly sequence_number: number; readonly sequenced_at: string };

interface KeyDirectory extends JsonObject {
  agentId: string;
  tenantId: string;
  keys: { keyId: number; publicKey: string }[];
  directorySignature: string;
}

const VERIFIED_AT_ONCE = 64;
const PAGE_SIZE = 500;

export async function sequencerKeys(server: Server): Promise<SequencerKeys> {
  const { keys } = await call<{ keys: { key_version: number; public_key: string }[] }>(
    server,
    "GET",
    "/api/v1/sequencer/keys",
  );
  return new Map(keys.map(({ key_version, public_key }) => [key_version, fromHex(public_key, 32)]));
}

/** Checks each receipt against the event that its agent holds. @throws Error for the first that does not verify */
export async function verifyReceipts(
  outgoing: readonly Outgoing[],
  receipts: ReadonlyMap<string, Receipt>,
  keys: SequencerKeys,
  onVerified: (count: number) => void,
): Promise<void> {
  await inChunks(outgoing, onVerified, async ({ event }) => {
    const receipt = receipts.get(event.event_id);
    if (receipt === undefined) throw new Error(`Event ${event.event_id} was pushed and has no receipt.`);
    const key = keys.get(receipt.sequencerKeyVersion);
    if (key === undefined) throw new Error(`The sequencer publishes no key of version ${receipt.sequencerKeyVersion}.`);
    const verdict = await verifyReceipt(receipt, envelopeSchema.parse(event), key);
    if (!verdict.valid) throw new Error(`The receipt of event ${event.event_id} does not verify: ${verdict.problem}.`);
  });
}

/** The agents' registered keys, from the directories that the sequencer signs. @throws Error */
export async function agentKeys(
  server: Server,
  agents: Agents,
  { tenantId }: Stream,
  sequencer: SequencerKeys,
): Promise<AgentKeys> {
  const keys = new Map<string, Uint8Array>();
  for (const { name, signer } of Object.values(agents)) {
    const path = `/api/v1/agents/${signer.agentId}/signing-keys?tenant_id=${tenantId}`;
    const { directorySignature, ...directory } = await call<KeyDirectory>(server, "GET", path);
    const hash = keyDirectoryHash(directory);
    const signature = fromHex(directorySignature, 64);
    const verdicts = await Promise.all(Array.from(sequencer.values(), (key) => verifyEd25519(key, hash, signature)));
    if (!verdicts.includes(true)) throw new Error(`The key directory of ${name} is not signed by the sequencer.`);
    if (directory.agentId !== signer.agentId || directory.tenantId !== tenantId) {
      throw new Error(`The key directory of ${name} is that of another agent.`);
    }
    for (const { keyId, publicKey } of directory.keys) keys.set(keyName(signer.agentId, keyId), fromHex(publicKey, 32));
  }
  return keys;
}

/**
 * Pulls the log from its first event on and checks all of it: the numbers, every event's payload, hashes and signature,
 * its place as in its receipt, and that it is what was sent. @throws Error for the first thing that is not as it should be
 */
export async function pullAndVerify(
  server: Server,
  { tenantId, storeId }: Stream,
  expected: { readonly outgoing: readonly Outgoing[]; readonly receipts: ReadonlyMap<string, Receipt> },
  keys: AgentKeys,
  onVerified: (count: number) => void,
): Promise<LoggedEvent[]> {
  const sent = new Map(expected.outgoing.map(({ event }) => [event.event_id, event]));
  const log: LoggedEvent[] = [];
  for (let from = 1, hasMore = true; hasMore;) {
    const query = `tenant_id=${tenantId}&store_id=${storeId}&from=${from}&limit=${PAGE_SIZE}`;
    const page = await call<Page>(server, "GET", `/api/v1/ves/events?${query}`);
    const events = page.events.map(({ envelope }) => envelope);
    for (const event of events) {
      log.push(event);
      if (event.sequence_number !== log.length) {
        throw new Error(`The log has a gap: number ${event.sequence_number} stands where ${log.length} should.`);
      }
    }
    await inChunks(events, onVerified, (event) =>
      verifyLogged(event, sent.get(event.event_id), expected.receipts.get(event.event_id), keys),
    );
    from = page.next_sequence;
    hasMore = page.has_more;
  }
  if (log.length !== sent.size) throw new Error(`The log has ${log.length} events; ${sent.size} were accepted.`);
  return log;
}

interface Page {
  readonly events: readonly { readonly envelope: LoggedEvent }[];
  readonly next_sequence: number;
  readonly has_more: boolean;
}

async function verifyLogged(
  logged: LoggedEvent,
  sent: WireEnvelope | undefined,
  receipt: Receipt | undefined,
  keys: AgentKeys,
): Promise<void> {
  const { sequence_number: number, sequenced_at: sequencedAt, ...members } = logged;
  const fail = (what: string): never => {
    throw new Error(`Event ${number} (${logged.event_id}) ${what}.`);
  };
  if (sent === undefined) return fail("was never sent");
  if (canonicalJson(asJson(members)) !== canonicalJson(asJson(sent))) return fail("came back other than it was sent");
  if (receipt?.sequenceNumber !== number || receipt.sequencedAt !== sequencedAt) {
    return fail("does not stand where its receipt says");
  }
  const problem = await eventProblem(envelopeSchema.parse(logged), keys);
  if (problem !== undefined) return fail(`does not verify: ${problem}`);
}

async function eventProblem(event: Envelope, keys: AgentKeys): Promise<string | undefined> {
  const key = keys.get(keyName(event.source_agent_id, event.agent_key_id));
  if (key === undefined) return "its key is in no directory";
  return (contentProblem(event) ?? (await signatureProblem(event, key)))?.message;
}

function keyName(agentId: string, keyId: number): string {
  return `${agentId}/${keyId}`;
}

/** Wire events have no member that JSON could not hold. */
function asJson(event: object): JsonObject {
  return event as JsonObject;
}

async function inChunks<Item>(
  items: readonly Item[],
  onDone: (count: number) => void,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  for (let i = 0; i < items.length; i += VERIFIED_AT_ONCE) {
    const chunk = items.slice(i, i + VERIFIED_AT_ONCE);
    await Promise.all(chunk.map(work));
    onDone(chunk.length);
  }
}

import type { z } from "zod";
import {
  type AgentKey,
  agentKeyProblem,
  fromHex,
  type JsonObject,
  keyDirectoryHash,
  toHex,
  verifyEd25519,
  VesError,
} from "../../src/ves/index.ts";
import { directoryForm, sequencerKeysAnswer } from "./answers.ts";
import type { Api } from "./api.ts";
import { AgentError } from "./errors.ts";
import type { AgentStore, StreamRef } from "./store/store.ts";

/** An agent's keys as the sequencer signs them, to be handed on as they are. */
export type KeyDirectory = z.output<typeof directoryForm>;

/** A key that the sequencer publishes and that is not pinned yet. */
export interface NewSequencerKey {
  readonly version: number;
  /** Hex. */
  readonly publicKey: string;
}

/** What the agent believes of the sequencer's keys. */
export interface TrustSettings {
  /** The sequencer's public keys as hex, by version. When given, no others are believed. */
  readonly sequencerKeys?: Readonly<Record<number, string>>;
  /** Asked before a new key is believed beside those that are pinned. Every one is when absent. */
  readonly approveKey?: (key: NewSequencerKey) => boolean | Promise<boolean>;
}

/** The keys that everything is verified with: the sequencer's, and those of the agents. */
export interface Trust {
  /** Public key by version. @throws AgentError SEQUENCER_KEY_CHANGED, or as the API does */
  sequencerKey(version: number, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /** All that are believed. @throws AgentError SEQUENCER_KEY_CHANGED, or as the API does */
  sequencerKeys(signal?: AbortSignal): Promise<ReadonlyMap<number, Uint8Array>>;
  /**
   * An agent's directory: some minutes old at most, or asked for after this call when `isFresh`.
   *
   * @throws AgentError INVALID_DIRECTORY, or as the API does
   */
  directory(agentId: string, isFresh: boolean, signal?: AbortSignal): Promise<KeyDirectory>;
}

const PINNED = "sequencer_keys";
const DIRECTORY_PREFIX = "key_directory:";

/** After this, a directory is read again: a key may have been revoked since. */
const DIRECTORY_MAX_AGE_MS = 5 * 60_000;

/**
 * A key may be used a little beyond its window: the sequencer's leases outlive a revocation by two seconds, and the time of
 * sequencing is another clock's.
 */
const WINDOW_SLACK_MS = 5_000;

export function createTrust(store: AgentStore, stream: StreamRef, api: Api, settings: TrustSettings): Trust {
  const given = settings.sequencerKeys;
  let keys = keysOfHex(given ?? pinnedSequencerKeys(store, stream));
  const directories = new Map<string, { readonly directory: KeyDirectory; readonly readAt: number }>();
  const readings = new Map<string, Promise<KeyDirectory>>();
  let refreshing: Promise<void> | undefined;

  /** A request's receipts ask for the keys all at once; they are read once. */
  function refresh(signal: AbortSignal | undefined): Promise<void> {
    refreshing ??= readKeys(signal).finally(() => (refreshing = undefined));
    return refreshing;
  }

  async function readKeys(signal: AbortSignal | undefined): Promise<void> {
    const answer = await api.get("/api/v1/sequencer/keys", sequencerKeysAnswer, { signal });
    const published = new Map(answer.keys.map(({ key_version, public_key }) => [key_version, toHex(public_key)]));
    const pinned = new Map(
      Object.entries(pinnedSequencerKeys(store, stream)).map(([version, key]) => [Number(version), key]),
    );
    checkKeyChange(pinned, published);
    const added = Array.from(published, ([version, publicKey]) => ({ version, publicKey })).filter(
      ({ version }) => !pinned.has(version),
    );
    for (const key of added) {
      const isFirstUse = pinned.size === 0;
      if (isFirstUse || settings.approveKey === undefined || (await settings.approveKey(key))) continue;
      throw new AgentError("SEQUENCER_KEY_CHANGED", `The sequencer's key of version ${key.version} was not approved`);
    }
    const all = Object.fromEntries([...pinned, ...published]);
    store.transaction(stream, (tables) => tables.setState(PINNED, JSON.stringify(all)));
    keys = keysOfHex(pinnedSequencerKeys(store, stream));
  }

  const sequencerKeys = async (signal?: AbortSignal): Promise<ReadonlyMap<number, Uint8Array>> => {
    if (keys.size === 0) await refresh(signal);
    return keys;
  };

  async function readDirectory(agentId: string, signal: AbortSignal | undefined): Promise<KeyDirectory> {
    const path = `/api/v1/agents/${agentId}/signing-keys?tenant_id=${stream.tenantId}`;
    const directory = await api.get(path, directoryForm, { signal });
    let problem = await directoryProblem(directory, agentId, stream.tenantId, await sequencerKeys(signal));
    if (problem !== undefined && given === undefined) {
      // It may be signed by a key that is newer than those that are pinned.
      await refresh(signal);
      problem = await directoryProblem(directory, agentId, stream.tenantId, keys);
    }
    if (problem !== undefined) throw new AgentError("INVALID_DIRECTORY", problem);
    const read = { directory, readAt: Date.now() };
    directories.set(agentId, read);
    store.transaction(stream, (tables) => tables.setState(DIRECTORY_PREFIX + agentId, JSON.stringify(read)));
    return directory;
  }

  return {
    sequencerKeys,
    sequencerKey: async (version, signal) => {
      const known = (await sequencerKeys(signal)).get(version);
      if (known !== undefined || given !== undefined) return known;
      await refresh(signal);
      return keys.get(version);
    },
    directory: async (agentId, isFresh, signal) => {
      if (isFresh) return readDirectory(agentId, signal);
      const kept = directories.get(agentId) ?? storedDirectory(store, stream, agentId);
      if (kept !== undefined && Date.now() - kept.readAt <= DIRECTORY_MAX_AGE_MS) {
        directories.set(agentId, kept);
        return kept.directory;
      }
      // A page of events asks for one directory as often as it has events of its agent; it is read once.
      const reading = readings.get(agentId) ?? readDirectory(agentId, signal).finally(() => readings.delete(agentId));
      readings.set(agentId, reading);
      return reading;
    },
  };
}

/** The sequencer's keys that were believed on first use and since, as hex by version. */
export function pinnedSequencerKeys(store: AgentStore, stream: StreamRef): Readonly<Record<number, string>> {
  const text = store.transaction(stream, (tables) => tables.state(PINNED));
  return JSON.parse(text ?? "{}") as Record<number, string>;
}

/** Keys as bytes, by version. */
export function keysOfHex(keys: Readonly<Record<number, string>>): ReadonlyMap<number, Uint8Array> {
  return new Map(Object.entries(keys).map(([version, hex]) => [Number(version), fromHex(hex, 32)]));
}

/**
 * Both as hex by version.
 *
 * @throws AgentError SEQUENCER_KEY_CHANGED
 */
export function checkKeyChange(pinned: ReadonlyMap<number, string>, published: ReadonlyMap<number, string>): void {
  for (const [version, key] of pinned) {
    const now = published.get(version);
    if (now === undefined || now === key) continue;
    throw new AgentError(
      "SEQUENCER_KEY_CHANGED",
      `The sequencer's key of version ${version} is another than was pinned`,
    );
  }
  // A rotation publishes the old key beside the new one for a while; a stranger has none of those that are pinned.
  if (pinned.size > 0 && !Array.from(pinned.keys()).some((version) => published.has(version))) {
    throw new AgentError("SEQUENCER_KEY_CHANGED", "The sequencer publishes none of the keys that were pinned");
  }
}

function storedDirectory(store: AgentStore, stream: StreamRef, agentId: string) {
  const text = store.transaction(stream, (tables) => tables.state(DIRECTORY_PREFIX + agentId));
  return text === undefined
    ? undefined
    : (JSON.parse(text) as { readonly directory: KeyDirectory; readonly readAt: number });
}

/** Why a directory is not to be believed, or `undefined` (VES 3.5). */
export async function directoryProblem(
  { directorySignature, ...body }: KeyDirectory,
  agentId: string,
  tenantId: string,
  sequencerKeys: ReadonlyMap<number, Uint8Array>,
): Promise<string | undefined> {
  if (body.agentId !== agentId || body.tenantId !== tenantId) return "The key directory is that of another agent";
  try {
    const hash = keyDirectoryHash(body as unknown as JsonObject);
    const signature = fromHex(directorySignature, 64);
    const checks = Array.from(sequencerKeys.values(), (key) => verifyEd25519(key, hash, signature));
    return (await Promise.all(checks)).includes(true) ? undefined : "The key directory is not signed by the sequencer";
  } catch (error) {
    if (error instanceof VesError) return `The key directory is malformed: ${error.message}`;
    throw error;
  }
}

/** Finds the key that signed an event, and why it might not have. */
export function keyAt(
  directory: KeyDirectory,
  keyId: number,
  sequencedAt: string,
): { readonly key: AgentKey | undefined; readonly problem: string | undefined } {
  const listed = directory.keys.find((candidate) => candidate.keyId === keyId);
  if (listed === undefined) return { key: undefined, problem: agentKeyProblem(undefined, 0) };
  const at = Date.parse(sequencedAt);
  const key: AgentKey = {
    keyId,
    publicKey: fromHex(listed.publicKey, 32),
    validFrom: instant(listed.validFrom, -WINDOW_SLACK_MS),
    validTo: instant(listed.validTo, WINDOW_SLACK_MS),
    revokedAt: instant(listed.revokedAt, WINDOW_SLACK_MS),
  };
  return { key, problem: Number.isNaN(at) ? "sequenced_at is no time" : agentKeyProblem(key, at) };
}

function instant(text: string | null | undefined, slackMs: number): number | null {
  return text == null ? null : Date.parse(text) + slackMs;
}

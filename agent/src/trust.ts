import { z } from "zod";
import {
  type AgentKey,
  agentKeyProblem,
  fromHex,
  type JsonObject,
  keyDirectoryHash,
  toHex,
} from "../../src/ves/index.ts";
import { directoryForm, sequencerKeysAnswer } from "./answers.ts";
import type { Api } from "./api.ts";
import { EncryptionError } from "./encryption/errors.ts";
import { type AgentRef, requireLive, requireSigned } from "./encryption/signed-answer.ts";
import { AgentError } from "./errors.ts";
import { readSequencerKey } from "./sequencer-key-text.ts";
import type { AgentStore, StreamRef } from "./store/store.ts";
import { unlessAborted } from "./unless-aborted.ts";

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
  /** The sequencer's public keys as hex, by version, at least one. When given, no others are believed. */
  readonly sequencerKeys?: Readonly<Record<number, string>>;
  /** Asked before a new key is believed beside those that are pinned. None is when absent. */
  readonly approveKey?: (key: NewSequencerKey) => boolean | Promise<boolean>;
}

/** The keys that everything is verified with: the sequencer's, and those of the agents. */
export interface Trust {
  /** Public key by version. @throws AgentError SEQUENCER_KEY_CHANGED, SEQUENCER_KEY_NOT_APPROVED, or as the API does */
  sequencerKey(version: number, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /** All that are believed. @throws AgentError SEQUENCER_KEY_CHANGED, or as the API does */
  sequencerKeys(signal?: AbortSignal): Promise<ReadonlyMap<number, Uint8Array>>;
  /**
   * An agent's directory: read some minutes ago at most, or after this call when `isFresh`; and signed just before it was read.
   *
   * @throws AgentError INVALID_DIRECTORY, SEQUENCER_KEY_CHANGED, SEQUENCER_KEY_NOT_APPROVED, or as the API does
   */
  directory(agentId: string, isFresh: boolean, signal?: AbortSignal): Promise<KeyDirectory>;
}

/** A directory as it is kept in the store, with the time when it was read. */
const keptDirectory = z.object({ directory: directoryForm, readAt: z.int() });

type KeptDirectory = z.output<typeof keptDirectory>;

/** Why keys that are published are not believed. */
type Refused = AgentError | undefined;

const PINNED = "sequencer_keys";
const DIRECTORY_PREFIX = "key_directory:";

/** After this, a directory is read again: a key may have been revoked since. */
const DIRECTORY_MAX_AGE_MS = 5 * 60_000;

/**
 * A key may be used a little beyond its window: the sequencer's leases outlive a revocation by two seconds, and the time of
 * sequencing is another clock's.
 */
const WINDOW_SLACK_MS = 5_000;

/**
 * @param closing ends what is read for several callers at once; the signal of each ends its own wait alone
 * @throws AgentError INVALID_OPTIONS; Error when the store cannot be read
 */
export function createTrust(
  store: AgentStore,
  stream: StreamRef,
  api: Api,
  settings: TrustSettings,
  closing: AbortSignal,
): Trust {
  const given = settings.sequencerKeys;
  let keys = keysOfHex(given === undefined ? pinnedSequencerKeys(store, stream) : checkedKeys(given));
  const directories = new Map<string, KeptDirectory>();
  const readings = new Map<string, Promise<KeyDirectory>>();
  let refreshing: Promise<Refused> | undefined;

  /** A request's receipts ask for the keys all at once; they are read once. */
  function refresh(signal: AbortSignal | undefined): Promise<Refused> {
    refreshing ??= readKeys().finally(() => (refreshing = undefined));
    return unlessAborted(refreshing, signal);
  }

  /**
   * Pins what the sequencer publishes when nothing is pinned yet, and later only what is approved: who stands in the sequencer's
   * place can publish the pinned keys, which are no secret, with one of its own beside them.
   *
   * @throws AgentError SEQUENCER_KEY_CHANGED, or as the API does
   */
  async function readKeys(): Promise<Refused> {
    const answer = await api.get("/api/v1/sequencer/keys", sequencerKeysAnswer, { signal: closing });
    const published = new Map(answer.keys.map(({ key_version, public_key }) => [key_version, toHex(public_key)]));
    const pinned = byVersion(pinnedSequencerKeys(store, stream));
    const added = newSequencerKeys(pinned, published);
    const approved: NewSequencerKey[] = [];
    for (const key of added) {
      if (pinned.size === 0 || (await settings.approveKey?.(key)) === true) approved.push(key);
    }
    keys = keysOfHex(pinSequencerKeys(store, stream, approved));
    const refused = added.filter((key) => !approved.includes(key));
    if (refused.length === 0) return undefined;
    const names = refused.map(({ version, publicKey }) => `${version}=${publicKey}`).join(", ");
    const message =
      `The sequencer shows a new key that is not believed: ${names}. Ask its operator whether it is theirs; ` +
      "then trust.approveKey may say yes to it, or stateset-sync keys trust VERSION=KEY";
    return new AgentError("SEQUENCER_KEY_NOT_APPROVED", message);
  }

  const sequencerKeys = async (signal?: AbortSignal): Promise<ReadonlyMap<number, Uint8Array>> => {
    if (keys.size > 0) return keys;
    const refused = await refresh(signal);
    if (refused !== undefined && keys.size === 0) throw refused;
    return keys;
  };

  async function readDirectory(agentId: string, signal: AbortSignal | undefined): Promise<KeyDirectory> {
    const path = `/api/v1/agents/${agentId}/signing-keys?tenant_id=${stream.tenantId}`;
    const directory = await api.get(path, directoryForm, { signal });
    const agent = { tenantId: stream.tenantId, agentId };
    let fault = await directoryFault(directory, agent, await sequencerKeys(signal), Date.now());
    if (fault?.code === "directory_signature_invalid" && given === undefined) {
      // It may be signed by a key that is newer than those that are pinned.
      const refused = await refresh(signal);
      fault = await directoryFault(directory, agent, keys, Date.now());
      if (fault?.code === "directory_signature_invalid" && refused !== undefined) throw refused;
    }
    if (fault !== undefined) {
      throw new AgentError("INVALID_DIRECTORY", `The keys of agent ${agentId}: ${fault.message}`, { cause: fault });
    }
    const read: KeptDirectory = { directory, readAt: Date.now() };
    directories.set(agentId, read);
    store.transaction(stream, (tables) => tables.setState(DIRECTORY_PREFIX + agentId, JSON.stringify(read)));
    return directory;
  }

  async function findDirectory(agentId: string): Promise<KeyDirectory> {
    const kept = await storedDirectory(agentId);
    if (kept === undefined) return readDirectory(agentId, closing);
    directories.set(agentId, kept);
    return kept.directory;
  }

  /** What the store holds is believed as far as an answer would be that came when it was read: others may write to the file. */
  async function storedDirectory(agentId: string): Promise<KeptDirectory | undefined> {
    const text = store.transaction(stream, (tables) => tables.state(DIRECTORY_PREFIX + agentId));
    const kept = keptDirectory.safeParse(JSON.parse(text ?? "null")).data;
    if (kept === undefined || !isRecent(kept)) return undefined;
    const agent = { tenantId: stream.tenantId, agentId };
    return (await directoryFault(kept.directory, agent, keys, kept.readAt)) === undefined ? kept : undefined;
  }

  return {
    sequencerKeys,
    sequencerKey: async (version, signal) => {
      const known = (await sequencerKeys(signal)).get(version);
      if (known !== undefined || given !== undefined) return known;
      const refused = await refresh(signal);
      const key = keys.get(version);
      if (key === undefined && refused !== undefined) throw refused;
      return key;
    },
    directory: async (agentId, isFresh, signal) => {
      if (isFresh) return readDirectory(agentId, signal);
      const known = directories.get(agentId);
      if (known !== undefined && isRecent(known)) return known.directory;
      // A page of events asks for one directory as often as it has events of its agent; it is read once.
      const reading = readings.get(agentId) ?? findDirectory(agentId).finally(() => readings.delete(agentId));
      readings.set(agentId, reading);
      return unlessAborted(reading, signal);
    },
  };
}

/**
 * Keys that are to be the only ones believed. Without any, whatever the sequencer shows would be.
 *
 * @throws AgentError INVALID_OPTIONS
 */
function checkedKeys(given: Readonly<Record<number, string>>): Readonly<Record<number, string>> {
  const keys = Object.entries(given).map(([version, key]) => readSequencerKey(`${version}=${key}`));
  const read = keys.filter((key) => key !== undefined);
  if (read.length > 0 && read.length === keys.length) return Object.fromEntries(read);
  const message = "trust.sequencerKeys: expected at least one key, and of each its version and 64 hex digits";
  throw new AgentError("INVALID_OPTIONS", message);
}

/** The sequencer's keys that were believed on first use and approved since, as hex by version. */
export function pinnedSequencerKeys(store: AgentStore, stream: StreamRef): Readonly<Record<number, string>> {
  const text = store.transaction(stream, (tables) => tables.state(PINNED));
  return JSON.parse(text ?? "{}") as Record<number, string>;
}

/**
 * Believes further keys, beside those that are pinned.
 *
 * @returns all that are pinned then, as hex by version
 * @throws AgentError SEQUENCER_KEY_CHANGED when another key is pinned under one of the versions
 */
export function pinSequencerKeys(
  store: AgentStore,
  stream: StreamRef,
  added: readonly NewSequencerKey[],
): Readonly<Record<number, string>> {
  return store.transaction(stream, (tables) => {
    const pinned = byVersion(JSON.parse(tables.state(PINNED) ?? "{}") as Record<number, string>);
    for (const { version, publicKey } of added) {
      requireSame(version, pinned.get(version), publicKey);
      pinned.set(version, publicKey);
    }
    const all = Object.fromEntries(pinned);
    tables.setState(PINNED, JSON.stringify(all));
    return all;
  });
}

function byVersion(keys: Readonly<Record<number, string>>): Map<number, string> {
  return new Map(Object.entries(keys).map(([version, key]) => [Number(version), key]));
}

/** @throws AgentError SEQUENCER_KEY_CHANGED */
function requireSame(version: number, pinned: string | undefined, key: string): void {
  if (pinned === undefined || pinned === key) return;
  throw new AgentError("SEQUENCER_KEY_CHANGED", `The sequencer's key of version ${version} is another than was pinned`);
}

/** Keys as bytes, by version. */
export function keysOfHex(keys: Readonly<Record<number, string>>): ReadonlyMap<number, Uint8Array> {
  return new Map(Object.entries(keys).map(([version, hex]) => [Number(version), fromHex(hex, 32)]));
}

/**
 * Those that are published and not pinned. Both as hex by version.
 *
 * @throws AgentError SEQUENCER_KEY_CHANGED
 */
export function newSequencerKeys(
  pinned: ReadonlyMap<number, string>,
  published: ReadonlyMap<number, string>,
): NewSequencerKey[] {
  for (const [version, key] of published) requireSame(version, pinned.get(version), key);
  // A rotation publishes the old key beside the new one. A careless stranger has none of them; another is told from the sequencer
  // by nothing that it publishes.
  if (pinned.size > 0 && !Array.from(pinned.keys()).some((version) => published.has(version))) {
    throw new AgentError("SEQUENCER_KEY_CHANGED", "The sequencer publishes none of the keys that were pinned");
  }
  return Array.from(published, ([version, publicKey]) => ({ version, publicKey })).filter(
    ({ version }) => !pinned.has(version),
  );
}

/** A directory that was read at a time to come was not read at that time. */
function isRecent({ readAt }: KeptDirectory): boolean {
  const ageMs = Date.now() - readAt;
  return ageMs >= 0 && ageMs <= DIRECTORY_MAX_AGE_MS;
}

/**
 * Why a directory is not to be believed, or `undefined` (VES 3.5).
 *
 * @param now milliseconds since the epoch, for an answer that was just asked for; absent for one that was kept as evidence, which
 *   may be of any age
 */
export async function directoryFault(
  directory: KeyDirectory,
  agent: AgentRef,
  sequencerKeys: ReadonlyMap<number, Uint8Array>,
  now?: number,
): Promise<EncryptionError | undefined> {
  const body = directory as unknown as JsonObject;
  try {
    await requireSigned(body, keyDirectoryHash, agent, Array.from(sequencerKeys.values()));
    if (now !== undefined) requireLive(body, now);
    return undefined;
  } catch (error) {
    if (error instanceof EncryptionError) return error;
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

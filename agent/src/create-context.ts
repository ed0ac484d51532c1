import { parseUuid } from "../../src/ves/index.ts";
import { createApi } from "./api.ts";
import type { Context } from "./context.ts";
import { agentEncryption, type EncryptionSettings } from "./encryption-settings.ts";
import { AgentError } from "./errors.ts";
import { MAX_LEASE_MS } from "./lease.ts";
import { DEFAULT_RETRY, type RetrySettings } from "./retry.ts";
import { type AgentIdentity, signingKeyOf, type SigningKeySource } from "./signer.ts";
import type { AgentStore } from "./store/store.ts";
import { type Credential, httpTransport, type Transport } from "./transport.ts";
import { createTrust, type TrustSettings } from "./trust.ts";

/** An agent's private keys. */
export interface AgentKeys {
  /** What it signs its events with. */
  readonly signing: SigningKeySource;
  /** What it reads encrypted payloads with; it can read none when absent. */
  readonly encryption?: EncryptionSettings;
}

/** What all of an agent's work depends on. */
export interface ContextOptions {
  /** Where the sequencer serves. */
  readonly url?: string;
  readonly credential?: Credential;
  /** Another way to the sequencer, in place of `url` and `credential`. */
  readonly transport?: Transport;
  readonly identity: AgentIdentity;
  readonly keys: AgentKeys;
  readonly store: AgentStore;
  /** Which of the sequencer's keys are believed. Those it shows first, when absent. */
  readonly trust?: TrustSettings;
  /** Version of the signed form. 2 when absent, which covers the command and the expected version as well. */
  readonly vesVersion?: 1 | 2;
  /** Most events of a request, 500 when absent, at most 1,000. */
  readonly batchEvents?: number;
  /** Most characters of a request, 4 Mi when absent, at most 8 Mi. */
  readonly batchCharacters?: number;
  /** Milliseconds that one try of a request may take; 30,000 when absent. */
  readonly timeoutMs?: number;
  readonly retry?: Partial<RetrySettings>;
  /** Milliseconds after which another process may push the outbox of one that died while pushing; 10,000 when absent. */
  readonly leaseMs?: number;
}

/** A day. Timers that are set to more than 24 of them fire at once. */
const MAX_DELAY_MS = 86_400_000;

/** @throws AgentError INVALID_OPTIONS; Error when the store cannot be read */
export async function createContext(options: ContextOptions): Promise<Context> {
  for (const name of ["identity", "keys", "store"] as const) {
    if (typeof options[name] !== "object") throw new AgentError("INVALID_OPTIONS", `${name} is missing`);
  }
  const { identity, url, credential, store } = options;
  const transport =
    options.transport ??
    (url === undefined || credential === undefined ? undefined : httpTransport({ url, credential }));
  if (transport === undefined) {
    throw new AgentError("INVALID_OPTIONS", "Either url and credential are needed, or transport");
  }
  const ids = {
    tenantId: uuidOption("identity.tenantId", identity.tenantId),
    storeId: uuidOption("identity.storeId", identity.storeId),
    agentId: uuidOption("identity.agentId", identity.agentId),
    keyId: integerOption("identity.keyId", identity.keyId, 0, 0xffff_ffff),
  };
  const api = createApi(transport, {
    timeoutMs: integerOption("timeoutMs", options.timeoutMs ?? 30_000, 1, 600_000),
    retry: retryOption(options.retry ?? {}),
  });
  const closing = new AbortController();
  return {
    identity: ids,
    key: await signingKeyOf(options.keys.signing),
    encryption: await agentEncryption(options.keys.encryption),
    vesVersion: options.vesVersion ?? 2,
    store,
    api,
    sockets: transport.sockets,
    trust: createTrust(store, ids, api, options.trust ?? {}, closing.signal),
    closing,
    batchEvents: integerOption("batchEvents", options.batchEvents ?? 500, 1, 1_000),
    batchCharacters: integerOption("batchCharacters", options.batchCharacters ?? 4 * 1024 ** 2, 1, 8 * 1024 ** 2),
    leaseMs: integerOption("leaseMs", options.leaseMs ?? 10_000, 100, MAX_LEASE_MS),
  };
}

function retryOption(given: Partial<RetrySettings>): RetrySettings {
  const { attempts, firstDelayMs, maxDelayMs } = DEFAULT_RETRY;
  return {
    attempts: integerOption("retry.attempts", given.attempts ?? attempts, 1, 1_000_000),
    firstDelayMs: integerOption("retry.firstDelayMs", given.firstDelayMs ?? firstDelayMs, 0, MAX_DELAY_MS),
    maxDelayMs: integerOption("retry.maxDelayMs", given.maxDelayMs ?? maxDelayMs, 0, MAX_DELAY_MS),
  };
}

function uuidOption(name: string, text: string): string {
  const id = parseUuid(text);
  if (id === undefined)
    throw new AgentError("INVALID_OPTIONS", `${name}: expected a UUID, got ${JSON.stringify(text)}`);
  return id;
}

function integerOption(name: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw new AgentError("INVALID_OPTIONS", `${name}: expected an integer from ${min} to ${max}, got ${value}`);
}

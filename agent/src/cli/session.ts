import { existsSync } from "node:fs";
import { type SigningKey, ZERO_32 } from "../../../src/ves/index.ts";
import { readCount } from "../../../scripts/lib/usage.ts";
import { type Agent, createAgent } from "../agent.ts";
import { type Api, createApi } from "../api.ts";
import { DEFAULT_RETRY, type RetrySettings } from "../retry.ts";
import { openSqliteStore } from "../sqlite.ts";
import type { AgentStore } from "../store/store.ts";
import { httpTransport, type Transport } from "../transport.ts";
import { pinnedSequencerKeys, type TrustSettings } from "../trust.ts";
import type { Call } from "./command.ts";
import { CommandError } from "./command-error.ts";
import { type Config, identityOf, readConfig } from "./config.ts";
import { encryptionOf } from "./encryption-key-files.ts";
import { EXIT } from "./exit-codes.ts";
import type { AgentFiles } from "./files.ts";
import { readKey, signingKeyOfFile, usedKeyId } from "./key-files.ts";
import { readApiKey } from "./secrets.ts";

/** Options of commands that ask the sequencer. */
export const NETWORK_OPTIONS = { "api-key-file": { type: "string" }, attempts: { type: "string" } } as const;

/** The lines of `--help` for them. */
export const NETWORK_HELP = `  --api-key-file PATH   another credential than the agent's, in a file, or in standard input for -;
                        SEQUENCER_API_KEY
  --attempts N          how often a request without an answer is tried; ${DEFAULT_RETRY.attempts} when not given
`;

export interface NetworkValues {
  readonly "api-key-file"?: string | undefined;
  readonly attempts?: string | undefined;
}

const TIMEOUT_MS = 30_000;

/** What an agent's directory holds, opened. */
export interface Session {
  readonly config: Config;
  readonly store: AgentStore;
}

/** Works on an agent's store alone. */
export async function withStore<T>({ files }: Call, work: (session: Session) => Promise<T> | T): Promise<T> {
  const session = { config: readConfig(files), store: openStore(files) };
  try {
    return await work(session);
  } finally {
    session.store.close();
  }
}

/** What an agent works with. */
interface Needs {
  /** Options of a command that asks the sequencer; without them, nobody is asked. */
  readonly network?: NetworkValues;
  /** Whether it signs; its key need not be there otherwise. */
  readonly signs?: boolean;
  /** Whether it reads or encrypts payloads. */
  readonly decrypts?: boolean;
  /** In place of the directory's. */
  readonly config?: Config;
}

/** Works as the agent. @throws CommandError, or what `work` throws */
export async function withAgent<T>(
  call: Call,
  { network, signs = false, decrypts = false, config = readConfig(call.files) }: Needs,
  work: (agent: Agent, session: Session) => Promise<T> | T,
): Promise<T> {
  const signing = signs ? await signingKeyOfFile(readKey(call.files, usedKeyId(config))) : NO_KEY;
  const store = openStore(call.files);
  const agent = await createAgent({
    transport: network === undefined ? NOBODY : transportOf(call, config, network),
    identity: identityOf(config),
    keys: { signing, ...(decrypts ? { encryption: encryptionOf(call.files) } : {}) },
    store,
    trust: trustOf(config),
    retry: retryOf(network ?? {}),
  });
  try {
    return await work(agent, { config, store });
  } finally {
    await agent.close();
  }
}

const NO_KEY: SigningKey = {
  publicKey: ZERO_32,
  sign: () => Promise.reject(new Error("this command signs nothing")),
};

const NOBODY: Transport = { send: () => Promise.reject(new Error("this command asks nobody")) };

/** @throws AgentError UNAUTHORIZED without a credential; UsageError, CommandError when it cannot be read */
export function apiOf(call: Call, config: Config, network: NetworkValues): Api {
  const retry = { ...DEFAULT_RETRY, ...retryOf(network) };
  return createApi(transportOf(call, config, network), { timeoutMs: TIMEOUT_MS, retry });
}

function transportOf(call: Call, { url }: Config, network: NetworkValues): Transport {
  return httpTransport({ url, credential: readApiKey(call, network["api-key-file"]) });
}

function trustOf({ sequencerKeys }: Config): TrustSettings {
  return sequencerKeys === undefined ? {} : { sequencerKeys };
}

/** The sequencer's keys that this agent believes, as hex by version; empty when none is pinned yet. */
export function believedKeys({ config, store }: Session): Readonly<Record<number, string>> {
  return config.sequencerKeys ?? pinnedSequencerKeys(store, config);
}

/** @throws UsageError */
function retryOf({ attempts }: NetworkValues): Partial<RetrySettings> {
  return attempts === undefined ? {} : { attempts: readCount("--attempts", attempts, 1, 100) };
}

/** @throws CommandError OUTBOX_MISSING, or OUTBOX_UNREADABLE */
export function openStore({ outbox }: AgentFiles): AgentStore {
  // SQLite would make an empty one, and what was recorded would seem never to have been.
  if (!existsSync(outbox)) {
    const message = `${outbox} is not there: restore it, or run stateset-sync init for an empty one.`;
    throw new CommandError("OUTBOX_MISSING", message, EXIT.unsound);
  }
  try {
    return openSqliteStore(outbox);
  } catch (error) {
    const message = `${outbox} cannot be used: ${(error as Error).message}. Run stateset-sync doctor.`;
    throw new CommandError("OUTBOX_UNREADABLE", message, EXIT.unsound, error);
  }
}

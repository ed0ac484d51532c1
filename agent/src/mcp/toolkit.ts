import { generateSeed } from "../../../src/ves/index.ts";
import { type Agent, agentOf } from "../agent.ts";
import type { Context } from "../context.ts";
import { createContext } from "../create-context.ts";
import { memoryStore } from "../store/memory.ts";
import type { EventTypeRules } from "./event-types.ts";
import { createLimiter, type Limiter } from "./limiter.ts";
import { createRedact, type Redact } from "./redact.ts";
import { secretsOf, type Settings } from "./settings.ts";

/** What all tools work with. One for the process, whatever number of clients it has. */
export interface Toolkit {
  readonly context: Context;
  readonly agent: Agent;
  /** Empty: the server only reads. */
  readonly allowedEventTypes: EventTypeRules;
  /** Whether what is recorded is kept by this process alone. */
  readonly isInMemory: boolean;
  /** For all calls. */
  readonly calls: Limiter;
  /** For those that hold a request at the sequencer open. */
  readonly waits: Limiter;
  readonly redact: Redact;
}

/** Each holds a model's turn up, so that nobody has many; a client that runs wild is stopped. */
const MAX_CALLS = 128;

/** The sequencer takes 1,000 waiting readers of a stream, of all its agents. */
const MAX_WAITS = 32;

/** A client gives a call up after a minute, unless it is told otherwise: the tries of a request have to fit in. */
const REQUEST = { timeoutMs: 10_000, retry: { attempts: 3, firstDelayMs: 250, maxDelayMs: 2_000 } };

/** @throws AgentError INVALID_OPTIONS; Error when the outbox cannot be opened */
export async function createToolkit(settings: Settings): Promise<Toolkit> {
  const { url, credential, identity, outboxPath } = settings;
  const context = await createContext({
    url,
    credential,
    identity,
    // A server that only reads signs nothing: a key that nobody has registered will do.
    keys: { signing: settings.privateKey ?? generateSeed() },
    store: outboxPath === undefined ? memoryStore() : (await import("../sqlite.ts")).openSqliteStore(outboxPath),
    ...(settings.sequencerKeys === undefined ? {} : { trust: { sequencerKeys: settings.sequencerKeys } }),
    ...REQUEST,
  });
  return toolkitOf(context, {
    allowedEventTypes: settings.allowedEventTypes,
    isInMemory: outboxPath === undefined,
    secrets: secretsOf(settings),
  });
}

/** @param options.secrets what no answer may show */
export function toolkitOf(
  context: Context,
  {
    secrets,
    ...options
  }: Pick<Toolkit, "allowedEventTypes" | "isInMemory"> & {
    readonly secrets: readonly string[];
  },
): Toolkit {
  return {
    context,
    agent: agentOf(context),
    ...options,
    calls: createLimiter(MAX_CALLS, "calls"),
    waits: createLimiter(MAX_WAITS, "waiting calls"),
    redact: createRedact(secrets),
  };
}

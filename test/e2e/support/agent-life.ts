import {
  type AgentEvent,
  type AgentIdentity,
  type AgentStore,
  AgentError,
  createAgent,
} from "../../../agent/src/index.ts";
import { openSqliteStore } from "../../../agent/src/sqlite.ts";
import { httpTransport, type Transport } from "../../../agent/src/transport.ts";

/** An agent's plan, and where it lives. */
export interface Settings {
  readonly url: string;
  readonly apiKey: string;
  readonly identity: AgentIdentity;
  /** Hex. */
  readonly seed: string;
  readonly path: string;
  /** Each with its own event id. */
  readonly plan: readonly AgentEvent[];
  /** Most events that are recorded between two synchronisations. */
  readonly burst: number;
}

/** Called before and after each request, and before, at the end of, and after each transaction. */
type Step = () => void;

function steppingStore(store: AgentStore, step: Step): AgentStore {
  return {
    transaction: (stream, body) => {
      step();
      const result = store.transaction(stream, (tables) => {
        const inside = body(tables);
        step();
        return inside;
      });
      step();
      return result;
    },
    close: () => store.close(),
  };
}

function steppingTransport(transport: Transport, step: Step): Transport {
  return {
    send: async (request) => {
      step();
      const reply = await transport.send(request);
      step();
      return reply;
    },
  };
}

/**
 * Records what is planned and was not recorded in an earlier life, synchronises in between, and returns when all is settled.
 */
export async function liveOnce(settings: Settings, step: Step): Promise<void> {
  const agent = await createAgent({
    transport: steppingTransport(httpTransport({ url: settings.url, credential: settings.apiKey }), step),
    identity: settings.identity,
    keys: { signing: settings.seed },
    store: steppingStore(openSqliteStore(settings.path), step),
    onConflict: "rebase",
    batchEvents: 7,
    timeoutMs: 2_000,
    leaseMs: 500,
    retry: { attempts: 3, firstDelayMs: 20, maxDelayMs: 2_000 },
  });

  /** Synchronises as well as it goes just now. */
  const trySync = async (): Promise<void> => {
    try {
      await agent.sync();
    } catch (error) {
      if (!(error instanceof AgentError && error.code === "UNREACHABLE")) throw error;
    }
  };

  const isSettled = (): boolean => {
    const { outbox, pulledSequence, pushedSequence } = agent.status();
    return outbox.pending === 0 && outbox.conflict === 0 && pulledSequence >= pushedSequence;
  };

  for (let i = 0; i < settings.plan.length; i += settings.burst) {
    for (const event of settings.plan.slice(i, i + settings.burst)) {
      await agent.record(event).catch((error: unknown) => {
        // It was recorded before the last kill.
        if (!(error instanceof AgentError && error.code === "EVENT_EXISTS")) throw error;
      });
    }
    await trySync();
  }
  while (!isSettled()) await trySync();
  await agent.close();
}

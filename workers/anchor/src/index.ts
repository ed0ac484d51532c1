import { WorkerEntrypoint } from "cloudflare:workers";
import { privateKeyToAddress } from "viem/accounts";
import type {
  AnchorNowResult,
  AnchorService as AnchorRpc,
  AnchorSetup,
  ChainAnswer,
  ExpectedBatch,
  NotNow,
} from "../../../src/anchor/messages.ts";
import { postgresProblem } from "../../../src/mirror/postgres.ts";
import { log } from "../../../src/observe/log.ts";
import { observeAs } from "../../../src/observe/setup.ts";
import { ConfigError } from "../../../src/errors.ts";
import { streamStub } from "../../../src/stream/stream-client.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import { anchorNow } from "./anchor-now.ts";
import type { AnchorPlace } from "./round.ts";
import { anchorAll } from "./run.ts";
import { type AnchorSettings, readAnchorSettings } from "./settings.ts";
import { verifyOnChain } from "./verify.ts";

/** A run ends before the next one is due. */
const RUN_MS = 50_000;
/** How long a request waits for its batch to be in a block. */
const REQUEST_MS = 20_000;

const OFF = "Anchoring is off: none of L2_RPC_URL, L2_CHAIN_ID, SET_REGISTRY_ADDRESS and SEQUENCER_PRIVATE_KEY is set";

type AnchorEnv = Pick<Env, "STREAMS" | "POSTGRES">;

/** What the Worker that serves the API asks for. */
export class AnchorService extends WorkerEntrypoint<AnchorEnv> implements AnchorRpc {
  constructor(context: ExecutionContext, env: AnchorEnv) {
    super(context, env);
    observeAs(env);
  }

  setup(): Promise<AnchorSetup> {
    const settings = settingsOf(this.env);
    if ("kind" in settings) {
      const { kind, message } = settings;
      return Promise.resolve({ kind: kind === "not_configured" ? "off" : "misconfigured", message });
    }
    const { chainId, contract, confirmations } = settings;
    const sequencer = privateKeyToAddress(settings.privateKey);
    return Promise.resolve({ kind: "on", chainId, contract, sequencer, confirmations });
  }

  async anchorNow(stream: StreamRef, batchId: string): Promise<AnchorNowResult> {
    const settings = settingsOf(this.env);
    if ("kind" in settings) return settings;
    try {
      return await anchorNow(placeOf(this.env, settings), stream, batchId, REQUEST_MS);
    } catch (error) {
      log.error("anchoring a batch failed", {
        tenant_id: stream.tenantId,
        store_id: stream.storeId,
        batch_id: batchId,
        error: String(error),
      });
      return { kind: "unavailable", message: postgresProblem(error) };
    }
  }

  async verify(batch: ExpectedBatch): Promise<ChainAnswer> {
    const settings = settingsOf(this.env);
    return "kind" in settings ? settings : verifyOnChain(settings, batch);
  }
}

/** @throws ConfigError when anchoring is half configured, so that the Cron Trigger is seen to fail */
async function runScheduled(env: AnchorEnv): Promise<void> {
  observeAs(env);
  const settings = readAnchorSettings(env);
  if (settings === null) return;
  const problems = await anchorAll(placeOf(env, settings), RUN_MS);
  for (const problem of problems) log.error("a run of the anchoring met a problem", { error: problem });
}

function placeOf(env: AnchorEnv, settings: AnchorSettings): AnchorPlace {
  return {
    settings,
    hyperdrive: env.POSTGRES,
    streams: {
      noteAnchors: async (stream, notes) => {
        await streamStub(env, stream).noteAnchors(notes);
      },
      compareWithChain: (stream, tip) => streamStub(env, stream).compareWithChain(tip),
    },
  };
}

/** The settings, or why there are none. */
function settingsOf(env: AnchorEnv): AnchorSettings | NotNow {
  try {
    const settings = readAnchorSettings(env);
    return settings ?? { kind: "not_configured", message: OFF };
  } catch (error) {
    if (error instanceof ConfigError) return { kind: "unavailable", message: error.message };
    throw error;
  }
}

export default {
  scheduled: (_controller, env, _context) => runScheduled(env),
} satisfies ExportedHandler<AnchorEnv>;

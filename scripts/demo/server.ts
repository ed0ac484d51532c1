import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiError, call, type Server } from "../lib/client.ts";
import { LOCAL_ADMIN_KEY, newVariables } from "../lib/dev-vars.ts";
import { notedUrl } from "../lib/local-chain.ts";
import type { Cleanup } from "./cleanup.ts";

const LOCAL_URL = "http://127.0.0.1:8080";
/** Where `npm start` keeps its chain. */
const LOCAL_CHAIN = join(import.meta.dirname, "..", "..", ".data", "chain");

/** Long enough for a server far away to wake up. */
const ANSWER_WITHIN_MS = 10_000;

/** A node of the chain that batches are anchored on. */
export interface ChainNode {
  readonly rpcUrl: string;
  /** For this run. One that was found may be of another chain. */
  readonly isNamed: boolean;
}

export interface DemoServer extends Server {
  /** Started for this run, and gone after it. */
  readonly isOwn: boolean;
  /** Undefined: the chain cannot be asked. A server does not tell where its nodes are. */
  readonly node: ChainNode | undefined;
}

/**
 * The server to play against: the one asked for, or else the local one if it runs and takes the local administrator's
 * key, or else one of its own. @throws Error when the one asked for cannot be used
 */
export async function chooseServer(
  wanted: { readonly url: string | undefined; readonly key: string | undefined; readonly rpcUrl: string | undefined },
  cleanup: Cleanup,
  onStart: () => void,
): Promise<DemoServer> {
  const server = { url: wanted.url ?? LOCAL_URL, apiKey: wanted.key ?? LOCAL_ADMIN_KEY };
  const problem = await serverProblem(server);
  if (problem === undefined) return { ...server, isOwn: false, node: nodeOf(wanted.rpcUrl) };
  if (wanted.url !== undefined || wanted.key !== undefined) throw new Error(problem);
  onStart();
  return startOwn(cleanup);
}

function nodeOf(named: string | undefined): ChainNode | undefined {
  const rpcUrl = named ?? notedUrl(LOCAL_CHAIN);
  return rpcUrl === undefined ? undefined : { rpcUrl, isNamed: named !== undefined };
}

/** Why the demo cannot use this server, as a sentence. */
async function serverProblem(server: Server): Promise<string | undefined> {
  try {
    const response = await fetch(`${server.url}/health`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    const health = (await response.json()) as { status?: unknown; sequencer_id?: unknown };
    if (health.status !== "healthy" || typeof health.sequencer_id !== "string") {
      return `${server.url} answers, but not as a sequencer in good health.`;
    }
  } catch (error) {
    if (error instanceof SyntaxError) return `${server.url} answers, but not as a sequencer.`;
    return `No sequencer answers at ${server.url}.`;
  }
  try {
    await call(server, "GET", `/api/v1/agents/keys?tenant_id=${crypto.randomUUID()}`);
    return undefined;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) return `The sequencer at ${server.url} does not know this API key: give --key.`;
    if (error.status === 403)
      return "The demo makes a tenant of its own, so it needs the bootstrap administrator's key.";
    return `The sequencer at ${server.url} answers ${error.message}.`;
  }
}

async function startOwn(cleanup: Cleanup): Promise<DemoServer> {
  const dataDirectory = mkdtempSync(join(tmpdir(), "sequencer-demo-"));
  cleanup.add(() => rmSync(dataDirectory, { recursive: true, force: true, maxRetries: 5 }));
  // As root, Postgres runs as another user, who has to get through.
  chmodSync(dataDirectory, 0o755);
  // What it needs takes a while to load, so only those wait for it who have no server.
  const { startDeployment } = await import("../lib/local-deployment.ts");
  const starting = startDeployment({ variables: newVariables(), anchorVariables: {}, dataDirectory, port: 0 });
  // It may have to be stopped while it is still starting.
  cleanup.add(() =>
    starting.then(
      ({ stop }) => stop(),
      () => undefined,
    ),
  );
  const { url, chain } = await starting;
  return { url, apiKey: LOCAL_ADMIN_KEY, isOwn: true, node: nodeOf(chain?.url) };
}

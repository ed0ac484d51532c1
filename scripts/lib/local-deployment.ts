import { join } from "node:path";
import { bundleWorker } from "./bundle-worker.ts";
import { ProblemLog, startAnchoring } from "./local-anchoring.ts";
import { type LocalChain, openChain } from "./local-chain.ts";
import { openDatabase } from "./local-database.ts";
import type { Variables } from "./local-server.ts";

/** The sequencer on this machine with everything that belongs to it. */
export interface LocalDeployment {
  /** Where it serves, without a slash at the end. */
  readonly url: string;
  readonly databaseUrl: string;
  /** Null where nothing is anchored. */
  readonly chain: LocalChain | null;
  /** Stops all of it, each part after those that use it. */
  readonly stop: () => Promise<void>;
}

/**
 * Starts the database, the chain and both Workers, and lets anchoring go on by itself. Whoever starts it stops it on
 * signals: some of it must not end before what uses it.
 *
 * @throws Error, as a sentence, when a part does not start; those that did are stopped by then
 */
export async function startDeployment(options: {
  /** Of the Worker that serves the API. */
  readonly variables: Variables;
  /** Of the anchoring Worker: a chain is started when they name none. */
  readonly anchorVariables: Variables;
  readonly dataDirectory: string;
  readonly port: number;
  readonly host?: string;
  /** Of the mirror's database; one is started when absent. */
  readonly databaseUrl?: string | undefined;
}): Promise<LocalDeployment> {
  const { variables, dataDirectory, port, host } = options;
  const undo: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of undo.splice(0).toReversed()) await end();
  };
  const undone = async <Part extends { readonly stop: () => Promise<void> } | null>(
    starting: Promise<Part>,
  ): Promise<Part> => {
    const part = await starting;
    if (part !== null) undo.push(part.stop);
    return part;
  };
  try {
    // All at once: on the first start, making the database takes as long as bundling.
    const [database, chain, bundle, anchorBundle, { startWorker }] = await settled([
      undone(openDatabase(options.databaseUrl, join(dataDirectory, "postgres"))),
      undone(openChain(options.anchorVariables, join(dataDirectory, "chain"))),
      bundleWorker(),
      bundleWorker("anchor"),
      import("./local-server.ts"),
    ]);
    const problems = new ProblemLog();
    const server = await undone(
      startWorker({
        bundle,
        variables,
        dataDirectory,
        port,
        ...(host === undefined ? {} : { host }),
        databaseUrl: database.url,
        anchor: { bundle: anchorBundle, variables: chain?.variables ?? {} },
        shows: problems.isNew,
        isStoppedOnSignals: true,
      }),
    );
    if (chain !== null) {
      const isDatabaseOurs = options.databaseUrl === undefined;
      const { runCron } = server;
      const { mine } = chain;
      undo.push(startAnchoring({ runCron, mine, databaseUrl: database.url, isDatabaseOurs, problems }).stop);
    }
    return { url: server.url, databaseUrl: database.url, chain, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** All of them, or the first error once none is under way any more: what has started by then can be stopped. */
async function settled<const Parts extends readonly unknown[]>(
  parts: Parts,
): Promise<{ -readonly [Index in keyof Parts]: Awaited<Parts[Index]> }> {
  await Promise.allSettled(parts);
  return Promise.all(parts);
}

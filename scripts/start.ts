import { join } from "node:path";
import { readConfig } from "../src/config.ts";
import { ConfigError } from "../src/errors.ts";
import { readVariables } from "../src/settings.ts";
import { readAnchorSettings } from "../workers/anchor/src/settings.ts";
import { localVariables } from "./lib/dev-vars.ts";
import { type LocalDeployment, startDeployment } from "./lib/local-deployment.ts";
import type { Variables } from "./lib/local-server.ts";
import { isPortFree } from "./lib/ports.ts";
import { type StartVariables, startVariables } from "./lib/start-variables.ts";
import { nameWarnings } from "./lib/variable-names.ts";
import { type Variable, VARIABLES } from "./lib/variables.ts";

/*
 * `npm start`: the sequencer on this machine, with its data in .data/ and its secrets in .dev.vars.
 */

const HELP = `Usage: npm start

Serves the sequencer on this machine until Ctrl-C.

  PORT          port to serve on; 8080 or the next free one when not set
  HOST          address to serve on; 127.0.0.1 when not set
  DATABASE_URL  PostgreSQL database of the mirror, also from .dev.vars; one is made and served when not set
  L2_RPC_URL    node of the chain that batches are anchored on, with L2_CHAIN_ID, SET_REGISTRY_ADDRESS and
                SEQUENCER_PRIVATE_KEY, also from .dev.vars; a chain for tests is started when none is set
  LOG_LEVEL     what is logged: error, warn, info (a line for each request) or debug; warn when not set

Every other variable of docs/configuration.md may be set too, in the environment or .dev.vars.
Data is kept in .data/, secrets in .dev.vars; both are made when they are not there.
`;

const DATA = join(import.meta.dirname, "..", ".data");
const DEFAULT_PORT = 8080;
/** How many ports after the default one are tried. */
const PORTS_TRIED = 100;

if (process.argv.includes("--help") || process.argv.includes("-h")) {
  process.stdout.write(HELP);
} else {
  await main();
}

async function main(): Promise<void> {
  const environment = given(process.env);
  const fromFile = localVariables();
  for (const warning of nameWarnings(fromFile, environment)) process.stderr.write(`${warning}\n`);
  const set: Variables = { ...fromFile, ...environment };
  const variables = only(VARIABLES.sequencer, set);
  const anchorVariables = only(VARIABLES.anchoring, set);
  const { PORT, HOST: host, DATABASE_URL: databaseUrl } = await usable(set, variables, anchorVariables);
  const port = await choosePort(PORT, host);
  const starting = startDeployment({ host, port, variables, anchorVariables, dataDirectory: DATA, databaseUrl });
  const isStopping = stopOnSignal(starting);
  try {
    announce(await starting, variables["BOOTSTRAP_ADMIN_API_KEY"] ?? "");
  } catch (error) {
    // Ctrl-C ends what it was waiting for too.
    if (!isStopping()) fail((error as Error).message);
  }
}

/** What is set in an environment, and not empty. */
function given(environment: NodeJS.ProcessEnv): Variables {
  return Object.fromEntries(Object.entries(environment).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}

/** Those of `set` that a program reads: the keys of one are the business of no other. */
function only(read: readonly Variable[], set: Variables): Variables {
  return Object.fromEntries(read.flatMap(({ name }) => (set[name] === undefined ? [] : [[name, set[name]]])));
}

/**
 * What `npm start` itself reads. Ends the program with a sentence where that is wrong, or where a Worker would start and then
 * answer every request with an error.
 */
async function usable(set: Variables, variables: Variables, anchorVariables: Variables): Promise<StartVariables> {
  const own = await checked(() => readVariables(startVariables, set), "Correct it, in the environment or .dev.vars.");
  await checked(
    () => readConfig(variables),
    "Correct it, in .dev.vars or the environment; without that file, one with new keys is made.",
  );
  if (!variables["BOOTSTRAP_ADMIN_API_KEY"]) {
    fail("wrong configuration: BOOTSTRAP_ADMIN_API_KEY is missing in .dev.vars. Any text will do as the key.");
  }
  await checked(
    () => readAnchorSettings(anchorVariables),
    "Set all of it, in the environment or .dev.vars, or nothing of it: a chain is started then.",
  );
  return own;
}

/** What `read` gives, unless it finds the configuration wrong. */
async function checked<T>(read: () => T, advice: string): Promise<Awaited<T>> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return fail(`${error.message}. ${advice}`);
  }
}

/** @throws nothing: a port that cannot be had ends the program with a sentence */
async function choosePort(wanted: number | undefined, host: string): Promise<number> {
  if (wanted !== undefined) {
    if (!(await isPortFree(wanted, host)))
      fail(`Port ${wanted} is taken. Set PORT to another one, or unset it to have one picked.`);
    return wanted;
  }
  for (let port = DEFAULT_PORT; port < DEFAULT_PORT + PORTS_TRIED; port++) {
    if (!(await isPortFree(port, host))) continue;
    if (port !== DEFAULT_PORT) process.stdout.write(`Port ${DEFAULT_PORT} is taken: using ${port}.\n`);
    return port;
  }
  return fail(`No port from ${DEFAULT_PORT} on is free. Set PORT.`);
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

/** Also while it is still starting: what it started by then has to end with it. @returns whether a signal has come */
function stopOnSignal(starting: Promise<LocalDeployment>): () => boolean {
  let isStopping = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (isStopping) return;
      isStopping = true;
      void starting
        .then(
          ({ stop }) => stop(),
          () => undefined,
        )
        .then(() => process.exit(0));
    });
  }
  return () => isStopping;
}

function announce({ url, databaseUrl, chain }: LocalDeployment, key: string): void {
  const ids = "tenant_id=00000000-0000-0000-0000-000000000001&store_id=00000000-0000-0000-0000-000000000002";
  const anchoring =
    chain === null
      ? `none: anchoring is off, as there is no anvil for ${process.platform}-${process.arch}`
      : `${chain.url}, chain ${chain.chainId}, contract ${chain.contract}`;
  process.stdout.write(`
The sequencer is running.

  API       ${url}
  Reference ${url}/docs
  Key       ${key}
  Postgres  ${databaseUrl}
  Chain     ${anchoring}

Try it:
  curl -H 'Authorization: ApiKey ${key}' '${url}/api/v1/ves/head?${ids}'

Then, in another terminal: npm run demo
Ctrl-C stops it.
`);
}

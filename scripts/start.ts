import { join } from "node:path";
import { readConfig } from "../src/config.ts";
import { ConfigError } from "../src/settings.ts";
import { localVariables } from "./lib/dev-vars.ts";
import { type LocalDatabase, openDatabase } from "./lib/local-database.ts";
import { bundleWorker, isPortFree, startWorker, type Variables } from "./lib/local-server.ts";

/*
 * `npm start`: the sequencer on this machine, with its data in .data/ and its secrets in .dev.vars.
 */

const HELP = `Usage: npm start

Serves the sequencer on this machine until Ctrl-C.

  PORT          port to serve on; 8080 or the next free one when not set
  HOST          address to serve on; 127.0.0.1 when not set
  DATABASE_URL  PostgreSQL database of the mirror, also from .dev.vars; one is made and served when not set

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
  const host = process.env["HOST"] || "127.0.0.1";
  const port = await choosePort(process.env["PORT"], host);
  const { DATABASE_URL, ...variables } = localVariables();
  await requireUsable(variables);
  const databaseUrl = process.env["DATABASE_URL"] || DATABASE_URL || undefined;
  const starting = start({ host, port, variables, databaseUrl });
  stopOnSignal(starting);
  announce(await starting, variables["BOOTSTRAP_ADMIN_API_KEY"] ?? "");
}

/** The sequencer and its mirror's database, both running. */
interface Running {
  readonly url: string;
  readonly databaseUrl: string;
  readonly stop: () => Promise<void>;
}

async function start(options: {
  readonly host: string;
  readonly port: number;
  readonly variables: Variables;
  readonly databaseUrl: string | undefined;
}): Promise<Running> {
  const { host, port, variables } = options;
  // On the first start, its data are made while the Worker is being bundled.
  const opening = openDatabase(options.databaseUrl, join(DATA, "postgres"));
  const bundle = bundleWorker();
  const database = await opening.catch((error: Error): LocalDatabase => fail(error.message));
  const server = await startWorker({ bundle, variables, dataDirectory: DATA, port, host, databaseUrl: database.url });
  const stop = async (): Promise<void> => {
    // The Worker first: it may be writing to the database.
    await server.stop();
    await database.stop();
  };
  return { url: server.url, databaseUrl: database.url, stop };
}

/** Ends the program with a sentence where the server would start and then answer every request with an error. */
async function requireUsable(variables: Variables): Promise<void> {
  try {
    await readConfig(variables);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    fail(`.dev.vars: ${error.message}. Correct it; without the file, one with new keys is made.`);
  }
  if (!variables["BOOTSTRAP_ADMIN_API_KEY"]) {
    fail(".dev.vars: wrong configuration: BOOTSTRAP_ADMIN_API_KEY is missing. Any text will do as the key.");
  }
}

/** @throws nothing: a port that cannot be had ends the program with a sentence */
async function choosePort(wanted: string | undefined, host: string): Promise<number> {
  if (wanted) {
    const port = Number(wanted);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) fail(`PORT must be 1 to 65535, not ${wanted}.`);
    if (!(await isPortFree(port, host)))
      fail(`Port ${port} is taken. Set PORT to another one, or unset it to have one picked.`);
    return port;
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

/** Also while it is still starting: what it started by then has to end with it. */
function stopOnSignal(starting: Promise<Running>): void {
  let isStopping = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (isStopping) return;
      isStopping = true;
      void starting.then((running) => running.stop()).then(() => process.exit(0));
    });
  }
}

function announce({ url, databaseUrl }: Running, key: string): void {
  const ids = "tenant_id=00000000-0000-0000-0000-000000000001&store_id=00000000-0000-0000-0000-000000000002";
  process.stdout.write(`
The sequencer is running.

  API       ${url}
  Reference ${url}/docs
  Key       ${key}
  Postgres  ${databaseUrl}

Try it:
  curl -H 'Authorization: ApiKey ${key}' '${url}/api/v1/ves/head?${ids}'

Then, in another terminal: npm run demo
Ctrl-C stops it.
`);
}

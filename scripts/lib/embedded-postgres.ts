import { type ChildProcess, execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Client, DatabaseError } from "pg";
import { hasEnded, startGuarded, stopGuarded } from "./guarded-process.ts";
import { freePort } from "./ports.ts";
import { findBinaries } from "./postgres-binaries.ts";
import { choosePlace, type PostgresPlace } from "./postgres-place.ts";
import { killPostmaster, readLock, removeStaleLock } from "./postmaster.ts";

/*
 * A PostgreSQL server of the project's own, for `npm start` and the tests. Its directory holds `cluster` (what Postgres
 * calls its data directory), `password` and `server.log`. It listens on 127.0.0.1 only, with a password.
 */

const run = promisify(execFile);

const NAME = "sequencer";
const START_MS = 30_000;
/** How long a server on the same data may take to begin to stop: its `npm start` was killed a moment ago. */
const PREDECESSOR_MS = 500;
const PREDECESSOR_POLL_MS = 50;
const POLL_MS = 5;
const LOG_LINES_SHOWN = 10;
/** Postgres's code of this error. */
const NO_SUCH_DATABASE = "3D000";
/** For servers whose data need not outlive them. */
const NOT_DURABLE = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];

export interface PostgresOptions {
  /** Kept between starts; made when it is not there. */
  readonly dataDirectory: string;
  /** Any free one when absent. */
  readonly port?: number;
  /** Whether data outlives a crash of the machine; true when absent. */
  readonly durable?: boolean;
}

export interface EmbeddedPostgres {
  /** With the password, and the name of the database `sequencer`. */
  readonly url: string;
  readonly port: number;
  /** Process id of the postmaster. */
  readonly pid: number;
  /** Ends it in good order. Also fine when it has already ended. */
  readonly stop: () => Promise<void>;
  /** kill -9 of all its processes, as a crash. Returns when none of them is left. */
  readonly kill: () => Promise<void>;
}

/** @throws Error, as a sentence, when it does not start */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const place = choosePlace(resolve(options.dataDirectory), findBinaries());
  if (!existsSync(join(clusterOf(place), "PG_VERSION"))) await initialize(place, options.durable ?? true);
  const password = readFileSync(join(place.directory, "password"), "utf8");
  const { guard, pid, port } = await launch(place, options);
  const url = `postgres://${NAME}:${password}@127.0.0.1:${port}/${NAME}`;
  const stop = (): Promise<void> => stopGuarded(guard);
  try {
    await ensureDatabase(url);
  } catch (error) {
    await stop();
    throw error;
  }
  const kill = async (): Promise<void> => {
    await killPostmaster(pid);
    await stop();
  };
  return { url, port, pid, stop, kill };
}

/** Makes an empty cluster and its password, which appear together or, when this is interrupted, not at all. */
async function initialize({ directory, binaries, user }: PostgresPlace, durable: boolean): Promise<void> {
  const part = `${directory}.${process.pid}`;
  const cluster = join(part, "cluster");
  const passwordFile = join(part, "password");
  rmSync(part, { recursive: true, force: true });
  try {
    mkdirSync(cluster, { recursive: true });
    writeFileSync(passwordFile, randomBytes(24).toString("hex"), { mode: 0o600 });
    if (user !== undefined) for (const path of [part, cluster, passwordFile]) chownSync(path, user.uid, user.gid);
    const args = [
      `--pgdata=${cluster}`,
      `--username=${NAME}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      ...(durable ? [] : ["--no-sync"]),
    ];
    await run(binaries.initdb, args, { ...user, cwd: "/" }).catch((error: Error) => {
      throw new Error(`PostgreSQL could not make its data in ${directory}. ${error.message}`, { cause: error });
    });
    moveInto(part, directory);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}

function moveInto(part: string, directory: string): void {
  try {
    renameSync(part, directory);
  } catch (error) {
    // Another start has just made one, which serves as well.
    if (existsSync(join(directory, "cluster", "PG_VERSION"))) return;
    throw new Error(`${directory} holds no database that this user can open. Remove it, or run as its owner.`, {
      cause: error,
    });
  }
}

interface Launched {
  readonly guard: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

async function launch(place: PostgresPlace, options: PostgresOptions): Promise<Launched> {
  for (const started = Date.now(); ;) {
    const port = options.port ?? (await freePort());
    const guard = startGuard(place, port, options.durable ?? true);
    const pid = await untilReady(guard, clusterOf(place));
    if (pid !== undefined) return { guard, pid, port };

    const log = readFileSync(logOf(place), "utf8");
    if (log.includes('"postmaster.pid" already exists')) {
      if (removeStaleLock(clusterOf(place))) continue;
      const patience = readLock(clusterOf(place))?.isReady ? PREDECESSOR_MS : START_MS;
      if (Date.now() - started > patience) {
        throw new Error(`Another npm start is using ${options.dataDirectory}: stop it first.`);
      }
      await sleep(PREDECESSOR_POLL_MS);
    } else if (options.port !== undefined || !log.includes("Address already in use")) {
      const lines = log.trimEnd().split("\n").slice(-LOG_LINES_SHOWN).join("\n");
      throw new Error(`PostgreSQL did not start on ${options.dataDirectory}. It says:\n${lines}`);
    }
  }
}

function startGuard(place: PostgresPlace, port: number, durable: boolean): ChildProcess {
  const settings = [
    "listen_addresses=127.0.0.1",
    `port=${port}`,
    "unix_socket_directories=",
    "timezone=UTC",
    ...(durable ? [] : NOT_DURABLE),
  ];
  return startGuarded({
    command: place.binaries.postgres,
    args: ["-D", clusterOf(place), ...settings.flatMap((setting) => ["-c", setting])],
    log: logOf(place),
    ...place.user,
  });
}

/** Process id of the postmaster once it accepts connections; undefined when it has ended instead. */
async function untilReady(guard: ChildProcess, cluster: string): Promise<number | undefined> {
  let said = "";
  guard.stdout?.setEncoding("utf8").on("data", (chunk: string) => (said += chunk));
  for (const deadline = Date.now() + START_MS; Date.now() < deadline && !hasEnded(guard); await sleep(POLL_MS)) {
    const lock = readLock(cluster);
    if (lock?.isReady && lock.pid === Number.parseInt(said, 10)) return lock.pid;
  }
  await stopGuarded(guard);
  return undefined;
}

function clusterOf({ directory }: PostgresPlace): string {
  return join(directory, "cluster");
}

function logOf({ directory }: PostgresPlace): string {
  return join(directory, "server.log");
}

/** Makes the database unless an earlier start has. */
async function ensureDatabase(url: string): Promise<void> {
  try {
    await query(url, "SELECT 1");
  } catch (error) {
    if (!(error instanceof DatabaseError && error.code === NO_SUCH_DATABASE)) throw error;
    const maintenance = new URL(url);
    maintenance.pathname = "/postgres";
    await query(maintenance.href, `CREATE DATABASE ${NAME}`);
  }
}

async function query(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";

const ROOT = join(import.meta.dirname, "..", "..");
const NAME = "stateset-sequencer";
const CONFIG = join(ROOT, "wrangler.toml");
const WRANGLER = join(ROOT, "node_modules", "wrangler", "wrangler-dist", "cli.js");

const WARNING_DELAY_MS = 250;

/** Variables and secrets of a Worker, as a deployment would hold them. */
export type Variables = Readonly<Record<string, string>>;

export interface LocalServer {
  /** Where it serves, without a slash at the end. */
  readonly url: string;
  /** Stops it and everything it started. */
  readonly stop: () => Promise<void>;
}

/** The Worker as one JavaScript module: exactly what `wrangler deploy` would upload. */
export function bundleWorker(): string {
  const out = mkdtempSync(join(tmpdir(), "sequencer-bundle-"));
  try {
    const args = [WRANGLER, "deploy", "--dry-run", "--config", CONFIG, "--outdir", out];
    const env = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", WRANGLER_LOG: "warn" };
    const result = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8", env });
    if (result.status !== 0) throw new Error(`the Worker could not be bundled:\n${result.stdout}${result.stderr}`);
    return readFileSync(join(out, "index.js"), "utf8");
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/**
 * Serves a bundled Worker in workerd, with its objects' data under `dataDirectory`. Every port but the given one is
 * picked free by the system.
 */
export async function startWorker(options: {
  readonly bundle: string;
  readonly variables: Variables;
  readonly dataDirectory: string;
  /** 0: any free one. */
  readonly port: number;
  readonly host?: string;
  /** Of the mirror's database. Absent: the Worker has none. */
  readonly databaseUrl?: string;
}): Promise<LocalServer> {
  // It warns of secrets that are not in .dev.vars, where these need not be.
  process.env["WRANGLER_LOG"] ??= "error";
  const { workerOptions } = unstable_getMiniflareWorkerOptions(CONFIG);
  const { databaseUrl } = options;
  let isStopping = false;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      port: 0,
      cf: false,
      logRequests: false,
      log: patientLog(() => isStopping),
      resourcePersistencePath: options.dataDirectory,
      workers: [
        {
          ...workerOptions,
          name: NAME,
          // The Worker's own socket. The one in front of it is another Worker, made for features that are not used here,
          // and takes a quarter of the time of a small request.
          unsafeDirectSockets: [{ host: options.host ?? "127.0.0.1", port: options.port }],
          bindings: { ...options.variables },
          hyperdrives: databaseUrl === undefined ? {} : { POSTGRES: databaseUrl },
          modules: [{ type: "ESModule", path: "index.js", contents: options.bundle }],
        },
      ],
    }),
  );
  await miniflare.ready;
  const url = await miniflare.unsafeGetDirectURL(NAME);
  return {
    url: url.origin,
    stop: () => {
      isStopping = true;
      return miniflare.dispose();
    },
  };
}

/**
 * Warns of what goes wrong, a moment later and unless the server is being stopped by then: Ctrl-C reaches workerd too,
 * which may be gone before this process hears of the signal, and that is no crash.
 */
function patientLog(isStopping: () => boolean): Log {
  const log = new Log(LogLevel.WARN);
  const warn = log.warn.bind(log);
  log.warn = (message) => void setTimeout(() => isStopping() || warn(message), WARNING_DELAY_MS).unref();
  return log;
}

/** Whether nothing listens on the port yet. */
export function isPortFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}

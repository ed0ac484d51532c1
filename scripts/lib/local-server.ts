import { styleText } from "node:util";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { WORKER_CONFIGS } from "./bundle-worker.ts";

const NAME = "stateset-sequencer";
const ANCHOR_NAME = "stateset-anchor";

/** Of what is served on this machine, where nobody wants to read a line for each request. */
const QUIET = { LOG_LEVEL: "warn" };

const WARNING_DELAY_MS = 250;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Variables and secrets of a Worker, as a deployment would hold them. */
export type Variables = Readonly<Record<string, string>>;

/** The anchoring Worker, to be served beside the main one. */
export interface AnchorWorker {
  readonly bundle: string;
  readonly variables: Variables;
}

export interface LocalServer {
  /** Where it serves, without a slash at the end. */
  readonly url: string;
  /** The same of each of its edges. */
  readonly edgeUrls: readonly string[];
  /** Fires the anchoring Worker's Cron Trigger, and returns when its run has ended. @throws Error when the run fails */
  readonly runCron: () => Promise<void>;
  /** Stops it and everything it started. */
  readonly stop: () => Promise<void>;
}

/**
 * Serves a bundled Worker in workerd, with its objects' data under `dataDirectory`. Every port but the given one is
 * picked free by the system. The anchoring Worker is in the same workerd, bound as docs/operations.md says; what is given of
 * it decides whether there is one.
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
  readonly anchor?: AnchorWorker;
  /** How many more of the Worker there are, each with an isolate and a port of its own; all have the same objects. */
  readonly edges?: number;
  /** Which of the Workers' messages are shown. Absent: all. */
  readonly shows?: (message: string) => boolean;
  /** Whether the caller stops the server on signals. Absent: on the first one, the program ends at once. */
  readonly isStoppedOnSignals?: boolean;
}): Promise<LocalServer> {
  // It warns of secrets that are not in .dev.vars, where these need not be.
  process.env["WRANGLER_LOG"] ??= "error";
  const { workerOptions } = unstable_getMiniflareWorkerOptions(WORKER_CONFIGS.sequencer);
  const { databaseUrl, anchor, shows } = options;
  const hyperdrives = databaseUrl === undefined ? {} : { POSTGRES: databaseUrl };
  const worker = {
    ...workerOptions,
    bindings: { ...QUIET, ...options.variables },
    hyperdrives,
    modules: [{ type: "ESModule" as const, path: "index.js", contents: options.bundle }],
  };
  const edgeNames = Array.from({ length: options.edges ?? 0 }, (_, index) => `edge-${index}`);
  let isStopping = false;
  const removeSignalHandlers = options.isStoppedOnSignals === true ? watchSignalHandlers() : () => undefined;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      port: 0,
      cf: false,
      logRequests: false,
      log: patientLog(() => isStopping),
      ...(shows === undefined ? {} : { handleStructuredLogs: messageLog(shows) }),
      resourcePersistencePath: options.dataDirectory,
      workers: [
        {
          ...worker,
          name: NAME,
          // The Worker's own socket. The one in front of it is another Worker, made for features that are not used here,
          // and takes a quarter of the time of a small request.
          unsafeDirectSockets: [{ host: options.host ?? "127.0.0.1", port: options.port }],
          ...(anchor === undefined
            ? {}
            : { serviceBindings: { ANCHOR: { name: ANCHOR_NAME, entrypoint: "AnchorService" } } }),
        },
        ...edgeNames.map((name) => ({
          ...worker,
          name,
          unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
          durableObjects: objectsOf(NAME, workerOptions),
        })),
        ...(anchor === undefined ? [] : [anchorOptions(anchor, hyperdrives, options.variables)]),
      ],
    }),
  );
  removeSignalHandlers();
  await miniflare.ready;
  const urls = await Promise.all([NAME, ...edgeNames].map((name) => miniflare.unsafeGetDirectURL(name)));
  const [url = "", ...edgeUrls] = urls.map(({ origin }) => origin);
  return {
    url,
    edgeUrls,
    runCron: async () => {
      const { outcome } = await (await miniflare.getWorker(ANCHOR_NAME)).scheduled();
      if (outcome !== "ok") throw new Error(`the run of the anchoring Worker ended with ${outcome}`);
    },
    stop: () => {
      isStopping = true;
      return miniflare.dispose();
    },
  };
}

/** The objects of a Worker's options, as another Worker is bound to them. */
function objectsOf(scriptName: string, options: object): Record<string, { className: string; scriptName: string }> {
  const { durableObjects } = options as { readonly durableObjects: Readonly<Record<string, { className: string }>> };
  const bindings = Object.entries(durableObjects);
  return Object.fromEntries(bindings.map(([name, { className }]) => [name, { className, scriptName }]));
}

function anchorOptions(
  { bundle, variables }: AnchorWorker,
  hyperdrives: Readonly<Record<string, string>>,
  { LOG_LEVEL }: Variables,
) {
  const level = LOG_LEVEL === undefined ? {} : { LOG_LEVEL };
  const { workerOptions } = unstable_getMiniflareWorkerOptions(WORKER_CONFIGS.anchor);
  return {
    ...workerOptions,
    name: ANCHOR_NAME,
    bindings: { ...QUIET, ...level, ...variables },
    hyperdrives: { ...hyperdrives },
    modules: [{ type: "ESModule" as const, path: "index.js", contents: bundle }],
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

/** Shows messages as Miniflare would, but not all of them. */
function messageLog(shows: (message: string) => boolean): (log: { level: string; message: string }) => void {
  return ({ level, message }) => {
    if (!shows(message)) return;
    const isWrong = level === "error" || level === "warn";
    if (isWrong) process.stderr.write(`${styleText("red", message, { stream: process.stderr })}\n`);
    else process.stdout.write(`${message}\n`);
  };
}

/** Removes, when it is called, what handles signals since it was made. */
function watchSignalHandlers(): () => void {
  const before = new Map(SIGNALS.map((signal) => [signal, process.listeners(signal)]));
  return () => {
    for (const [signal, kept] of before) {
      for (const listener of process.listeners(signal)) {
        if (!kept.includes(listener)) process.removeListener(signal, listener);
      }
    }
  };
}

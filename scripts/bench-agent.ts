import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createAgent } from "../agent/src/agent.ts";
import { openSqliteStore } from "../agent/src/store/sqlite.ts";
import { generateSeed, signingKeyFromSeed, toHex, verifyEd25519 } from "../src/ves/index.ts";
import { serverCpuMicros } from "./bench/server-cpu.ts";
import { bundleWorker } from "./lib/bundle-worker.ts";
import { registerKey } from "./lib/client.ts";
import { newVariables } from "./lib/dev-vars.ts";
import { startWorker } from "./lib/local-server.ts";

/*
 * `npm run bench:agent`: how fast an agent is on this machine, on disk and against a sequencer of its own. Wall time is the
 * machine's, whatever else it does; processor time is the agent's, and how that compares with the one signature check that it
 * cannot do without. From both processor times follows what two processors would give that do nothing else.
 */

const EVENTS = 10_000;
/** Enough at a time to keep every thread of the crypto pool busy. */
const CHECKS = 2_000;
const ADMIN_KEY = "BOOTSTRAP_ADMIN_API_KEY";

/** What a stretch of work took: processor time is in microseconds for each event. */
interface Stretch {
  readonly perSecond: number;
  /** Of this process, all its threads. */
  readonly cpuMicros: number;
  /** Of its main thread; everything but signatures is done there. */
  readonly mainMicros: number;
  /** Of the sequencer; null where the system does not tell. */
  readonly serverMicros: number | null;
}

async function measure(count: number, work: () => Promise<unknown>): Promise<Stretch> {
  const each = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / count;
  const [cpu, main, server] = [process.cpuUsage(), process.threadCpuUsage(), serverCpuMicros()];
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1_000;
  const serverNow = serverCpuMicros();
  return {
    perSecond: count / seconds,
    cpuMicros: each(process.cpuUsage(cpu)),
    mainMicros: each(process.threadCpuUsage(main)),
    serverMicros: server === null || serverNow === null ? null : (serverNow - server) / count,
  };
}

/** Events per second that two processors give at best that do nothing else, when the sequencer is on them too. */
function bestOfTwo({ cpuMicros, mainMicros, serverMicros }: Stretch): number {
  return Math.min(1e6 / mainMicros, 2e6 / (cpuMicros + (serverMicros ?? 0)));
}

function report(name: string, stretch: Stretch, check: Stretch, goal: number | null): void {
  const { perSecond, cpuMicros, mainMicros, serverMicros } = stretch;
  const verdict = goal === null ? "" : `${goal.toLocaleString("en")}: ${perSecond >= goal ? "pass" : "MISS"}`;
  row([
    name,
    rounded(perSecond),
    rounded(cpuMicros),
    rounded(mainMicros),
    serverMicros === null ? "?" : rounded(serverMicros),
    (cpuMicros / check.cpuMicros).toFixed(1),
    rounded(bestOfTwo(stretch)),
    verdict,
  ]);
}

function rounded(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function row([name = "", ...cells]: readonly string[]): void {
  process.stdout.write(`${name.padEnd(30)}${cells.map((cell) => cell.padStart(13)).join("")}\n`);
}

const directory = mkdtempSync(join(tmpdir(), "bench-agent-"));
const variables = newVariables();
const server = await startWorker({ bundle: await bundleWorker(), variables, dataDirectory: directory, port: 0 });
try {
  process.stdout.write(`${cpus().length} x ${cpus()[0]?.model ?? "unknown"}, Node ${process.versions.node}\n`);
  const credential = variables[ADMIN_KEY] ?? "";
  const seed = generateSeed();
  const key = await signingKeyFromSeed(seed);
  const identity = {
    tenantId: crypto.randomUUID(),
    storeId: crypto.randomUUID(),
    agentId: crypto.randomUUID(),
    keyId: 1,
  };
  await registerKey({ url: server.url, apiKey: credential }, { ...identity, key });
  const open = (name: string) => {
    const store = openSqliteStore(join(directory, `${name}.db`));
    return createAgent({ url: server.url, credential, identity, keys: { signing: toHex(seed) }, store });
  };

  const message = crypto.getRandomValues(new Uint8Array(32));
  const signature = await key.sign(message);
  const check = await measure(CHECKS, () =>
    Promise.all(Array.from({ length: CHECKS }, () => verifyEd25519(key.publicKey, message, signature))),
  );
  row([
    "microseconds are an event's",
    "events/s",
    "agent us",
    "main us",
    "sequencer us",
    "checks",
    "best of two",
    "goal",
  ]);
  report("check one Ed25519 signature", check, check, null);

  const payload = { items: [{ sku: "A-1", quantity: 2, price: "19.99" }], note: "x".repeat(300), total: "39.98" };
  const event = (n: number) => ({
    entityType: "order",
    entityId: `o${n % 2_500}`,
    eventType: "order.changed",
    payload,
  });
  const writer = await open("writer");
  const one = await measure(200, async () => {
    for (let n = 0; n < 200; n++) await writer.record(event(n));
  });
  report("record, one after another", one, check, null);
  const recorded = await measure(EVENTS, () =>
    Promise.all(Array.from({ length: EVENTS }, (_, n) => writer.record(event(n)))),
  );
  report("record, many at once", recorded, check, 2_000);

  const pushed = await measure(EVENTS, async () => {
    const { stopped } = await writer.push();
    if (stopped !== null) throw stopped;
  });
  report("push, receipts verified", pushed, check, null);

  const reader = await open("reader");
  const pulled = await measure(EVENTS, () => reader.pull());
  report("pull and verify", pulled, check, 5_000);
  const { pulledSequence, quarantined } = reader.status();
  if (pulledSequence !== EVENTS + 200 || quarantined > 0) throw new Error("the log was not pulled as it was pushed");
  await Promise.all([writer.close(), reader.close()]);
} finally {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}

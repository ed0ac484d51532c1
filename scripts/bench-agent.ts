import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createAgent } from "../agent/src/agent.ts";
import { openSqliteStore } from "../agent/src/store/sqlite.ts";
import { generateSeed, signingKeyFromSeed, toHex, verifyEd25519 } from "../src/ves/index.ts";
import { bundleWorker } from "./lib/bundle-worker.ts";
import { registerKey } from "./lib/client.ts";
import { newVariables } from "./lib/dev-vars.ts";
import { startWorker } from "./lib/local-server.ts";

/*
 * `npm run bench:agent`: how fast an agent is on this machine, on disk and against a sequencer of its own. Wall time is the
 * machine's; what the agent takes of its processor for an event, and how that compares with the one signature check that it
 * cannot do without, is the agent's.
 */

const EVENTS = 10_000;
/** Enough at a time to keep every thread of the crypto pool busy. */
const CHECKS = 2_000;
const ADMIN_KEY = "BOOTSTRAP_ADMIN_API_KEY";

/** How long a stretch of work on {@link EVENTS} events took. */
interface Stretch {
  readonly perSecond: number;
  /** Processor time of this process, all its threads, in microseconds for each event. */
  readonly cpuMicros: number;
}

async function measure(count: number, work: () => Promise<unknown>): Promise<Stretch> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: count / seconds, cpuMicros: (user + system) / count };
}

function report(name: string, { perSecond, cpuMicros }: Stretch, check: Stretch, goal: number | null): void {
  const rate = `${Math.round(perSecond).toLocaleString("en")} events/s`.padStart(18);
  const cpu = `${cpuMicros.toFixed(0)} us CPU an event`.padStart(22);
  const ratio = `${(cpuMicros / check.cpuMicros).toFixed(1)} checks`.padStart(12);
  const verdict = goal === null ? "" : `   goal ${goal.toLocaleString("en")}: ${perSecond >= goal ? "pass" : "MISS"}`;
  process.stdout.write(`${name.padEnd(34)}${rate}${cpu}${ratio}${verdict}\n`);
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
    return createAgent({ url: server.url, credential, identity, key: toHex(seed), store });
  };

  const message = crypto.getRandomValues(new Uint8Array(32));
  const signature = await key.sign(message);
  const check = await measure(CHECKS, () =>
    Promise.all(Array.from({ length: CHECKS }, () => verifyEd25519(key.publicKey, message, signature))),
  );
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
  const share = (pushed.cpuMicros * pushed.perSecond) / 10_000;
  process.stdout.write(`  of the time of a push, the agent takes ${share.toFixed(0)} % of one processor\n`);

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

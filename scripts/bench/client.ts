import { performance } from "node:perf_hooks";
import { fromHex, signingKeyFromSeed } from "../../src/ves/index.ts";
import { signEvent, type Signer } from "../lib/signer.ts";
import { HttpConnection, serializeRequest } from "./http-connection.ts";
import type { ClientRun, FromClient, LoadPlan, ToClient } from "./load-messages.ts";
import { factOf } from "./workload.ts";

/*
 * One client process (see load.ts, which forks it).
 */

let plan: LoadPlan | null = null;
let requests: Buffer[] = [];

// Ctrl-C reaches the whole group; the parent decides when its clients go.
process.on("SIGINT", () => undefined);
process.on("disconnect", () => process.exit(0));
process.on("message", (message: ToClient) => void handle(message));

async function handle(message: ToClient): Promise<void> {
  if (message.type === "prepare") {
    plan = message.plan;
    requests = await prepare(message.plan);
    reply({ type: "prepared" });
  } else if (plan !== null) {
    reply({ type: "ran", run: await run(plan, message.forMs) });
    requests = [];
  }
}

function reply(message: FromClient): void {
  process.send?.(message);
}

async function prepare(options: LoadPlan): Promise<Buffer[]> {
  const { tenantId, storeId, agentId, keyId, batchSize } = options;
  const signer: Signer = { tenantId, storeId, agentId, keyId, key: await signingKeyFromSeed(fromHex(options.seed)) };
  const url = new URL("/api/v1/ves/events/ingest", options.url);
  const made: Buffer[] = [];
  let index = 0;
  for (let i = 0; i < options.requests; i++) {
    const facts = Array.from({ length: batchSize }, () => factOf(index++, options));
    // Random ids, which cost an index most: see section D.
    const events = await Promise.all(facts.map((fact) => signEvent(signer, { ...fact, eventId: crypto.randomUUID() })));
    made.push(serializeRequest(url, options.apiKey, JSON.stringify({ agentId, events })));
  }
  return made;
}

async function run({ url, callers, batchSize }: LoadPlan, forMs: number): Promise<ClientRun> {
  const started: number[] = [];
  const ended: number[] = [];
  const expected = Buffer.from(`"eventsAccepted":${batchSize},"eventsRejected":0,`);
  const deadline = now() + forMs;
  let next = 0;
  let ranOutAt: number | null = null;
  let errors = 0;
  let firstError: string | null = null;

  async function caller(connection: HttpConnection): Promise<void> {
    while (now() < deadline) {
      const request = requests[next++];
      if (request === undefined) {
        ranOutAt ??= now();
        return;
      }
      const sentAt = now();
      const { status, body } = await connection.send(request);
      started.push(sentAt);
      ended.push(now());
      if (status === 200 && body.subarray(0, 256).includes(expected)) continue;
      errors++;
      firstError ??= `${status} ${body.toString("utf8", 0, 300)}`;
    }
  }

  const connections = Array.from({ length: callers }, () => new HttpConnection(new URL(url)));
  await Promise.all(
    connections.map((connection) =>
      caller(connection).catch((error: Error) => {
        errors++;
        firstError ??= error.message;
      }),
    ),
  );
  for (const connection of connections) connection.close();
  return { started: Float64Array.from(started), ended: Float64Array.from(ended), ranOutAt, errors, firstError };
}

/** Comparable between processes of one machine. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

import { generateSeed, signingKeyFromSeed } from "../../../src/ves/index.ts";
import { call, registerKey, type Server } from "../../lib/client.ts";
import { signEvent, type Signer } from "../../lib/signer.ts";
import type { Bench } from "../bench.ts";
import { HttpConnection, serializeRequest } from "../http-connection.ts";
import { progress, type SectionResult } from "../report.ts";
import { median } from "../statistics.ts";
import { factOf } from "../workload.ts";

/** Events of a request, and requests of each side. A request of one event has least else to do. */
const SIZES = [
  { batchSize: 1, requests: 1_500 },
  { batchSize: 100, requests: 200 },
] as const;
const QUICK_SHARE = 1 / 4;
/** Requests of each size and side that warm up. */
const WARM_UP = 20;
/** The most that a key may be given, and more than are made here. */
const KEY_LIMIT = 10_000;
const LIMITED = { RATE_LIMIT_PER_MINUTE: "1000000" };
const OPEN = { AUTH_MODE: "disabled", ALLOW_AUTH_DISABLED: "true" };

/**
 * J: what it takes of ingest to find out who asks and to count it. One caller; the sides take turns request by request, so
 * that other work on the machine meets both alike.
 */
export async function accessSection(bench: Bench): Promise<SectionResult> {
  const open = await newSide({ ...(await bench.servers.startWith("open", OPEN)), apiKey: "" });
  const limited = await newSide(await bench.servers.startWith("limited", LIMITED), KEY_LIMIT);
  const rows: number[][] = [];
  for (const { batchSize, requests } of SIZES) {
    progress(`J: requests of ${batchSize}`);
    const count = WARM_UP + Math.ceil(requests * (bench.options.quick ? QUICK_SHARE : 1));
    const ms: Record<"open" | "limited", number[]> = { open: [], limited: [] };
    const [openRequests, limitedRequests] = [
      await open.prepare(count, batchSize),
      await limited.prepare(count, batchSize),
    ];
    for (let n = 0; n < count; n++) {
      ms.open.push(await open.send(openRequests[n]));
      ms.limited.push(await limited.send(limitedRequests[n]));
    }
    const [withoutMs, withMs] = [median(ms.open.slice(WARM_UP)), median(ms.limited.slice(WARM_UP))];
    rows.push([batchSize, (batchSize * 1_000) / withoutMs, (batchSize * 1_000) / withMs, withoutMs / withMs]);
  }
  open.close();
  limited.close();
  return {
    tables: [
      {
        title: "Verified ingest by one caller, by the median time of a request",
        columns: ["events/request", "without authentication, events/s", "by API key, with limits", "ratio"],
        rows,
      },
    ],
    targets: rows.map(([batchSize = NaN, , , ratio = NaN]) => ({
      name: `with API key and limits / without, requests of ${batchSize}`,
      value: ratio,
      bound: { atLeast: 0.9 },
    })),
  };
}

/** A server, an agent of it, and a connection. */
async function newSide(server: Server, rateLimit?: number) {
  const [tenantId, storeId, agentId] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
  const signer: Signer = { tenantId, storeId, agentId, keyId: 1, key: await signingKeyFromSeed(generateSeed()) };
  await registerKey(server, signer);
  const apiKey = rateLimit === undefined ? server.apiKey : await limitedKey(server, signer, rateLimit);
  const connection = new HttpConnection(new URL(server.url));
  let index = 0;
  return {
    prepare: async (count: number, batchSize: number): Promise<readonly Buffer[]> => {
      const url = new URL("/api/v1/ves/events/ingest", server.url);
      const made: Buffer[] = [];
      for (let n = 0; n < count; n++) {
        const facts = Array.from({ length: batchSize }, () => factOf(index++, { prefix: "J", commandIds: false }));
        const events = await Promise.all(facts.map((fact) => signEvent(signer, fact)));
        made.push(serializeRequest(url, apiKey, JSON.stringify({ agentId, events })));
      }
      return made;
    },
    /** @returns the milliseconds it took. @throws Error unless it is accepted */
    send: async (request: Buffer | undefined): Promise<number> => {
      if (request === undefined) throw new RangeError("there are no more requests");
      const started = performance.now();
      const { status, body } = await connection.send(request);
      const ms = performance.now() - started;
      if (status === 200 && body.includes('"eventsRejected":0,')) return ms;
      throw new Error(`not accepted: ${status} ${body.toString("utf8", 0, 300)}`);
    },
    close: () => connection.close(),
  };
}

async function limitedKey(server: Server, { tenantId, agentId }: Signer, rateLimit: number): Promise<string> {
  const path = `/api/v1/agents/${agentId}/api-keys`;
  const { apiKey } = await call<{ apiKey: string }>(server, "POST", path, { tenantId, rateLimit });
  return apiKey;
}

import { afterAll, beforeAll, expect, test } from "vitest";
import { push, registerKey, type Server } from "../../scripts/lib/client.ts";
import { newSigner, type Signer, signEvent } from "../../scripts/lib/signer.ts";
import {
  bundleFile,
  removeTempDirs,
  type ServerProcess,
  startServer,
  tempDir,
  waitUntil,
} from "./support/processes.ts";
import { scrape } from "./support/scrape.ts";

/*
 * Several isolates count, and each of them knows only a part. What is shown must be the whole: after kills too, for what
 * is read from the streams themselves.
 */

const EDGES = 3;
const EVENTS = 4;

let bundle: string;

beforeAll(async () => {
  bundle = await bundleFile();
});
afterAll(removeTempDirs);

/** Everybody pushes through every isolate at once. @returns how many events were accepted, and how many of them sent again */
async function pushEverywhere(server: ServerProcess, signers: readonly Signer[]): Promise<number> {
  const everywhere: Server[] = [server, ...server.edgeUrls.map((url) => ({ url, apiKey: server.apiKey }))];
  const accepted = await Promise.all(
    everywhere.flatMap((place) =>
      signers.map(async (signer) => {
        const fact = { entityType: "order", entityId: crypto.randomUUID(), eventType: "order.created", payload: 1 };
        const events = await Promise.all(Array.from({ length: EVENTS }, () => signEvent(signer, fact)));
        const { eventsAccepted } = await push(place, signer.agentId, events);
        return eventsAccepted;
      }),
    ),
  );
  return accepted.reduce((sum, count) => sum + count, 0);
}

async function newSigners(server: Server): Promise<Signer[]> {
  const signers = await Promise.all(
    Array.from({ length: 5 }, () => newSigner(crypto.randomUUID(), crypto.randomUUID())),
  );
  for (const signer of signers) await registerKey(server, signer);
  return signers;
}

const numberOf = async (server: Server, series: string): Promise<number | undefined> =>
  (await scrape(server)).get(series);

test("counters are the sum of all isolates, and survive a server that ends when they were delivered", async () => {
  const data = tempDir();
  let server = await startServer(bundle, data, { edges: EDGES });
  const requests = 'sequencer_http_requests_total{method="POST",path="/api/v1/ves/events/ingest",status="200"}';
  let pushed = 0;
  let sent = 0;
  try {
    for (let round = 1; round <= 3; round++) {
      pushed += await pushEverywhere(server, await newSigners(server));
      sent += 5 * (EDGES + 1);
      const isDelivered = async (): Promise<boolean> => (await numberOf(server, requests)) === sent;
      await waitUntil(isDelivered, 10_000, `all ${sent} requests are counted`);
      const numbers = await scrape(server);
      for (const series of ["sequencer_events_ingested", "sequencer_ves_events_received"]) {
        expect(numbers.get(series)).toBe(pushed);
      }
      expect(numbers.get("sequencer_ingest_latency_seconds_count")).toBe(sent);
      // Asked through another isolate it is the same.
      const [edge = ""] = server.edgeUrls;
      expect(await numberOf({ ...server, url: edge }, requests)).toBe(sent);
      await server.kill();
      server = await startServer(bundle, data, { edges: EDGES });
    }
    expect(await numberOf(server, requests)).toBe(sent);
  } finally {
    await server.kill();
  }
});

test("as many events are sequenced as were accepted, whenever everything is killed", async () => {
  const data = tempDir();
  let server = await startServer(bundle, data, { edges: EDGES });
  let pushed = 0;
  try {
    for (let round = 0; round < 3; round++) {
      pushed += await pushEverywhere(server, await newSigners(server));
      // Nobody has delivered anything by now, and no stream has reported.
      await server.kill();
      server = await startServer(bundle, data, { edges: EDGES });
    }
    expect(pushed).toBe(3 * 5 * (EDGES + 1) * EVENTS);
    const isTold = async (): Promise<boolean> => (await numberOf(server, "sequencer_events_sequenced")) === pushed;
    await waitUntil(isTold, 30_000, `all ${pushed} events are told of`);
    const numbers = await scrape(server);
    expect(numbers.get("sequencer_streams")).toBe(15);
    expect(numbers.get("sequencer_events_unsealed")).toBe(0);
  } finally {
    await server.kill();
  }
});

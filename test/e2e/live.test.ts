import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiError, call, push, registerKey } from "../../scripts/lib/client.ts";
import { newSigner, type Signer, signEvent } from "../../scripts/lib/signer.ts";
import type { WireEnvelope } from "../../src/ves/index.ts";
import { provenNumbers } from "../support/live-client.ts";
import { LiveReader } from "./support/live-reader.ts";
import {
  bundleFile,
  removeTempDirs,
  type ServerProcess,
  startServer,
  tempDir,
  waitUntil,
} from "./support/processes.ts";

/** Batches seal often, so that kills meet them too. */
const variables = { SEAL_MAX_EVENTS: "40", SEAL_MAX_AGE_MS: "150" };
const PUSHERS = 3;
/** Of all readers together: they are in the middle of it. */
const RECEIVED_BEFORE_KILL = 150;
const WATCHERS = 100;
const STORM = 200;
/** Appends that a latency is the median of. */
const APPENDS = 40;

let bundle: string;

beforeAll(async () => {
  bundle = await bundleFile();
});
afterAll(removeTempDirs);

describe("live subscriptions over real sockets", () => {
  test("lose and repeat nothing when the server is killed under load", async () => {
    const data = tempDir();
    let server = await startServer(bundle, data, { variables });
    const readers: LiveReader[] = [];
    try {
      const signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
      await registerKey(server, signer);
      await push(server, signer.agentId, await facts(signer, 5));
      const queries = [{}, {}, { from: 4 }, { entity_type: "even" }, { entity_type: "odd" }];
      readers.push(...queries.map((query) => new LiveReader(() => server, signer, query)));

      let isKilled = false;
      const pushing = Promise.all(
        Array.from({ length: PUSHERS }, () => pushUntilKilled(server, signer, () => isKilled)),
      );
      const received = (): number => readers.reduce((sum, reader) => sum + reader.envelopes.length, 0);
      // A pusher that fails ends the wait at once.
      await Promise.race([waitUntil(() => received() > RECEIVED_BEFORE_KILL, 20_000, "events come"), pushing]);
      isKilled = true;
      await server.kill();
      const pending = await pushing;
      server = await startServer(bundle, data, { variables });
      for (const events of pending) await push(server, signer.agentId, events);
      await push(server, signer.agentId, await facts(signer, 60));

      const log = await readLog(server, signer);
      const head = log.length;
      await waitUntil(() => readers.every((reader) => reader.proven === head), 30_000, "every reader has all proofs");
      for (const [index, reader] of readers.entries()) {
        const { from = 1, entity_type: type } = queries[index] ?? {};
        const wanted = log.filter(
          (row) => row.sequence_number >= from && (type === undefined || row.entity_type === type),
        );
        expect(reader.envelopes).toEqual(wanted);
        expect(provenNumbers(reader.envelopes, reader.batches)).toEqual(wanted.map((row) => row.sequence_number));
        expect(reader.connections).toBeGreaterThan(1);
      }
    } finally {
      for (const reader of readers) reader.stop();
      await server.kill();
    }
  });

  test(`delay appends little, and all come back after a restart, ${STORM} at once`, async () => {
    const data = tempDir();
    let server = await startServer(bundle, data);
    const readers: LiveReader[] = [];
    try {
      const signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
      await registerKey(server, signer);
      await medianAppendMs(server, signer);
      const alone = await medianAppendMs(server, signer);
      const subscribe = (count: number): void => {
        const query = { from: 2 * APPENDS - 4 };
        readers.push(...Array.from({ length: count }, () => new LiveReader(() => server, signer, query)));
      };
      subscribe(WATCHERS);
      const allHave = (head: number) => () => readers.every((reader) => reader.sequence === head);
      await waitUntil(allHave(2 * APPENDS), 20_000, "all readers have the backlog");
      const watched = await medianAppendMs(server, signer);
      await waitUntil(allHave(3 * APPENDS), 20_000, "all readers have what was pushed");
      // Subscribers and pusher are one process, which also takes in every event for each of them.
      expect(watched).toBeLessThan(4 * alone + 60);

      subscribe(STORM - WATCHERS);
      await waitUntil(allHave(3 * APPENDS), 20_000, "the others have the same");
      await server.kill();
      server = await startServer(bundle, data);
      const [last] = await facts(signer, 1);
      await push(server, signer.agentId, last === undefined ? [] : [last]);
      await waitUntil(allHave(3 * APPENDS + 1), 30_000, "all readers are back");
      const wanted = Array.from({ length: APPENDS + 6 }, (_, index) => 2 * APPENDS - 4 + index);
      for (const reader of readers) expect(reader.envelopes.map((row) => row.sequence_number)).toEqual(wanted);
    } finally {
      for (const reader of readers) reader.stop();
      await server.kill();
    }
  });
});

async function facts(signer: Signer, count: number): Promise<WireEnvelope[]> {
  return Promise.all(
    Array.from({ length: count }, (_, n) => {
      const fact = { entityType: n % 2 === 0 ? "even" : "odd", entityId: String(n), eventType: "thing.changed" };
      return signEvent(signer, { ...fact, payload: { text: "x".repeat(10 * n), n } });
    }),
  );
}

/** Pushes request after request. Answers with the one that got no answer. */
async function pushUntilKilled(
  server: ServerProcess,
  signer: Signer,
  isKilled: () => boolean,
): Promise<WireEnvelope[]> {
  for (;;) {
    const events = await facts(signer, 7);
    try {
      await push(server, signer.agentId, events);
    } catch (error) {
      if (!isKilled() || error instanceof ApiError) throw error;
      return events;
    }
  }
}

interface LogPage {
  readonly events: readonly { readonly envelope: LiveReader["envelopes"][number] }[];
  readonly next_sequence: number;
  readonly has_more: boolean;
}

async function readLog(server: ServerProcess, { tenantId, storeId }: Signer): Promise<LiveReader["envelopes"]> {
  const path = `/api/v1/ves/events?tenant_id=${tenantId}&store_id=${storeId}&limit=1000`;
  const rows: LiveReader["envelopes"][number][] = [];
  for (let from = 1; ;) {
    const page = await call<LogPage>(server, "GET", `${path}&from=${from}`);
    rows.push(...page.events.map(({ envelope }) => envelope));
    if (!page.has_more) return rows;
    from = page.next_sequence;
  }
}

async function medianAppendMs(server: ServerProcess, signer: Signer): Promise<number> {
  const times: number[] = [];
  for (const fact of await facts(signer, APPENDS)) {
    const started = performance.now();
    await push(server, signer.agentId, [fact]);
    times.push(performance.now() - started);
  }
  return times.toSorted((a, b) => a - b)[APPENDS / 2] ?? Infinity;
}

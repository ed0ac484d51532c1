import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { registerKey } from "../../scripts/lib/client.ts";
import type { Variables } from "../../scripts/lib/local-server.ts";
import { newSigner, signEvent } from "../../scripts/lib/signer.ts";
import { type OwnDatabase, ownDatabase } from "../support/own-database.ts";
import {
  bundleFile,
  removeTempDirs,
  type ServerProcess,
  startServer,
  tempDir,
  waitUntil,
} from "./support/processes.ts";
import { type CollectedSpan, type SpanCollector, startCollector } from "./support/span-collector.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
/** Of one ingest into a new stream. */
const SPANS = 6;
const INGEST = "/api/v1/ves/events/ingest";

let bundle: string;
let collector: SpanCollector;
let database: OwnDatabase;
let server: ServerProcess;

beforeAll(async () => {
  bundle = await bundleFile();
});
beforeEach(async () => {
  [collector, database] = await Promise.all([startCollector(), ownDatabase(inject("postgresUrl"))]);
});
afterEach(async () => {
  await server.kill();
  await collector.stop();
  await database.drop();
});
afterAll(removeTempDirs);

async function start(variables: Variables = {}): Promise<void> {
  server = await startServer(bundle, tempDir(), {
    databaseUrl: database.url,
    variables: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      OTEL_EXPORTER_OTLP_HEADERS: "x-collector-key=a%20secret",
      OTEL_SERVICE_NAME: "under-test",
      SEAL_MAX_AGE_MS: "200",
      ...variables,
    },
    keepErrors: true,
  });
}

/** Pushes an event of a new agent. */
async function pushOne(headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
  await registerKey(server, signer);
  const fact = { entityType: "order", entityId: "1", eventType: "order.created", payload: 1 };
  const response = await fetch(server.url + INGEST, {
    method: "POST",
    headers: { authorization: `ApiKey ${server.apiKey}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ agentId: signer.agentId, events: [await signEvent(signer, fact)] }),
  });
  expect(response.status).toBe(200);
}

const inTrace = (traceId: string): CollectedSpan[] => collector.spans.filter((span) => span.traceId === traceId);
const untilSpans = (condition: () => boolean): Promise<void> => waitUntil(condition, 10_000, "the spans have come");

function attributesOf({ attributes }: CollectedSpan): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

/** `name` or `name(children)`, in the order of their beginnings. */
function tree(spans: readonly CollectedSpan[], parent: string | undefined): string {
  const children = spans.filter(({ parentSpanId }) => parentSpanId === parent);
  const texts = children.map(({ name, spanId }) => {
    const below = tree(spans, spanId);
    return below === "" ? name : `${name}(${below})`;
  });
  return texts.toSorted().join(", ");
}

test("one ingest is one trace, through the Worker and the object, below the caller's span", async () => {
  await start();
  await pushOne({ traceparent: `00-${TRACE}-${CALLER}-01` });
  await untilSpans(() => inTrace(TRACE).length >= SPANS);
  const spans = inTrace(TRACE);
  // A new stream asks Postgres whether it was lost.
  expect(tree(spans, CALLER)).toBe("request(append(append in the object(postgres)), authenticate, verify)");
  for (const { startTimeUnixNano, endTimeUnixNano, spanId } of spans) {
    expect(BigInt(endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(startTimeUnixNano));
    expect(spanId).toMatch(/^[\da-f]{16}$/);
  }
  const request = spans.find(({ name }) => name === "request");
  expect(request?.kind).toBe(2);
  expect(request && attributesOf(request)).toMatchObject({
    "http.request.method": "POST",
    "http.route": INGEST,
    "http.response.status_code": "200",
  });
  expect(collector.requests[0]).toMatchObject({
    path: "/v1/traces",
    service: "under-test",
    headers: { "x-collector-key": "a secret", "content-type": "application/json" },
  });
  // Mirroring is nobody's request: it begins a trace of its own.
  await untilSpans(() => collector.spans.some(({ name }) => name === "mirror"));
  const mirror = collector.spans.find(({ name }) => name === "mirror");
  expect(mirror?.parentSpanId).toBeUndefined();
  const below = collector.spans.filter(({ parentSpanId }) => parentSpanId === mirror?.spanId);
  expect(below.map(({ name, kind }) => [name, kind])).toEqual([["postgres", 3]]);
});

test("spans that could not be sent are sent again, and failures are told as such", async () => {
  await start();
  collector.statuses.push(503);
  await fetch(`${server.url}/health/detailed`, { headers: { authorization: `ApiKey ${server.apiKey}` } });
  await untilSpans(() => collector.spans.some(({ name }) => name === "request"));
  expect(collector.requests.length).toBeGreaterThan(1);
  expect(server.errors()).toContain('"message":"sending spans failed"');
  expect(tree(collector.spans, undefined)).toBe("request(authenticate, postgres)");
  await database.query("DROP TABLE ves_commitments CASCADE");
  const url = `${server.url}/api/v1/ves/commitments/${crypto.randomUUID()}`;
  expect((await fetch(url, { headers: { authorization: `ApiKey ${server.apiKey}` } })).status).toBe(503);
  await untilSpans(() => collector.spans.some(({ status }) => status.code === 2));
  const failed = collector.spans.filter(({ status }) => status.code === 2).map(({ name }) => name);
  expect(failed.toSorted()).toEqual(["postgres", "request"]);
});

test("a caller that does not record its trace is followed, and without one the rate decides", async () => {
  await start({ OTEL_SAMPLE_RATE: "0" });
  await pushOne({ traceparent: `00-${TRACE}-${CALLER}-00` });
  await pushOne();
  await pushOne({ traceparent: `00-${TRACE}-${CALLER}-01` });
  await untilSpans(() => inTrace(TRACE).length >= SPANS);
  expect(collector.spans).toHaveLength(SPANS);
});

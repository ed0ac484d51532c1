import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { expect, vi } from "vitest";
import type { Signer } from "../../../scripts/lib/signer.ts";
import { streamObjectName, type StreamRef } from "../../../src/stream-ref.ts";
import type { StreamSequencer } from "../../../src/stream/stream-sequencer.ts";
import { toBase64Url, utf8 } from "../../../src/ves/index.ts";
import { LiveClient } from "../../support/live-client.ts";
import { accept, ADMIN, call, event, ORIGIN, streamQuery, url, type Wire } from "../http/harness.ts";

/*
 * Live subscribers of a stream, as its tests make them.
 */

/** More than `SEAL_MAX_AGE_MS`. */
const MORE_THAN_SEAL_AGE_MS = 6_000;

export type Query = Readonly<Record<string, string | number | undefined>>;

export function liveUrl(stream: StreamRef, query: Query = {}): string {
  return url("/api/v1/ves/live", { ...streamQuery(stream), ...query });
}

/** Asks for a subscription with these headers beside that of the upgrade. */
export function upgrade(
  stream: StreamRef,
  query: Query = {},
  headers: Readonly<Record<string, string>> = { authorization: `ApiKey ${ADMIN}` },
): Promise<Response> {
  const request = new Request(ORIGIN + liveUrl(stream, query), { headers: { upgrade: "websocket", ...headers } });
  return exports.default.fetch(request);
}

/** The headers of a page, which can name nothing but subprotocols. */
export function pageHeaders(credential: string, origin: string): Record<string, string> {
  return { origin, "sec-websocket-protocol": `ves.v1, ves.key.${toBase64Url(utf8(credential))}` };
}

export async function subscribe(
  stream: StreamRef,
  query: Query = {},
  options: { readonly key?: string; readonly acks?: boolean } = {},
): Promise<LiveClient> {
  const response = await upgrade(stream, query, { authorization: `ApiKey ${options.key ?? ADMIN}` });
  expect(response.status).toBe(101);
  const socket = response.webSocket;
  if (socket === null) throw new Error("there is no socket");
  const client = new LiveClient(socket, options);
  socket.accept();
  return client;
}

export function stubOf(stream: StreamRef): DurableObjectStub<StreamSequencer> {
  return env.STREAMS.getByName(streamObjectName(stream));
}

/** Pushes so many sound events in one request. */
export async function push(
  signer: Signer,
  count: number,
  fact: Parameters<typeof event>[1] = {},
): Promise<readonly Wire[]> {
  const events = await Promise.all(Array.from({ length: count }, () => event(signer, fact)));
  await accept(signer, ...events);
  return events;
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
}

/** Seals a range of numbers. */
export async function commit({ tenantId, storeId }: StreamRef, start: number, end: number): Promise<void> {
  const body = { tenantId, storeId, sequenceStart: start, sequenceEnd: end };
  expect((await call("POST", "/api/v1/ves/commitments", { body })).status).toBe(200);
}

/** Seals whatever is not sealed, as time alone would; a part may have been sealed in that way already. */
export function sealAll(stream: StreamRef): Promise<void> {
  return later(MORE_THAN_SEAL_AGE_MS, () => fireAlarm(stream));
}

/** Runs `work` while every clock says that it is so much later. */
export async function later<Result>(ms: number, work: () => Promise<Result>): Promise<Result> {
  const now = Date.now.bind(Date);
  const clock = vi.spyOn(Date, "now").mockImplementation(() => now() + ms);
  try {
    return await work();
  } finally {
    clock.mockRestore();
  }
}

/** Makes the object do now what its alarm would make it do. */
export function fireAlarm(stream: StreamRef): Promise<void> {
  return runInDurableObject(stubOf(stream), (instance) => instance.alarm());
}

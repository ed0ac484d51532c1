import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { SourceError } from "../../scripts/fsck/log-source.ts";
import { callPatiently } from "../../scripts/fsck/retry.ts";
import { ApiError, type Server } from "../../scripts/lib/client.ts";

interface Answer {
  readonly status: number;
  readonly code?: string;
}

/** A server that gives these answers one after the other, and the last one for ever. 0 breaks the connection. */
async function answering(...answers: readonly Answer[]): Promise<Server & { readonly asked: () => number }> {
  let asked = 0;
  const server = createServer((request, response) => {
    const { status, code } = answers[Math.min(asked++, answers.length - 1)] ?? { status: 0 };
    if (status === 0) {
      request.socket.destroy();
      return;
    }
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(status === 200 ? { asked } : { code, message: "not now" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, apiKey: "k", asked: () => asked };
}

test("repeats a call while the server is out of reach or busy", async () => {
  const server = await answering({ status: 0 }, { status: 503 }, { status: 429 }, { status: 200 });
  expect(await callPatiently(server, "GET", "/", undefined, 10)).toEqual({ asked: 4 });
});

test("gives up after six calls, with a sentence", async () => {
  const server = await answering({ status: 503, code: "SERVICE_UNAVAILABLE" });
  const error = await callPatiently(server, "GET", "/", undefined, 10).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(SourceError);
  expect((error as Error).message).toBe(
    `The sequencer at ${server.url} keeps answering 503 SERVICE_UNAVAILABLE: not now.`,
  );
  expect(server.asked()).toBe(6);
});

test.each<Answer>([
  { status: 401, code: "INVALID_API_KEY" },
  { status: 404, code: "RESOURCE_NOT_FOUND" },
  { status: 409, code: "ALREADY_EXISTS" },
  { status: 503, code: "STREAM_FROZEN" },
])("does not repeat what would be answered the same: $code", async (answer) => {
  const server = await answering(answer);
  await expect(callPatiently(server, "GET", "/", undefined, 10)).rejects.toBeInstanceOf(ApiError);
  expect(server.asked()).toBe(1);
});

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

/*
 * Stands between agents and the sequencer, and does to requests what networks do.
 */

/** What becomes of a request. Absent: it passes. */
export type Mishap =
  /** The connection breaks before the server hears of it. */
  | { readonly kind: "cut" }
  /** The server does it, and the connection breaks before it is answered. */
  | { readonly kind: "answer lost" }
  /** It reaches the server so much later, in milliseconds. */
  | { readonly kind: "late"; readonly ms: number }
  /** A copy of it reaches the server so much later, in milliseconds, and nobody hears its answer. */
  | { readonly kind: "twice"; readonly ms: number };

export interface HttpProxy {
  readonly url: string;
  /** Where the server is; it may change. */
  target: string;
  /** Decides about each request from now on. */
  mishap: () => Mishap | undefined;
  /** How often each kind of mishap has come. */
  readonly counts: Map<Mishap["kind"], number>;
  /** Answers of the server that were passed on. */
  answered: number;
  readonly close: () => Promise<void>;
}

export async function startHttpProxy(target: string): Promise<HttpProxy> {
  const server = createServer((request, response) => {
    // Also when the server behind it is gone: to the agent, a broken connection is all that it sees.
    void relay(request, response).catch(() => request.socket.destroy());
  });
  const relay = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const mishap = proxy.mishap();
    if (mishap !== undefined) proxy.counts.set(mishap.kind, (proxy.counts.get(mishap.kind) ?? 0) + 1);
    if (mishap?.kind === "cut") return void request.socket.destroy();
    if (mishap?.kind === "late") await sleep(mishap.ms);
    if (mishap?.kind === "twice") void sleep(mishap.ms).then(() => forward(request, body).catch(() => undefined));
    const answer = await forward(request, body);
    const content = await answer.text();
    if (mishap?.kind === "answer lost") return void request.socket.destroy();
    const retryAfter = answer.headers.get("retry-after");
    response.writeHead(answer.status, retryAfter === null ? {} : { "retry-after": retryAfter });
    response.end(content);
    proxy.answered++;
  };
  const forward = ({ method = "GET", url = "", headers }: IncomingMessage, body: string): Promise<Response> =>
    fetch(proxy.target + url, {
      method,
      headers: { authorization: headers.authorization ?? "", "content-type": "application/json" },
      ...(method === "GET" ? {} : { body }),
    });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy: HttpProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target,
    mishap: () => undefined,
    counts: new Map(),
    answered: 0,
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
  return proxy;
}

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/*
 * Stands between the anchoring Worker and the chain's node, and does to its JSON-RPC what networks and nodes do.
 */

/** What becomes of a request. Absent: it passes. */
export type Interference =
  /** The connection breaks before the node hears of it. */
  | { readonly kind: "cut" }
  /** The node does it, and the connection breaks before it is answered. */
  | { readonly kind: "answer lost" }
  /** It reaches the node so much later, in milliseconds. */
  | { readonly kind: "late"; readonly ms: number }
  /** The node answers, and something else is passed on; where that was an error, it is made of nothing. */
  | { readonly kind: "lie"; readonly result: (result: unknown) => unknown }
  /** An error of the node's own, which has done nothing. */
  | { readonly kind: "refuse"; readonly message: string; readonly code?: number };

export interface RpcRequest {
  readonly method: string;
  /** Absent where the method takes none. */
  readonly params?: readonly unknown[];
}

export interface RpcProxy {
  readonly url: string;
  /** Decides about each request from now on. */
  interfere: (request: RpcRequest) => Interference | undefined;
  /** How often each method was asked for. */
  readonly counts: Map<string, number>;
  /** Lets everything pass again, and counts from 0. */
  readonly rest: () => void;
  readonly close: () => Promise<void>;
}

export async function startRpcProxy(target: string): Promise<RpcProxy> {
  const server = createServer((request, response) => {
    void relay(request, response).catch(() => request.socket.destroy());
  });
  const relay = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const { id, method, params } = JSON.parse(body) as RpcRequest & { id: number };
    proxy.counts.set(method, (proxy.counts.get(method) ?? 0) + 1);
    const interference = proxy.interfere({ method, ...(params === undefined ? {} : { params }) });
    if (interference?.kind === "cut") return void request.socket.destroy();
    const answer = (content: object): void => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ jsonrpc: "2.0", id, ...content }));
    };
    if (interference?.kind === "refuse") {
      return answer({ error: { code: interference.code ?? -32000, message: interference.message } });
    }
    if (interference?.kind === "late") await new Promise((resolve) => setTimeout(resolve, interference.ms));
    const headers = { "content-type": "application/json" };
    const forwarded = await fetch(target, { method: "POST", headers, body });
    const { result, error } = (await forwarded.json()) as { result?: unknown; error?: unknown };
    if (interference?.kind === "answer lost") return void request.socket.destroy();
    if (interference?.kind === "lie") return answer({ result: interference.result(result) });
    answer(error === undefined ? { result } : { error });
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy: RpcProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    interfere: () => undefined,
    counts: new Map(),
    rest: () => {
      proxy.interfere = () => undefined;
      proxy.counts.clear();
    },
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
  return proxy;
}

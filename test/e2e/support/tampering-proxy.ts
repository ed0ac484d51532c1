import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Server } from "../../../scripts/lib/client.ts";

/** Between a command and its server: answers as the server does, but for what is tampered with. */
export interface TamperingProxy extends Server {
  /** Changes the text of every answer to a path that contains this, from now on; null: changes nothing any more. */
  readonly tamper: (change: { readonly path: string; readonly with: (text: string) => string } | null) => void;
  readonly close: () => void;
}

/** Forwards GET requests, which is all that the commands under test send. */
export async function tamperingProxy({ url, apiKey }: Server): Promise<TamperingProxy> {
  let change: Parameters<TamperingProxy["tamper"]>[0] = null;
  const forward = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? "";
    const answer = await fetch(url + path, { headers: { authorization: request.headers.authorization ?? "" } });
    const text = await answer.text();
    const given = change !== null && path.includes(change.path) ? change.with(text) : text;
    response.writeHead(answer.status, { "content-type": "application/json" }).end(given);
  };
  const proxy = createServer((request, response) => void forward(request, response));
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    apiKey,
    tamper: (next) => (change = next),
    close: () => proxy.close(),
  };
}

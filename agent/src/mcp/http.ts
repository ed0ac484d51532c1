import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { hostNames, refusalOf } from "./http-guard.ts";
import { createSessions, refuse } from "./sessions.ts";

/** Where clients come over HTTP, and which. */
export interface HttpOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Names under which it is asked for besides `host`. */
  readonly allowedHosts: readonly string[];
  /** What clients have to show; nothing when absent. */
  readonly token: string | undefined;
}

/** A server that serves. */
export interface HttpListener {
  readonly url: string;
  /** Ends sessions and connections. */
  readonly close: () => Promise<void>;
}

const PATH = "/mcp";
/** Connections, streams that stay open included: twice the sessions. */
const MAX_CONNECTIONS = 512;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

/**
 * @param newServer makes the server of one client
 * @throws Error when it cannot listen there
 */
export async function serveHttp(options: HttpOptions, newServer: () => McpServer): Promise<HttpListener> {
  const sessions = createSessions(newServer);
  const hosts = hostNames(options.host, options.allowedHosts);
  const listener: Server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS });
  listener.maxConnections = MAX_CONNECTIONS;
  listener.on("request", (request, response) => {
    const { port } = listener.address() as AddressInfo;
    const refusal = refusalOf(request, { hosts, port, token: options.token });
    if (refusal !== undefined) return refuse(response, refusal.status, refusal.message);
    if (request.url?.split("?", 1)[0] !== PATH) return refuse(response, 404, `MCP is served at ${PATH}`);
    sessions.handle(request, response).catch(() => {
      if (response.headersSent) response.destroy();
      else refuse(response, 500, "The server failed while it answered this");
    });
  });
  listener.listen(options.port, options.host);
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const name = options.host.includes(":") ? `[${options.host}]` : options.host;
  return {
    url: `http://${name}:${port}${PATH}`,
    close: async () => {
      await sessions.close();
      const closed = once(listener, "close");
      listener.close();
      listener.closeAllConnections();
      await closed;
    },
  };
}

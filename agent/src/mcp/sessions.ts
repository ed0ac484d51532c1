import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";

/** The sessions of clients that come over HTTP. */
export interface Sessions {
  /** Answers a request, within its session or by opening one. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  readonly close: () => Promise<void>;
}

interface Session {
  readonly transport: StreamableHTTPServerTransport;
  readonly server: McpServer;
  /** Requests that are being answered; one of them may be a stream that stays open. */
  open: number;
  /** When the last of them ended, milliseconds since 1970. */
  usedAt: number;
}

/** A session without requests takes some kilobytes; clients that forget to end theirs are common. */
const MAX_SESSIONS = 256;
const IDLE_MS = 30 * 60_000;
const SWEEP_MS = 60_000;
const MAX_BODY_BYTES = 4 * 1024 ** 2;

/** @param newServer makes the server of one client */
export function createSessions(newServer: () => McpServer): Sessions {
  const sessions = new Map<string, Session>();
  const idle = (): [string, Session][] => Array.from(sessions).filter(([, { open }]) => open === 0);
  const end = async (id: string, { server }: Session): Promise<void> => {
    sessions.delete(id);
    await server.close();
  };
  const sweep = setInterval(() => {
    const before = Date.now() - IDLE_MS;
    for (const [id, session] of idle()) if (session.usedAt < before) void end(id, session);
  }, SWEEP_MS).unref();

  const open = async (): Promise<Session | undefined> => {
    if (sessions.size >= MAX_SESSIONS) {
      const [oldest] = idle().toSorted(([, a], [, b]) => a.usedAt - b.usedAt);
      if (oldest === undefined) return undefined;
      await end(...oldest);
    }
    const server = newServer();
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, session),
      onsessionclosed: (id) => void sessions.delete(id),
      maxRequestBodySize: MAX_BODY_BYTES,
    });
    const session: Session = { transport, server, open: 0, usedAt: Date.now() };
    await server.connect(transport);
    return session;
  };

  return {
    handle: async (request, response) => {
      const id = request.headers["mcp-session-id"];
      const session = typeof id === "string" ? sessions.get(id) : request.method === "POST" ? await open() : undefined;
      if (session === undefined) {
        if (typeof id === "string") return refuse(response, 404, "There is no such session; begin a new one");
        if (request.method !== "POST") return refuse(response, 400, "The Mcp-Session-Id header is missing");
        return refuse(response, 503, "There are as many sessions as this server takes");
      }
      session.open++;
      response.once("close", () => {
        session.open--;
        session.usedAt = Date.now();
        // What began no session was refused.
        if (session.transport.sessionId === undefined) void session.server.close();
      });
      await session.transport.handleRequest(request, response);
    },
    close: async () => {
      clearInterval(sweep);
      await Promise.all(Array.from(sessions, ([id, session]) => end(id, session)));
    },
  };
}

/** Answers as the protocol's own refusals do. */
export function refuse(response: ServerResponse, status: number, message: string): void {
  const error = { code: status === 404 ? -32_001 : -32_000, message };
  response
    .writeHead(status, {
      "content-type": "application/json",
      ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
    })
    .end(JSON.stringify({ jsonrpc: "2.0", error, id: null }));
}

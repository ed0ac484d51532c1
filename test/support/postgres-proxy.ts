import { createConnection, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/*
 * Stands between a program and Postgres, and breaks connections.
 */

export interface PostgresProxy {
  /** As the URL that it was started with. */
  readonly url: string;
  /**
   * Counts what is said to Postgres from now on, and breaks each connection on which that many things were said before.
   *
   * @param isHeard whether Postgres still hears the last one, of which then the answer alone is lost
   */
  readonly breakAfter: (count: number, isHeard: boolean) => void;
  /** How much was said since then. */
  readonly said: () => number;
  readonly close: () => Promise<void>;
}

export async function startPostgresProxy(target: string): Promise<PostgresProxy> {
  const { hostname, port } = new URL(target);
  let limit = Infinity;
  let isLastHeard = false;
  let said = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const postgres = createConnection(Number(port), hostname);
    const end = (): void => {
      client.destroy();
      // In good order, so that what was said last is still heard.
      postgres.end();
    };
    for (const socket of [client, postgres]) {
      sockets.add(socket);
      socket.on("error", end).on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    client.on("data", (chunk: Buffer) => {
      said++;
      const isOver = said > limit;
      if (!isOver || isLastHeard) postgres.write(chunk);
      if (isOver) end();
    });
    postgres.on("data", (chunk: Buffer) => client.writable && client.write(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(target);
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    breakAfter: (count, isHeard) => {
      limit = count;
      isLastHeard = isHeard;
      said = 0;
    },
    said: () => said,
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      return closed;
    },
  };
}

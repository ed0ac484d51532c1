import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/*
 * Stands between agents and the sequencer, and cuts connections, WebSockets included.
 */

export interface TcpProxy {
  readonly url: string;
  /** Where the server is; it may change. */
  target: string;
  /** Cuts all connections. */
  readonly cut: () => void;
  readonly close: () => Promise<void>;
}

export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const pairs = new Set<readonly Socket[]>();
  const server = createServer((client) => {
    const { hostname, port } = new URL(proxy.target);
    const pair = [client, connect(Number(port), hostname)] as const;
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const socket of pair) socket.on("error", end).on("close", end);
    client.pipe(pair[1]).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const socket of [...pairs].flat()) socket.destroy();
  };
  const proxy: TcpProxy = {
    target,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      return closed;
    },
  };
  return proxy;
}

import { toBase64Url, utf8 } from "../../src/ves/index.ts";

/** What is used of a WebSocket. */
export interface Socket {
  addEventListener(type: "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { readonly code: number }) => void): void;
  send(text: string): void;
  close(): void;
}

/** The platform's constructor, or one like it. */
export type SocketConstructor = new (url: string, protocols: string[]) => Socket;

/** The way to the sequencer's WebSockets. */
export interface Sockets {
  /** The credential that is current. */
  readonly credential: () => Promise<string>;
  /**
   * Begins to open one.
   *
   * @param path with its query
   * @throws whatever the platform throws when it opens none there
   */
  readonly open: (path: string, credential: string) => Socket;
}

const SUBPROTOCOL = "ves.v1";

/** @param base the sequencer's URL without a slash at its end: `http` becomes `ws`, `https` becomes `wss` */
export function socketsOf(
  base: string,
  credential: () => Promise<string>,
  Constructor: SocketConstructor | undefined,
): Sockets | undefined {
  if (Constructor === undefined) return undefined;
  return {
    credential,
    // Browsers set no headers for a WebSocket, and a URL would stand in logs.
    open: (path, secret) =>
      new Constructor(base.replace(/^http/i, "ws") + path, [SUBPROTOCOL, `ves.key.${toBase64Url(utf8(secret))}`]),
  };
}

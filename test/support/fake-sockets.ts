import type { Socket, Sockets } from "../../agent/src/sockets.ts";

/** The sequencer's end of a socket, played by a test. */
export interface FakeSocket {
  /** With its query. */
  readonly path: string;
  /** When it was opened, milliseconds since 1970. */
  readonly at: number;
  /** What the agent has said. */
  readonly said: string[];
  /** Whether the agent has closed it. */
  isClosed: boolean;
  readonly tell: (message: unknown) => void;
  readonly end: (code: number) => void;
  /** As a connection ends that was never made. */
  readonly fail: () => void;
}

export interface FakeSockets extends Sockets {
  readonly opened: FakeSocket[];
  /** Does what a server would as soon as it is connected to. */
  onOpen: (socket: FakeSocket) => void;
  /** What `credential` gives. */
  secret: string;
}

export function fakeSockets(): FakeSockets {
  const sockets: FakeSockets = {
    opened: [],
    onOpen: ({ tell }) => tell({ type: "subscribed" }),
    secret: "key",
    credential: () => Promise.resolve(sockets.secret),
    open: (path) => {
      const target = new EventTarget();
      const fake: FakeSocket = {
        path,
        at: Date.now(),
        said: [],
        isClosed: false,
        tell: (message) => {
          const data = typeof message === "string" ? message : JSON.stringify(message);
          target.dispatchEvent(Object.assign(new Event("message"), { data }));
        },
        end: (code) => void target.dispatchEvent(Object.assign(new Event("close"), { code })),
        fail: () => void target.dispatchEvent(new Event("error")),
      };
      sockets.opened.push(fake);
      setTimeout(() => sockets.onOpen(fake));
      return {
        addEventListener: target.addEventListener.bind(target) as Socket["addEventListener"],
        send: (text: string) => void fake.said.push(text),
        close: () => void (fake.isClosed = true),
      };
    },
  };
  return sockets;
}

import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/*
 * Stands between a Worker and Postgres, and does what a network does: it loses, cuts and delays what passes, at the one
 * moment where that matters most. The protocol is plain there, so it sees the statement that writes events: its rows, and the
 * Sync after it, at which Postgres commits.
 */

/**
 * - `rows cut`: the connection breaks in the middle of a batch's rows.
 * - `commit lost`: the connection breaks before the Sync reaches Postgres.
 * - `answer lost`: Postgres commits and says so; the connection breaks before that is heard.
 * - `commit late`: the Worker sees the connection break; the Sync reaches Postgres a moment later.
 * - `answer late`: the answer takes its time.
 */
export type Fault = "rows cut" | "commit lost" | "answer lost" | "commit late" | "answer late";

export interface PostgresProxy {
  /** As Postgres's own, but for the port. */
  readonly url: string;
  /** Does this to the next statement that writes events, once. Settles when it is done. */
  readonly strike: (fault: Fault) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** How late what is late comes. */
const LATE_MS = 2_000;

interface Armed {
  readonly fault: Fault;
  readonly done: () => void;
}

export async function startPostgresProxy(databaseUrl: string): Promise<PostgresProxy> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let armed: Armed | null = null;

  /** The armed fault if it is one of these; from then on it is not armed any more. */
  const take = (...faults: Fault[]): Armed | null => {
    const taken = armed !== null && faults.includes(armed.fault) ? armed : null;
    if (taken !== null) armed = null;
    return taken;
  };
  const listener = createServer((client) => {
    const server = connect(Number(target.port), target.hostname);
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.setNoDelay(true).on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
    relay(client, server, take);
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const url = new URL(databaseUrl);
  url.port = String((listener.address() as AddressInfo).port);
  return {
    url: url.href,
    strike: (fault) => new Promise((done) => (armed = { fault, done })),
    close: async () => {
      const closed = new Promise((resolve) => listener.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function relay(client: Socket, server: Socket, take: (...faults: Fault[]) => Armed | null): void {
  const split = messageSplitter();
  let writesEvents = false;
  let isCommitHeld = false;
  let answer = (bytes: Buffer): void => void client.write(bytes);

  function breakOff(): void {
    client.destroy();
    server.destroy();
  }

  function commit(message: Buffer): void {
    const struck = take("commit lost", "answer lost", "commit late", "answer late");
    if (struck === null) return void server.write(message);
    const { fault, done } = struck;
    if (fault === "commit lost") {
      breakOff();
      done();
    } else if (fault === "commit late") {
      isCommitHeld = true;
      client.destroy();
      setTimeout(() => {
        answer = () => server.destroy();
        server.write(message, done);
      }, LATE_MS);
    } else {
      answer = (bytes) => {
        if (fault === "answer lost") {
          breakOff();
          return done();
        }
        const held = [bytes];
        answer = (more) => void held.push(more);
        setTimeout(() => {
          answer = (more) => void client.write(more);
          client.write(Buffer.concat(held), done);
        }, LATE_MS);
      };
      server.write(message);
    }
  }

  client.on("data", (bytes) => {
    for (const { type, message } of split(bytes)) {
      if (type === "P") writesEvents = message.includes("INSERT INTO ves_events");
      const cut = type === "B" && writesEvents ? take("rows cut") : null;
      if (cut !== null) {
        server.write(message.subarray(0, message.length / 2), () => {
          breakOff();
          cut.done();
        });
        return;
      }
      if (type === "S" && writesEvents) commit(message);
      else server.write(message);
    }
  });
  server.on("data", (bytes) => answer(bytes));
  client.on("close", () => isCommitHeld || server.destroy());
  server.on("close", () => client.destroy());
}

/**
 * Cuts what a client sends into its messages: a letter, a length of four bytes that counts itself, and the rest. The first
 * message has no letter.
 */
function messageSplitter(): (bytes: Buffer) => { readonly type: string; readonly message: Buffer }[] {
  let pending: Buffer = Buffer.alloc(0);
  let isFirst = true;
  return (bytes) => {
    pending = Buffer.concat([pending, bytes]);
    const messages: { type: string; message: Buffer }[] = [];
    for (;;) {
      const letter = isFirst ? 0 : 1;
      if (pending.length < letter + 4) return messages;
      const length = letter + pending.readUInt32BE(letter);
      if (pending.length < length) return messages;
      messages.push({ type: isFirst ? "" : pending.toString("latin1", 0, 1), message: pending.subarray(0, length) });
      pending = pending.subarray(length);
      isFirst = false;
    }
  };
}

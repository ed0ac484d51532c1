import { connect, type Socket } from "node:net";

export interface HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
}

const END_OF_HEAD = Buffer.from("\r\n\r\n");
/** Ends a chunked body. JSON never holds a bare line break within a text, so it can only be the end. */
const LAST_CHUNK = Buffer.from("\r\n0\r\n\r\n");

/** A whole HTTP/1.1 request as one buffer. */
export function serializeRequest(url: URL, apiKey: string, body: string): Buffer {
  const bytes = Buffer.from(body);
  const head =
    `POST ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\nauthorization: ApiKey ${apiKey}\r\n` +
    `content-type: application/json\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

/**
 * One keep-alive connection that carries one request at a time. It reads no more of an answer than where it ends, so that
 * a client costs a small part of what the server does.
 */
export class HttpConnection {
  readonly #socket: Socket;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  #waiting: { resolve: (answer: HttpAnswer) => void; reject: (error: Error) => void } | null = null;

  constructor(url: URL) {
    this.#socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    this.#socket.on("data", (data) => this.#onData(data));
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new Error("the server closed the connection")));
  }

  send(request: Buffer): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = null;
  }

  #onData(data: Buffer): void {
    this.#received.push(data);
    this.#receivedBytes += data.length;
    if (!this.#isComplete(data)) return;
    const all = this.#received.length === 1 ? data : Buffer.concat(this.#received);
    const headEnd = all.indexOf(END_OF_HEAD);
    this.#received = [];
    this.#receivedBytes = 0;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve({ status: Number(all.toString("latin1", 9, 12)), body: all.subarray(headEnd + 4) });
  }

  #isComplete(latest: Buffer): boolean {
    const [first] = this.#received;
    if (first === undefined) return false;
    const headEnd = first.indexOf(END_OF_HEAD);
    // A head comes in one piece from a server on this machine; if not, put the pieces together and look again.
    if (headEnd === -1) {
      this.#received = [Buffer.concat(this.#received)];
      return this.#received[0] !== first && this.#isComplete(latest);
    }
    const length = /\r\ncontent-length: (\d+)/i.exec(first.toString("latin1", 0, headEnd))?.[1];
    if (length !== undefined) return this.#receivedBytes >= headEnd + 4 + Number(length);
    const tail =
      latest.length >= LAST_CHUNK.length ? latest : Buffer.concat(this.#received).subarray(-LAST_CHUNK.length);
    return (
      tail.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK) || tail.toString("latin1").endsWith("\r\n\r\n0\r\n\r\n")
    );
  }
}

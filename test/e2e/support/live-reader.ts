import type { Server } from "../../../scripts/lib/client.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import { toBase64Url, utf8 } from "../../../src/ves/index.ts";
import { type BatchMessage, LiveClient, type SequencedEnvelope } from "../../support/live-client.ts";

type Query = Readonly<Record<string, string | number | undefined>>;

/** How long it gathers what it acknowledges. */
const ACK_DELAY_MS = 250;

/** From a lost connection to the next attempt. */
const RETRY_MS = 50;

/** A reader that subscribes as a page would, and resumes where it was whenever its connection is lost. */
export class LiveReader {
  connections = 0;
  readonly #serverNow: () => Server;
  readonly #stream: StreamRef;
  readonly #query: Query;
  /** What came over connections that are lost. */
  readonly #envelopes: SequencedEnvelope[] = [];
  readonly #batches: BatchMessage[] = [];
  #sequence: number;
  #proven: number;
  #client: LiveClient | null = null;
  #isStopped = false;

  /** @param serverNow where to connect to; asked at each attempt */
  constructor(serverNow: () => Server, stream: StreamRef, query: Query) {
    this.#serverNow = serverNow;
    this.#stream = stream;
    this.#query = query;
    this.#sequence = Number(query["from"] ?? 1) - 1;
    this.#proven = this.#sequence;
    this.#connect();
  }

  get envelopes(): readonly SequencedEnvelope[] {
    return [...this.#envelopes, ...(this.#client?.envelopes ?? [])];
  }

  get batches(): readonly BatchMessage[] {
    return [...this.#batches, ...(this.#client?.batches ?? [])];
  }

  get sequence(): number {
    return Math.max(this.#sequence, this.#client?.sequence ?? 0);
  }

  get proven(): number {
    return Math.max(this.#proven, this.#client?.proven ?? 0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#client?.socket.close();
  }

  #connect(): void {
    if (this.#isStopped) return;
    const { url, apiKey } = this.#serverNow();
    const { tenantId, storeId } = this.#stream;
    const query = { ...this.#query, tenant_id: tenantId, store_id: storeId };
    const place = { from: this.#sequence + 1, proven: this.#proven };
    const given = Object.entries({ ...query, ...place }).map(([name, value]) => [name, String(value)]);
    const address = `${url.replace(/^http/, "ws")}/api/v1/ves/live?${new URLSearchParams(given).toString()}`;
    const socket = new WebSocket(address, ["ves.v1", `ves.key.${toBase64Url(utf8(apiKey))}`]);
    const client = new LiveClient(socket, { ackDelayMs: ACK_DELAY_MS });
    this.#client = client;
    this.connections++;
    // A connection that was never made may end in an error alone.
    for (const end of ["close", "error"] as const) socket.addEventListener(end, () => this.#resume(client));
  }

  #resume(client: LiveClient): void {
    if (this.#client !== client) return;
    this.#envelopes.push(...client.envelopes);
    this.#batches.push(...client.batches);
    this.#sequence = Math.max(this.#sequence, client.sequence);
    this.#proven = Math.max(this.#proven, client.proven);
    this.#client = null;
    setTimeout(() => this.#connect(), RETRY_MS);
  }
}

import {
  eventSigningHash,
  fromHex,
  leafHash,
  merkleTree,
  stateRoot,
  toHex,
  verifyEventInclusion,
  type WireEnvelope,
} from "../../src/ves/index.ts";

/*
 * A client of docs/live.md, over a socket of Node or of workerd. It keeps everything that it is told, and verifies proofs as
 * anybody could who has only src/ves.
 */

export type SequencedEnvelope = WireEnvelope & { readonly sequence_number: number; readonly sequenced_at: string };

export interface EventsMessage {
  readonly type: "events";
  readonly sequence: number;
  readonly head_sequence: number;
  readonly events: readonly { readonly envelope: SequencedEnvelope; readonly payload_omitted?: true }[];
}

export interface BatchMessage {
  readonly type: "batch";
  readonly proven: number;
  readonly commitment: {
    readonly batch_id: string;
    readonly tenant_id: string;
    readonly store_id: string;
    readonly leaf_count: number;
    readonly merkle_root: string;
    readonly prev_state_root: string;
    readonly new_state_root: string;
    readonly sequence_start: number;
    readonly sequence_end: number;
  };
  readonly proofs:
    | readonly {
        readonly sequence_number: number;
        readonly leaf_index: number;
        readonly leaf_hash: string;
        readonly proof_path: readonly string[];
      }[]
    | null;
}

export type LiveMessage =
  EventsMessage | BatchMessage | { readonly type: "subscribed"; readonly from: number; readonly head_sequence: number };

/** What sockets of Node and of workerd have in common. */
interface Socket {
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { readonly code: number; readonly reason: string }) => void): void;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export class LiveClient {
  readonly socket: Socket;
  readonly messages: LiveMessage[] = [];
  /** Bytes of each message, as UTF-8. */
  readonly sizes: number[] = [];
  readonly pongs: string[] = [];
  closed: { readonly code: number; readonly reason: string } | null = null;
  #acks: boolean;
  readonly #ackDelayMs: number;
  #ackTimer: ReturnType<typeof setTimeout> | null = null;
  readonly #waiting = new Set<() => void>();

  /** @param options.ackDelayMs for how long acknowledgements are gathered; absent: each message is acknowledged at once */
  constructor(socket: Socket, options: { readonly acks?: boolean; readonly ackDelayMs?: number } = {}) {
    this.socket = socket;
    this.#acks = options.acks ?? true;
    this.#ackDelayMs = options.ackDelayMs ?? 0;
    socket.addEventListener("message", ({ data }) => this.#receive(data as string));
    socket.addEventListener("close", ({ code, reason }) => {
      this.closed = { code, reason };
      if (this.#ackTimer !== null) clearTimeout(this.#ackTimer);
      this.#look();
    });
  }

  get envelopes(): readonly SequencedEnvelope[] {
    return this.messages
      .flatMap((message) => (message.type === "events" ? message.events : []))
      .map((row) => row.envelope);
  }

  get numbers(): readonly number[] {
    return this.envelopes.map((envelope) => envelope.sequence_number);
  }

  get batches(): readonly BatchMessage[] {
    return this.messages.filter((message) => message.type === "batch");
  }

  /** The last number whose acknowledgement would be due, and that to resume after. */
  get sequence(): number {
    return Math.max(0, ...this.messages.map((message) => (message.type === "events" ? message.sequence : 0)));
  }

  get proven(): number {
    return Math.max(0, ...this.batches.map(({ proven }) => proven));
  }

  /** Acknowledges everything so far, and from now on each message. */
  startAcknowledging(): void {
    this.#acks = true;
    this.#acknowledge();
  }

  #acknowledge(): void {
    if (this.sequence > 0) this.say({ type: "ack", sequence: this.sequence });
    if (this.proven > 0) this.say({ type: "ack", proven: this.proven });
  }

  say(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Resolves once the condition holds. @throws Error when it does not within `ms`, or once the socket has closed */
  async until(condition: () => boolean, ms = 10_000): Promise<void> {
    const deadline = Date.now() + ms;
    while (!condition()) {
      if (this.closed !== null) throw new Error(`closed with ${this.closed.code} ${this.closed.reason}`);
      if (Date.now() > deadline)
        throw new Error(`not within ${ms} ms; so far ${JSON.stringify(this.numbers.slice(-5))}`);
      await this.#change(Math.min(100, ms));
    }
  }

  async untilClosed(ms = 10_000): Promise<{ readonly code: number; readonly reason: string }> {
    const deadline = Date.now() + ms;
    while (this.closed === null && Date.now() < deadline) await this.#change(100);
    if (this.closed === null) throw new Error(`not closed within ${ms} ms`);
    return this.closed;
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#waiting.add(done);
    });
  }

  #receive(text: string): void {
    if (text === "pong") this.pongs.push(text);
    else {
      const message = JSON.parse(text) as LiveMessage;
      this.messages.push(message);
      this.sizes.push(new TextEncoder().encode(text).length);
      if (this.#acks && message.type !== "subscribed") this.#acknowledgeSoon(message);
    }
    this.#look();
  }

  #acknowledgeSoon(message: EventsMessage | BatchMessage): void {
    if (this.#ackDelayMs > 0) {
      this.#ackTimer ??= setTimeout(() => {
        this.#ackTimer = null;
        this.#acknowledge();
      }, this.#ackDelayMs);
    } else if (message.type === "events") this.say({ type: "ack", sequence: message.sequence });
    else this.say({ type: "ack", proven: message.proven });
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }
}

/**
 * The numbers that these batches prove of these events, in order. Everything is computed from the events themselves.
 *
 * @throws Error for a batch that does not follow on the one before it, or proves nothing of an event that it names
 */
export function provenNumbers(events: readonly SequencedEnvelope[], batches: readonly BatchMessage[]): number[] {
  const byNumber = new Map(events.map((envelope) => [envelope.sequence_number, envelope]));
  let previous: BatchMessage["commitment"] | undefined;
  return batches.flatMap(({ commitment, proofs }) => {
    if (commitment.batch_id !== previous?.batch_id) checkChain(previous, commitment);
    previous = commitment;
    const { sequence_start: start, leaf_count: leafCount, merkle_root: root } = commitment;
    if (proofs !== null)
      return proofs.map((proof) => provenNumber(byNumber.get(proof.sequence_number), proof, commitment));
    const numbers = Array.from({ length: leafCount }, (_, index) => start + index);
    const leaves = numbers.map((number) => leafHash(leafOf(byNumber.get(number), number)));
    if (toHex(merkleTree(leaves).root) !== root) throw new Error(`the events from ${start} on do not lead to the root`);
    return numbers;
  });
}

function provenNumber(
  envelope: SequencedEnvelope | undefined,
  proof: NonNullable<BatchMessage["proofs"]>[number],
  commitment: BatchMessage["commitment"],
): number {
  const number = proof.sequence_number;
  const leaf = leafOf(envelope, number);
  const isProven = verifyEventInclusion({
    ...leaf,
    sequenceStart: commitment.sequence_start,
    leafCount: commitment.leaf_count,
    path: proof.proof_path.map((sibling) => fromHex(sibling)),
    root: fromHex(commitment.merkle_root),
  });
  if (!isProven || toHex(leafHash(leaf)) !== proof.leaf_hash) throw new Error(`the proof of event ${number} is none`);
  return number;
}

function leafOf(envelope: SequencedEnvelope | undefined, number: number) {
  if (envelope === undefined) throw new Error(`event ${number} is proven and was not sent`);
  return {
    tenantId: envelope.tenant_id,
    storeId: envelope.store_id,
    sequenceNumber: envelope.sequence_number,
    eventSigningHash: eventSigningHash({
      ...envelope,
      payload_plain_hash: fromHex(envelope.payload_plain_hash),
      payload_cipher_hash: fromHex(envelope.payload_cipher_hash),
    }),
    agentSignature: fromHex(envelope.agent_signature),
  };
}

function checkChain(previous: BatchMessage["commitment"] | undefined, batch: BatchMessage["commitment"]): void {
  const root = stateRoot({
    tenantId: batch.tenant_id,
    storeId: batch.store_id,
    prevStateRoot: fromHex(batch.prev_state_root),
    merkleRoot: fromHex(batch.merkle_root),
    sequenceStart: batch.sequence_start,
    sequenceEnd: batch.sequence_end,
    leafCount: batch.leaf_count,
  });
  if (toHex(root) !== batch.new_state_root) throw new Error(`the state root of batch ${batch.sequence_start} is wrong`);
  if (previous === undefined) return;
  const follows =
    previous.sequence_end + 1 === batch.sequence_start && previous.new_state_root === batch.prev_state_root;
  if (!follows) throw new Error(`batch ${batch.sequence_start} does not follow on the one before it`);
}

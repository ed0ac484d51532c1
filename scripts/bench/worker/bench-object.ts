import { DurableObject } from "cloudflare:workers";
import { streamMigrations } from "../../../migrations/stream/index.ts";
import { durableStore } from "../../../src/storage/durable-store.ts";
import { isEmptyStore, migrate } from "../../../src/storage/migrate.ts";
import type { SqlRow, SqlStore } from "../../../src/storage/sql-store.ts";
import { appendEvents } from "../../../src/stream/append.ts";
import { readProof } from "../../../src/stream/batches.ts";
import { readProgress } from "../../../src/stream/progress.ts";
import { readHead } from "../../../src/stream/read.ts";
import type { StorableEvent } from "../../../src/stream/messages.ts";
import { entityFact, EVENTS_PER_ENTITY, factOf } from "../workload.ts";
import type { Fact } from "../../lib/signer.ts";
import { checkedEvent } from "./checked-events.ts";
import type { ObjectAnswer, ObjectCall } from "./messages.ts";
import { insertRaw, type RawBatch, rawBatch } from "./raw-inserts.ts";
import { FULL_ONLY, sealFull } from "./seal-full.ts";

const FILL_BATCH = 1_000;
const RECEIPT_KEY_VERSION = 1;
/** Any will do: its ids go into the leaves and nothing else. */
const STREAM = { tenantId: "2b1f6a54-6c7b-4a6e-8a8e-0d9a1c3f7e10", storeId: "c4d0e3b2-9f1a-4f57-b7c6-5e2a8d914f03" };

/**
 * An object with a stream's schema and nothing around it, so that what is timed from outside is storage and append.ts.
 * Clocks stand still while code runs in workerd: each call does much work and the caller times it.
 */
export class BenchObject extends DurableObject<Env> {
  readonly #store: SqlStore;
  /** Facts made so far, and with them entities. */
  #facts = 0;
  #prepared: StorableEvent[][] = [];
  #preparedRows: RawBatch[] = [];

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = durableStore(ctx);
    if (isEmptyStore(this.#store)) migrate(this.#store, streamMigrations);
  }

  async run(call: ObjectCall): Promise<ObjectAnswer> {
    switch (call.op) {
      case "fillTo":
        await this.#fillTo(call.events);
        break;
      case "prepare":
        this.#prepare(call);
        break;
      case "append":
        await this.#storeEach(this.#prepared, call.commitEach, (events) => this.#append(events));
        this.#prepared = [];
        break;
      case "raw":
        await this.#storeEach(this.#preparedRows, call.commitEach, (rows) => insertRaw(this.ctx.storage, rows));
        this.#preparedRows = [];
        break;
      case "seal":
        this.#seal(call.batches);
        break;
      case "sealAndUndo":
        this.#sealAndUndo();
        break;
      case "prove":
        this.#prove(call.proofs);
        break;
      case "countRows":
        return { rowsWritten: this.#countRows() };
      case "commits":
        await this.#commits(call.count);
        break;
      case "nothing":
        break;
    }
    await this.ctx.storage.sync();
    return { rowsWritten: 0 };
  }

  /** What remains of {@link run} over RPC when nothing is done with the events. */
  take(events: readonly StorableEvent[]): { kind: "accepted"; place: object }[] {
    return events.map((_, index) => ({
      kind: "accepted",
      place: { sequenceNumber: index + 1, sequencedAt: 1_790_000_000_000, receiptKeyVersion: RECEIPT_KEY_VERSION },
    }));
  }

  #append(events: readonly StorableEvent[], store = this.#store): void {
    const { outcomes } = appendEvents(store, events, {
      sequencedAt: Date.now(),
      receiptKeyVersion: RECEIPT_KEY_VERSION,
    });
    if (outcomes.some(({ kind }) => kind !== "accepted")) throw new Error("an event was not accepted");
  }

  async #fillTo(events: number): Promise<void> {
    for (let head = readHead(this.#store); head < events; head = readHead(this.#store)) {
      const facts = this.#newFacts(Math.min(FILL_BATCH, events - head), false);
      this.#append(facts.map((fact) => checkedEvent(fact)));
      sealFull(this.#store, STREAM);
      await this.ctx.storage.sync();
    }
  }

  #seal(batches: number): void {
    for (let sealed = 0; sealed < batches; sealed++) {
      if (!sealFull(this.#store, STREAM)) throw new Error("there was nothing to seal");
    }
  }

  #sealAndUndo(): void {
    const undo = new Error("undone");
    try {
      // A savepoint, which the store does without: it costs a copy of the few pages that sealing touches.
      this.ctx.storage.transactionSync(() => {
        this.#seal(1);
        throw undo;
      });
    } catch (error) {
      if (error !== undo) throw error;
    }
  }

  #prove(proofs: number): void {
    const sealed = readProgress(this.#store).sealedSequence;
    for (let proved = 0; proved < proofs; proved++) {
      const sequenceNumber = 1 + Math.floor(Math.random() * sealed);
      const { kind } = readProof(this.#store, sequenceNumber, FULL_ONLY, 0);
      if (kind !== "proof") throw new Error(`number ${sequenceNumber} has no proof: ${kind}`);
    }
  }

  #prepare(wanted: ObjectCall & { op: "prepare" }): void {
    const { batches, batchSize, commandIds, knownEntities, raw } = wanted;
    const made = Array.from({ length: batches }, () =>
      (knownEntities === undefined
        ? this.#newFacts(batchSize, commandIds)
        : factsOfKnown(batchSize, commandIds, knownEntities)
      ).map((fact) => checkedEvent(fact, wanted.orderedIds)),
    );
    // As they would arrive over RPC: flat strings and buffers of their own.
    this.#prepared = structuredClone(made);
    if (!raw) return;
    const head = readHead(this.#store);
    this.#preparedRows = this.#prepared.map((events, index) => rawBatch(events, head + index * batchSize));
    this.#prepared = [];
  }

  #newFacts(count: number, commandIds: boolean): Fact[] {
    return Array.from({ length: count }, () => factOf(this.#facts++, { prefix: "order", commandIds }));
  }

  async #storeEach<Batch>(
    batches: readonly Batch[],
    commitEach: boolean,
    store: (batch: Batch) => void,
  ): Promise<void> {
    for (const batch of batches) {
      store(batch);
      if (commitEach) await this.ctx.storage.sync();
    }
  }

  #countRows(): number {
    const { sql } = this.ctx.storage;
    let rowsWritten = 0;
    const counting: SqlStore = {
      exec<Row extends SqlRow>(text: string, ...bindings: Parameters<SqlStore["exec"]>[1][]): Row[] {
        const cursor = sql.exec(text, ...bindings);
        const rows = cursor.toArray();
        rowsWritten += cursor.rowsWritten;
        return rows as unknown as Row[];
      },
      transaction: (body) => this.#store.transaction(body),
    };
    for (const events of this.#prepared) this.#append(events, counting);
    this.#prepared = [];
    return rowsWritten;
  }

  async #commits(count: number): Promise<void> {
    const { sql } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS raw_commits (id INTEGER PRIMARY KEY, data BLOB NOT NULL)");
    const data = new Uint8Array(400);
    for (let i = 0; i < count; i++) {
      sql.exec("INSERT INTO raw_commits (data) VALUES (?)", data);
      await this.ctx.storage.sync();
    }
  }
}

/** As many entities a batch as new facts would have, but old ones, anywhere among those known. */
function factsOfKnown(count: number, commandIds: boolean, known: number): Fact[] {
  const ids = new Set<string>();
  while (ids.size < Math.ceil(count / EVENTS_PER_ENTITY)) ids.add(`order-${Math.floor(Math.random() * known)}`);
  return Array.from(ids)
    .flatMap((id) => Array.from({ length: EVENTS_PER_ENTITY }, (_, index) => entityFact(id, index, commandIds)))
    .slice(0, count);
}

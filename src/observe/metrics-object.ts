import { DurableObject } from "cloudflare:workers";
import { metricsMigrations } from "../../migrations/metrics/index.ts";
import { durableStore } from "../storage/durable-store.ts";
import { isEmptyStore, migrate } from "../storage/migrate.ts";
import { type SqlStore, text } from "../storage/sql-store.ts";
import type { Piece } from "./recorder.ts";
import { seriesName, type SeriesNumbers } from "./series-table.ts";
import { observeAs } from "./setup.ts";
import { type LagSum, NO_LAG, noteLag, type StreamLag, type StreamScope, sumLag } from "./stream-lag.ts";
import { type StoredTotals, Totals } from "./totals.ts";

/** Pieces that arrive within this time share a write. */
const WRITE_EVERY_MS = 1_000;

/** What a shard knows. */
export interface ShardReading {
  /** Counters and histograms: of the whole deployment. */
  readonly series: SeriesNumbers;
  /** Of the streams of the scope. */
  readonly lag: LagSum;
}

/**
 * Adds up what the recorders of all isolates have counted, and knows how far the streams are. It is one of several shards,
 * which know different parts; who reads adds them up.
 *
 * Durability: a piece is on disk when `add` answers, as one row for all that arrived within a second.
 */
export class Metrics extends DurableObject<Env> {
  readonly #store: SqlStore;
  readonly #totals: Totals;
  /** The write that pieces which arrive now are part of; null when none is to come. */
  #nextWrite: Promise<void> | null = null;
  #writtenAt = 0;
  #rowsWritten = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    observeAs(env);
    this.#store = durableStore(ctx, (rows) => (this.#rowsWritten += rows));
    if (!isEmptyStore(this.#store)) migrate(this.#store, metricsMigrations);
    this.#totals = new Totals(this.#readStored());
  }

  /** Answers when the piece counts for good. One that is in already is answered all the same. */
  async add(piece: Piece): Promise<void> {
    if (this.#totals.add(piece)) this.#nextWrite ??= this.#writeSoon();
    await this.#nextWrite;
  }

  /** Takes what a stream says of itself. */
  report(stream: { readonly tenantId: string; readonly storeId: string }, lag: StreamLag): void {
    this.#begin();
    noteLag(this.#store, stream, lag);
  }

  read(scope: StreamScope): ShardReading {
    return { series: this.#totals.read(), lag: isEmptyStore(this.#store) ? NO_LAG : sumLag(this.#store, scope) };
  }

  async #writeSoon(): Promise<void> {
    await scheduler.wait(Math.max(0, this.#writtenAt + WRITE_EVERY_MS - Date.now()));
    this.#nextWrite = null;
    this.#writtenAt = Date.now();
    this.#begin();
    // The row that is about to be written is among them.
    this.#totals.count(seriesName("sequencer_rows_written_total", { object: "metrics" }), this.#rowsWritten + 1);
    const data = JSON.stringify(this.#totals.toStored());
    this.#store.exec("INSERT INTO totals VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET data = excluded.data", data);
    this.#rowsWritten = 0;
    await this.ctx.storage.sync();
  }

  #begin(): void {
    if (isEmptyStore(this.#store)) migrate(this.#store, metricsMigrations);
  }

  #readStored(): StoredTotals | undefined {
    if (isEmptyStore(this.#store)) return undefined;
    const [row] = this.#store.exec("SELECT data FROM totals");
    return row && (JSON.parse(text(row["data"])) as StoredTotals);
  }
}

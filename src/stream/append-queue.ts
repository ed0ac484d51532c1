import type { AppendRequest, AppendResult } from "./messages.ts";

/** How much there is to do: events, and UTF-16 units of their payloads, or bytes of those that are encrypted. */
interface Load {
  readonly events: number;
  readonly characters: number;
}

export interface QueuedAppend {
  readonly request: AppendRequest;
  /** When it arrived, in milliseconds since the epoch. */
  readonly at: number;
  readonly settle: (result: AppendResult) => void;
}

/** Appends beyond this much waiting are refused at once: about two seconds of work, a quarter of an isolate's memory. */
const MAX_QUEUED: Load = { events: 50_000, characters: 16 * 1024 * 1024 };
/** Work of one event-loop turn, about 100 ms: it bounds how long a lease can be relied on after it was looked at. */
const MAX_PER_TURN: Load = { events: 2_000, characters: 8 * 1024 * 1024 };

const NOTHING: Load = { events: 0, characters: 0 };

/** Appends that wait for their turn, in order of arrival, and bounded. */
export class AppendQueue {
  readonly #waiting: (QueuedAppend & { readonly load: Load })[] = [];
  #load = NOTHING;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Settles with what the append's turn comes to. Null: it does not fit; one that waits alone always does. */
  add(request: AppendRequest): Promise<AppendResult> | null {
    const load = loadOf(request);
    const together = sum(this.#load, load);
    if (!this.isEmpty && exceeds(together, MAX_QUEUED)) return null;
    this.#load = together;
    return new Promise((settle) => {
      this.#waiting.push({ request, load, at: Date.now(), settle });
    });
  }

  /** Takes the oldest out, as many as one turn may hold; at least one. */
  takeTurn(): readonly QueuedAppend[] {
    let taken = NOTHING;
    const beyond = this.#waiting.findIndex(({ load }, index) => {
      taken = sum(taken, load);
      return index > 0 && exceeds(taken, MAX_PER_TURN);
    });
    const turn = this.#waiting.splice(0, beyond === -1 ? this.#waiting.length : beyond);
    this.#load = this.#waiting.map(({ load }) => load).reduce(sum, NOTHING);
    return turn;
  }
}

function loadOf({ events }: AppendRequest): Load {
  return { events: events.length, characters: events.reduce((length, event) => length + event.payload.length, 0) };
}

function sum(a: Load, b: Load): Load {
  return { events: a.events + b.events, characters: a.characters + b.characters };
}

function exceeds(load: Load, limit: Load): boolean {
  return load.events > limit.events || load.characters > limit.characters;
}

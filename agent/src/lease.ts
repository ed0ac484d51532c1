import { type Context, transaction } from "./context.ts";

interface Lease {
  readonly holder: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** No lease is longer. */
export const MAX_LEASE_MS = 600_000;

/**
 * Does `work` while no other process pushes the same outbox. Two at once would do no harm, as the sequencer knows each event by
 * its id, but the same events would be sent twice. A process that dies gives its turn back when its lease runs out.
 * One that ends later than any can, because a clock was wrong or the file was changed, counts for nothing.
 *
 * @returns `undefined`, having done nothing, while another process has its turn
 */
export async function withPushLease<T>(context: Context, work: () => Promise<T>): Promise<T | undefined> {
  const holder = crypto.randomUUID();
  const key = `push_lease:${context.identity.agentId}`;
  const take = (isFirst: boolean): boolean =>
    transaction(context, (tables) => {
      const text = tables.state(key);
      const lease = text === undefined ? undefined : (JSON.parse(text) as Lease);
      const now = Date.now();
      const isFree = lease === undefined || !(lease.until > now && lease.until <= now + MAX_LEASE_MS);
      if (lease?.holder !== holder && !(isFirst && isFree)) return false;
      tables.setState(key, JSON.stringify({ holder, until: now + context.leaseMs } satisfies Lease));
      return true;
    });
  if (!take(true)) return undefined;
  const timer = setInterval(() => attempt(() => take(false)), context.leaseMs / 3);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    attempt(() =>
      transaction(context, (tables) => {
        const lease = JSON.parse(tables.state(key) ?? "{}") as Partial<Lease>;
        if (lease.holder === holder) tables.setState(key, JSON.stringify({ holder, until: 0 } satisfies Lease));
      }),
    );
  }
}

/** A store that is locked or full must end neither the process nor the work: the lease runs out by itself. */
function attempt(step: () => unknown): void {
  try {
    step();
  } catch {
    // The work meets the same trouble when it writes, and tells it.
  }
}

/**
 * How a revocation reaches every stream of a tenant without telling any of them.
 *
 * A stream accepts an append only while it holds a lease on the registry version that the append was verified at. The
 * registry grants a lease by answering with its version, and remembers only when it last did. A revocation raises the
 * version and answers after the last older lease must have ended: at most LEASE_MS, however many streams there are.
 *
 * The clocks need not agree: a stream counts from before it asked, the registry from when it answered, which is later.
 * A stream honours a lease 500 ms less than the registry waits for it, because a Worker's clock stands still while
 * code runs: the margin covers the longest turn of a stream (see MAX_EVENTS_PER_TURN) many times over.
 */
export const LEASE_MS = 2_000;
export const LEASE_HONOURED_MS = 1_500;

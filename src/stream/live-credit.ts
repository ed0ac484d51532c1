/** A message has fewer bytes than this, as UTF-8. */
export const MAX_FRAME_BYTES = 900_000;

/** What a stream's subscribers together have been sent and not acknowledged, at most: it may lie in the object's memory. */
export const MAX_UNACKED_BYTES = 48 * 1024 * 1024;

const MAX_WINDOW_BYTES = 1024 * 1024;
const MIN_WINDOW_BYTES = 32 * 1024;
/** What a message of many events aims at: enough to make the work for each message small beside that for each event. */
const PAGE_BYTES = 256 * 1024;

/** How much one subscriber is sent. */
export interface LiveCredit {
  /** It is sent nothing more while this many bytes of it are not acknowledged. */
  readonly windowBytes: number;
  /** Bytes of stored events, or of proofs, that a message aims at. */
  readonly pageBytes: number;
}

/**
 * The credit of each of so many subscribers. Half of what all may have is divided among them, so that those who acknowledge
 * nothing leave room for the others; with 1,000 of them, each has 32 KiB.
 */
export function liveCredit(subscribers: number): LiveCredit {
  const share = MAX_UNACKED_BYTES / 2 / Math.max(1, subscribers);
  const windowBytes = Math.floor(Math.min(MAX_WINDOW_BYTES, Math.max(MIN_WINDOW_BYTES, share)));
  return { windowBytes, pageBytes: Math.min(PAGE_BYTES, windowBytes) };
}

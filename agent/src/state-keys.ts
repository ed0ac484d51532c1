/*
 * Names under which a stream's state is kept. Values are text; numbers are decimal.
 */

/** Highest number that was pulled, with all below it. */
export const PULLED_SEQUENCE = "last_pulled_sequence";

/** The sequencer's head, as it was told last. */
export const HEAD_SEQUENCE = "head_sequence";

/** Up to here sealed batches were computed again, and found to be what they should. */
export const SEALED_SEQUENCE = "sealed_sequence";

/** State root after the last of those batches, hex. */
export const STATE_ROOT = "state_root";

/** When the sequencer was last read from, milliseconds since 1970. */
export const LAST_SYNC_AT = "last_sync_at";

/** How a sealed batch contradicts the log, in a sentence; empty when none does. */
export const CONTRADICTION = "contradiction";

/** How the log that is being pulled contradicts a receipt, in a sentence; empty when it does not. */
export const RECEIPT_CONTRADICTION = "receipt_contradiction";

/** How a receipt that came late contradicts the log that was pulled, in a sentence. It stays: both are signed and kept. */
export const LATE_RECEIPT_CONTRADICTION = "late_receipt_contradiction";

/** Highest number of an own event that was accepted. */
export const PUSHED_SEQUENCE = "last_pushed_sequence";

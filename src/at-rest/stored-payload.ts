/** A payload as it is stored: its canonical text, or that text encrypted (`payload-cipher.ts`). */
export type StoredPayload = string | Uint8Array;

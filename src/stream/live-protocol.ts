import { z } from "zod";

/*
 * What a live subscriber and the stream's object say to each other beside events and proofs. docs/live.md is for clients.
 */

/** Why the object ends a subscription, as the codes that WebSockets are closed with. */
export const LIVE_CLOSE = {
  /** The object failed; resuming is safe. */
  failed: 1011,
  /** What the client said is none of the messages that it may send. */
  misunderstood: 4400,
  credentialEnded: 4401,
  /** Data waited for an acknowledgement that did not come. */
  tooSlow: 4408,
  /** A payload cannot be decrypted, which an operator has to see to. */
  unreadable: 4503,
} as const;

/** The platform answers the first with the second, and does not wake the object for it. */
export const PING = "ping";
export const PONG = "pong";

/** UTF-16 units of a client's longest message; the longest that is sound has 62. */
const MAX_CLIENT_MESSAGE = 1_024;

/** Up to which number a client has taken events in, or proofs. Numbers are those of the messages that it answers. */
export interface Acknowledgement {
  readonly sequence?: number | undefined;
  readonly proven?: number | undefined;
}

const number = z.int().min(0).optional();
const ack = z
  .object({ type: z.literal("ack"), sequence: number, proven: number })
  .refine(({ sequence, proven }) => sequence !== undefined || proven !== undefined);

/** What a client says, or undefined when it is not an acknowledgement. */
export function parseClientMessage(data: string | ArrayBuffer): Acknowledgement | undefined {
  if (typeof data !== "string" || data.length > MAX_CLIENT_MESSAGE) return undefined;
  try {
    return ack.safeParse(JSON.parse(data)).data;
  } catch {
    return undefined;
  }
}

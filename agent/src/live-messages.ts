import { z } from "zod";

/*
 * What is read of the messages of docs/live.md: up to where there is something. What it is, pulling brings, and verifies.
 */

const number = z.int().min(0);

const liveMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("subscribed") }),
  z.object({ type: z.literal("events"), sequence: number }),
  z.object({ type: z.literal("batch"), proven: number }),
]);

export type LiveMessage = z.output<typeof liveMessage>;

/** Undefined for what is no such message. */
export function parseLiveMessage(data: unknown): LiveMessage | undefined {
  if (typeof data !== "string") return undefined;
  try {
    return liveMessage.safeParse(JSON.parse(data)).data;
  } catch {
    return undefined;
  }
}

/** Acknowledges all messages up to those that had these numbers. */
export function acknowledgement(numbers: { readonly sequence?: number; readonly proven?: number }): string {
  return JSON.stringify({ type: "ack", ...numbers });
}

export const PING = "ping";
export const PONG = "pong";

/** Close codes that say more than that the connection is gone. */
export const LIVE_CLOSE = { misunderstood: 4400, credentialEnded: 4401, unreadable: 4503 } as const;

/** The code of a connection that was lost. */
export const LOST = 1006;

import type { Taken } from "./sliding-window.ts";
import { sha256, utf8 } from "../ves/index.ts";

/** Objects among which the clients of one purpose are shared out. A number that is fixed: made-up clients make no object. */
const SHARDS = 16;

/**
 * Counts one attempt of a client, by its address.
 *
 * @param purpose what is attempted: each has objects of its own
 */
export async function takeOfClient(
  env: Env,
  purpose: "registration" | "wrong-key",
  client: string,
  perMinute: number,
): Promise<Taken> {
  const shard = (sha256(utf8(client))[0] ?? 0) % SHARDS;
  const limiter = env.LIMITS.get(env.LIMITS.idFromName(`${purpose}/${shard}`));
  return await limiter.take(client, perMinute, 60, 1);
}

import { log } from "../observe/log.ts";
import { sha256, toHex, utf8 } from "../ves/index.ts";
import { VERSION } from "../version.ts";
import type { AppContext } from "./context.ts";

/*
 * Answers that never change: about sealed batches. Their readers keep them for good, and so does the data centre, so that
 * the stream's object is asked once for each, unless payloads are in them that are encrypted at rest.
 */

const YEAR_SECONDS = 31_536_000;

/**
 * No host has this name: only this module reaches what is stored under it. The version stands in it because another one
 * may answer in another form.
 */
const CACHE_BASE = `https://immutable.invalid/${VERSION}/`;

interface Produced {
  readonly json: object;
  /** Whether it can never be otherwise. A batch that is not mirrored yet could still be lost, and its numbers given again. */
  readonly isFinal: boolean;
}

/**
 * Answers with what `produce` gives, or with what it gave before. Only what is final is kept, and nothing that it throws.
 *
 * The caller must have checked the permission for everything that `key` names; the key names tenant and store, so what
 * was stored for one tenant is not found for another.
 *
 * @param key null: the data centre neither keeps the answer nor is asked for it, only its reader keeps it
 */
export async function immutable(
  c: AppContext,
  key: readonly (string | number)[] | null,
  produce: () => Promise<Produced>,
): Promise<Response> {
  const url = key === null ? null : immutableUrl(key);
  const stored = url === null ? undefined : await (await caches.default.match(url))?.text();
  if (stored !== undefined) return answer(c, stored);
  const { json, isFinal } = await produce();
  if (!isFinal) return c.json(json);
  const body = JSON.stringify(json);
  if (url !== null) c.executionCtx.waitUntil(keep(url, body));
  return answer(c, body);
}

function answer(c: AppContext, body: string): Response {
  const etag = `"${toHex(sha256(utf8(body)))}"`;
  const headers = {
    "cache-control": `private, max-age=${YEAR_SECONDS}, immutable`,
    etag,
    vary: "authorization, x-api-key",
  };
  if (isAmong(etag, c.req.header("if-none-match"))) return c.body(null, 304, headers);
  return c.body(body, 200, { ...headers, "content-type": "application/json" });
}

/** Where the answer to what the parts name is kept at the edge. */
export function immutableUrl(key: readonly (string | number)[]): string {
  return CACHE_BASE + key.map((part) => encodeURIComponent(part)).join("/");
}

/** A cache that does not take it costs the next reader some time and nobody an answer. */
async function keep(url: string, body: string): Promise<void> {
  // "public" is for the cache alone, which keeps nothing that is private.
  const headers = { "content-type": "application/json", "cache-control": `public, max-age=${YEAR_SECONDS}` };
  try {
    await caches.default.put(url, new Response(body, { headers }));
  } catch (error) {
    log.error("an immutable answer could not be kept at the edge", { error: String(error) });
  }
}

/** Whether an If-None-Match names the tag (RFC 9110, 13.1.2). */
function isAmong(etag: string, ifNoneMatch: string | undefined): boolean {
  const given = ifNoneMatch?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return given.includes("*") || given.includes(etag);
}

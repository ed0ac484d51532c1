import type { LiveRequest } from "./live-subscription.ts";

/** Carries a {@link LiveRequest} as JSON, percent-encoded because names may hold any character. */
const HEADER = "x-live-request";

/** What a Worker asks a stream's object with for a subscription. A socket can be passed on in answer to a fetch alone. */
export function liveRequest(request: LiveRequest): Request {
  const headers = { upgrade: "websocket", [HEADER]: encodeURIComponent(JSON.stringify(request)) };
  return new Request("https://stream.invalid/live", { headers });
}

/** The inverse of {@link liveRequest}. @throws Error for a request that is not one of its */
export function readLiveRequest(request: Request): LiveRequest {
  const text = request.headers.get(HEADER);
  if (text === null) throw new Error("a stream's object is fetched for live subscriptions only");
  return JSON.parse(decodeURIComponent(text)) as LiveRequest;
}

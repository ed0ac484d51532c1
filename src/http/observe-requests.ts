import type { MiddlewareHandler } from "hono";
import { credentialOf } from "../access/credentials.ts";
import { within } from "../observe/current-work.ts";
import { log } from "../observe/log.ts";
import { sendPieces } from "../observe/metrics-client.ts";
import { recorder } from "../observe/recorder.ts";
import { observeAs } from "../observe/setup.ts";
import { annotate, inTrace } from "../observe/spans.ts";
import { readTraceparent } from "../observe/trace-context.ts";
import type { AppContext, AppEnv } from "./context.ts";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]);
const UNMATCHED = "unmatched";
const REGISTRATION = "/api/v1/agents/register";

/** Logs, counts and traces every request. It goes around everything else but the request's id. */
export const observeRequests: MiddlewareHandler<AppEnv> = async (c, next) => {
  const { level } = observeAs(c.env);
  const startedAt = Date.now();
  const requestId = c.get("requestId");
  const parent = readTraceparent(c.req.header("traceparent"));
  const serve = async (): Promise<void> => {
    await next();
    const told = describe(c, Date.now() - startedAt);
    annotate({
      "http.request.method": told.method,
      "http.route": told.route,
      "http.response.status_code": told.status,
      "sequencer.request_id": requestId,
      "sequencer.tenant_id": told.tenant_id,
      "sequencer.store_id": told.store_id,
      // A client's mistake is no failure of the server's.
      ...(told.status >= 500 ? { error: told.error } : {}),
    });
    count(told);
    log[told.status >= 500 ? "error" : "info"]("request", { ...told });
  };
  await within({ requestId, level }, () => inTrace({ name: "request", kind: "server" }, parent, c.executionCtx, serve));
  recorder.deliverSoon(c.executionCtx, sendPieces(c.env));
};

/** What the log says of a request. */
interface RequestLine {
  readonly method: string;
  /** As the OpenAPI document writes it. */
  readonly route: string;
  readonly status: number;
  /** Code of the error that it was answered with. */
  readonly error: string | undefined;
  readonly duration_ms: number;
  readonly tenant_id: string | undefined;
  readonly store_id: string | undefined;
  readonly agent_id: string | undefined;
  readonly credential: "bootstrap" | "key" | "jwt" | "none";
  /** The data centre. */
  readonly colo: string | undefined;
}

function describe(c: AppContext, durationMs: number): RequestLine {
  // A request may have been refused before any of this was known.
  const { route, principal, subject } = c.var as Partial<AppEnv["Variables"]>;
  const { method, raw } = c.req;
  return {
    method: METHODS.has(method) ? method : "other",
    // Not that of a path whose methods are others: whatever is sent, there are no more routes than the document has.
    route: route ?? UNMATCHED,
    status: c.res.status,
    error: c.res.headers.get("x-error-code") ?? undefined,
    duration_ms: durationMs,
    tenant_id: subject?.tenantId ?? principal?.tenantId ?? undefined,
    store_id: subject?.storeId,
    agent_id: principal?.agentId ?? undefined,
    credential: principal?.tenantId === null ? "bootstrap" : kindOfCredential(raw.headers),
    colo: (raw.cf as { readonly colo?: string } | undefined)?.colo,
  };
}

/** What was sent, whether or not it was let in. */
function kindOfCredential(headers: Headers): RequestLine["credential"] {
  try {
    return credentialOf(headers).kind;
  } catch {
    return "none";
  }
}

function count({ method, route: path, status, error, duration_ms: durationMs }: RequestLine): void {
  recorder.count("sequencer_http_requests_total", { method, path, status });
  recorder.observe("sequencer_http_request_latency_seconds", { method, path }, durationMs / 1_000);
  if (error !== undefined) recorder.count("sequencer_errors_total", { code: error });
  if (status === 401) recorder.count("sequencer_authentication_failures_total", { code: error ?? "none" });
  if (status === 429) recorder.count("sequencer_rate_limit_refusals_total", { path });
  if (path === REGISTRATION && method === "POST") {
    const outcome = status === 200 ? "registered" : "refused";
    recorder.count("sequencer_agent_registration_total", { outcome, reason: (error ?? outcome).toLowerCase() });
  }
}

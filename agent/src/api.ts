import { z } from "zod";
import { type JsonValue, parseJson, VesError } from "../../src/ves/index.ts";
import { aborted, AgentError, type AgentErrorCode, reasonOf, throwIfAborted } from "./errors.ts";
import { type RetrySettings, withRetries } from "./retry.ts";
import type { Transport, TransportReply, TransportRequest } from "./transport.ts";

/** How the sequencer is asked. */
export interface ApiSettings {
  /** Milliseconds that one try may take. */
  readonly timeoutMs: number;
  readonly retry: RetrySettings;
}

/** Asks the sequencer, and reads its answers. Every call may be repeated: the sequencer answers the same again. */
export interface Api {
  /** @throws AgentError */
  get<Schema extends z.ZodType>(path: string, schema: Schema, options?: CallOptions): Promise<z.output<Schema>>;
  /** @throws AgentError */
  send<Schema extends z.ZodType>(
    method: "POST" | "PUT",
    path: string,
    body: string,
    schema: Schema,
    options?: CallOptions,
  ): Promise<z.output<Schema>>;
  /** @throws AgentError */
  delete<Schema extends z.ZodType>(path: string, schema: Schema, options?: CallOptions): Promise<z.output<Schema>>;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that the sequencer may take beyond what a try may take otherwise. */
  readonly extraMs?: number;
  /** Called before each try. */
  readonly onTry?: () => void;
}

export function createApi(transport: Transport, settings: ApiSettings): Api {
  const ask = async <Schema extends z.ZodType>(
    request: Omit<TransportRequest, "signal">,
    schema: Schema,
    { signal, extraMs = 0, onTry }: CallOptions = {},
  ): Promise<z.output<Schema>> => {
    const text = await withRetries(settings.retry, signal, () => {
      onTry?.();
      return tryOnce(transport, request, settings.timeoutMs + extraMs, signal);
    });
    return read(text, schema, request.path);
  };
  return {
    get: (path, schema, options) => ask({ method: "GET", path }, schema, options),
    send: (method, path, body, schema, options) => ask({ method, path, body }, schema, options),
    delete: (path, schema, options) => ask({ method: "DELETE", path }, schema, options),
  };
}

/** The text of an answer of 200. @throws AgentError */
async function tryOnce(
  transport: Transport,
  request: Omit<TransportRequest, "signal">,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  throwIfAborted(signal);
  const timeout = AbortSignal.timeout(timeoutMs);
  let reply: TransportReply;
  try {
    reply = await transport.send({
      ...request,
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
  } catch (error) {
    if (signal?.aborted === true) throw aborted(signal);
    if (error instanceof AgentError) throw error;
    const why = timeout.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error);
    throw new AgentError("UNREACHABLE", `The sequencer cannot be reached: ${why}`, { cause: error });
  }
  if (reply.status === 200) return reply.body;
  throw errorOf(reply);
}

function read<Schema extends z.ZodType>(text: string, schema: Schema, path: string): z.output<Schema> {
  const route = path.split("?", 1)[0];
  let value: JsonValue;
  try {
    value = parseJson(text);
  } catch (error) {
    if (!(error instanceof VesError)) throw error;
    throw new AgentError("MALFORMED_ANSWER", `The answer to ${route} is not JSON: ${error.message}`, { cause: error });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const what = issue === undefined ? "" : `: ${issue.path.join(".")}: ${issue.message}`;
  throw new AgentError("MALFORMED_ANSWER", `The answer to ${route} is not understood${what}`, { cause: parsed.error });
}

function errorOf({ status, body, retryAfter }: TransportReply): AgentError {
  const words = ownWords(body);
  const server = { status, ...(words ?? { code: "UNKNOWN", message: body.slice(0, 200) }) };
  const seconds = Number(retryAfter ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? Math.max(0, seconds * 1_000) : undefined;
  const message =
    words === undefined
      ? `What answers at the URL, or on the way there, says ${status}, and not as a sequencer does: ${server.message}`
      : `The sequencer answers ${status} ${server.code}: ${server.message}`;
  return new AgentError(codeOf(status, words?.code), message, { server, retryAfterMs });
}

/** @param code the sequencer's own; absent when something else answered */
function codeOf(status: number, code: string | undefined): AgentErrorCode {
  switch (code) {
    case "STREAM_FROZEN":
      return "STREAM_FROZEN";
    case "NOT_YET_SEALED":
      return "NOT_YET_SEALED";
    // An operator has to give the sequencer a key back; asking again soon does not help.
    case "PAYLOAD_UNREADABLE":
      return "REFUSED";
    default:
  }
  if (status === 401) return "UNAUTHORIZED";
  if (status === 403) return "FORBIDDEN";
  if (status === 404) return "NOT_FOUND";
  if (status === 408 || status === 429 || status >= 500) return "UNREACHABLE";
  // A proxy that says no says nothing about what was asked.
  return code === undefined ? "MALFORMED_ANSWER" : "REFUSED";
}

const errorAnswer = z.object({
  error: z.object({ code: z.string(), numeric_code: z.int() }),
  code: z.string(),
  message: z.string(),
});

/** What the sequencer says. Absent when it is not what every sequencer's error looks like: anything may answer on the way there. */
function ownWords(body: string): { readonly code: string; readonly message: string } | undefined {
  try {
    const { error, code, message } = errorAnswer.parse(JSON.parse(body));
    return error.code === code ? { code, message } : undefined;
  } catch {
    return undefined;
  }
}

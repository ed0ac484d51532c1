import { AgentError } from "./errors.ts";
import { type SocketConstructor, type Sockets, socketsOf } from "./sockets.ts";

/** One question to the sequencer. */
export interface TransportRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Path with its query. */
  readonly path: string;
  /** JSON text. */
  readonly body?: string;
  /** Ends the request, for the caller or because its time is over. */
  readonly signal: AbortSignal;
}

/** What the sequencer answered, whatever it was. */
export interface TransportReply {
  readonly status: number;
  /** The `Retry-After` header. */
  readonly retryAfter: string | null;
  readonly body: string;
}

/** The way to the sequencer. It throws when no answer came; then it is unknown whether the request was heard. */
export interface Transport {
  send(request: TransportRequest): Promise<TransportReply>;
  /** For live subscriptions. Long polls take their place where there are none. */
  readonly sockets?: Sockets | undefined;
}

/** An API key or a token, or what gives the one that is current. */
export type Credential = string | (() => string | Promise<string>);

/** JSON Web Tokens have three parts between dots; API keys have none. */
const TOKEN = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * The sequencer's HTTP API.
 *
 * @param options.fetch instead of the platform's own
 * @param options.WebSocket instead of the platform's own, or of none where `fetch` is given, which may lead elsewhere
 */
export function httpTransport(options: {
  readonly url: string;
  readonly credential: Credential;
  readonly fetch?: (request: Request) => Promise<Response>;
  readonly WebSocket?: SocketConstructor;
}): Transport {
  const base = options.url.replace(/\/+$/, "");
  const send = options.fetch ?? ((request: Request): Promise<Response> => fetch(request));
  const credential = async (): Promise<string> =>
    typeof options.credential === "string" ? options.credential : options.credential();
  const platform = globalThis as { readonly WebSocket?: SocketConstructor };
  const constructor = options.WebSocket ?? (options.fetch === undefined ? platform.WebSocket : undefined);
  return {
    sockets: socketsOf(base, credential, constructor),
    send: async ({ method, path, body, signal }) => {
      const secret = await credential();
      const headers = {
        authorization: `${TOKEN.test(secret) ? "Bearer" : "ApiKey"} ${secret}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      };
      // Followed, a redirection would take the credential along, and might turn a POST into a GET.
      const init = { method, headers, signal, redirect: "manual" as const, ...(body === undefined ? {} : { body }) };
      const response = await send(new Request(base + path, init));
      if (isRedirection(response)) {
        await response.body?.cancel();
        throw redirected(base + path, response.headers.get("location"));
      }
      return {
        status: response.status,
        retryAfter: response.headers.get("retry-after"),
        body: await response.text(),
      };
    },
  };
}

/** Browsers show nothing of one but that it is one. */
function isRedirection({ status, type }: { readonly status: number; readonly type: string }): boolean {
  return type === "opaqueredirect" || [301, 302, 303, 307, 308].includes(status);
}

function redirected(from: string, location: string | null): AgentError {
  const [asked, to] = [new URL(from), location !== null && URL.canParse(location, from) && new URL(location, from)];
  // Queries may hold what belongs in no log.
  const where = to === false ? "elsewhere" : `to ${to.origin}${to.pathname}`;
  const message = `url: ${asked.origin}${asked.pathname} leads ${where}, which is not followed: give the sequencer's own URL`;
  return new AgentError("INVALID_OPTIONS", message);
}

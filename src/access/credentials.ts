import { RequestError } from "../errors.ts";
import { fromBase64Url } from "../ves/index.ts";
import { API_KEY_PREFIX } from "./api-key.ts";

/** What a request presents: a key (minted or bootstrap), or a token in the form of a JWT. */
export interface Credential {
  readonly kind: "key" | "jwt";
  readonly text: string;
}

/** Begins the WebSocket subprotocol that carries a credential, in base64url. */
const CREDENTIAL_PROTOCOL = "ves.key.";

const JWT_FORM = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/**
 * The credential of a request: `Authorization: ApiKey K`, `Bearer K` or a bare `ss_...`, else `x-api-key` with any of these
 * or just K. Scheme names are case-insensitive (RFC 9110). A page cannot set headers for its WebSocket: it names the
 * credential among the subprotocols, as `ves.key.` and the base64url of K.
 *
 * @throws RequestError AUTH_REQUIRED when there is none in one of these forms
 */
export function credentialOf(headers: Headers): Credential {
  const authorization = headers.get("authorization")?.trim();
  if (authorization === undefined) {
    const key = headers.get("x-api-key")?.trim();
    if (key) return /\s/.test(key) ? credentialOf(new Headers({ authorization: key })) : { kind: "key", text: key };
    const ofSocket = credentialOfSocket(headers);
    if (ofSocket !== undefined) return bearer(ofSocket);
    throw authRequired("Authentication required: send Authorization: ApiKey <key>, or x-api-key: <key>");
  }
  const [, scheme, text] = /^(\S+)\s+(\S+)$/.exec(authorization) ?? [];
  if (scheme === undefined || text === undefined) {
    if (authorization.startsWith(API_KEY_PREFIX)) return { kind: "key", text: authorization };
    throw authRequired("The Authorization header must be ApiKey <key>, Bearer <key or JWT>, or a bare key (ss_...)");
  }
  switch (scheme.toLowerCase()) {
    case "apikey":
      return { kind: "key", text };
    case "bearer":
      return bearer(text);
    default:
      throw authRequired("The Authorization scheme must be ApiKey or Bearer");
  }
}

function bearer(text: string): Credential {
  return { kind: JWT_FORM.test(text) ? "jwt" : "key", text };
}

function credentialOfSocket(headers: Headers): string | undefined {
  if (headers.get("upgrade")?.toLowerCase() !== "websocket") return undefined;
  const named = offeredProtocols(headers).find((protocol) => protocol.startsWith(CREDENTIAL_PROTOCOL));
  if (named === undefined) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      fromBase64Url(named.slice(CREDENTIAL_PROTOCOL.length)),
    );
  } catch {
    throw authRequired("The subprotocol ves.key. must end in the base64url of a key or JWT");
  }
}

/** The subprotocols that a client of a WebSocket offers (RFC 6455, 11.3.4). */
export function offeredProtocols(headers: Headers): readonly string[] {
  const offered = headers.get("sec-websocket-protocol")?.split(",") ?? [];
  return offered.map((protocol) => protocol.trim()).filter((protocol) => protocol !== "");
}

function authRequired(message: string): RequestError {
  return new RequestError("AUTH_REQUIRED", message, { headers: { "www-authenticate": "ApiKey, Bearer" } });
}

import { RequestError } from "../errors.ts";
import { API_KEY_PREFIX } from "./api-key.ts";

/** What a request presents: a key (minted or bootstrap), or a token in the form of a JWT. */
export interface Credential {
  readonly kind: "key" | "jwt";
  readonly text: string;
}

const JWT_FORM = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/**
 * The credential of a request: `Authorization: ApiKey K`, `Bearer K` or a bare `ss_...`, else `x-api-key` with any of these
 * or just K. Scheme names are case-insensitive (RFC 9110).
 *
 * @throws RequestError AUTH_REQUIRED when there is none in one of these forms
 */
export function credentialOf(headers: Headers): Credential {
  const authorization = headers.get("authorization")?.trim();
  if (authorization === undefined) {
    const key = headers.get("x-api-key")?.trim();
    if (key) return /\s/.test(key) ? credentialOf(new Headers({ authorization: key })) : { kind: "key", text: key };
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
      return { kind: JWT_FORM.test(text) ? "jwt" : "key", text };
    default:
      throw authRequired("The Authorization scheme must be ApiKey or Bearer");
  }
}

function authRequired(message: string): RequestError {
  return new RequestError("AUTH_REQUIRED", message, { headers: { "www-authenticate": "ApiKey, Bearer" } });
}

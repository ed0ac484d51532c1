import { failure, log } from "../observe/log.ts";
import { ConfigError, ERROR_CODES, RequestError, unavailable } from "../errors.ts";
import type { AppContext } from "./context.ts";

/**
 * The one error envelope of every route. The two members at the top repeat the inner ones, because clients of both
 * families read theirs.
 */
export function errorResponse(error: unknown, c: AppContext): Response {
  const known = asRequestError(error);
  const { numericCode, status } = ERROR_CODES[known.code];
  const headers = new Headers(known.headers);
  headers.set("x-error-code", known.code);
  if (known.retryAfter !== undefined) headers.set("retry-after", String(known.retryAfter));
  const body = {
    error: {
      code: known.code,
      numeric_code: numericCode,
      message: known.message,
      request_id: c.get("requestId"),
      ...(known.details === undefined ? {} : { details: known.details }),
      ...(known.retryAfter === undefined ? {} : { retry_after: known.retryAfter }),
    },
    code: known.code,
    message: known.message,
  };
  return c.json(body, status, Object.fromEntries(headers));
}

/** What the platform marks on an error when an object could not be reached or was reset, and not the code in it failed. */
interface ObjectError {
  readonly retryable?: boolean;
  readonly overloaded?: boolean;
  readonly durableObjectReset?: boolean;
}

/** Anything that is not meant for the caller is logged here and told as nothing but its request id. */
function asRequestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  if (error instanceof ConfigError) {
    log.error(error.message);
    return new RequestError("SERVICE_UNAVAILABLE", "The server's configuration is wrong; its log says how");
  }
  log.error("unexpected error", failure(error));
  const { retryable, overloaded, durableObjectReset } = (error ?? {}) as ObjectError;
  if (retryable || overloaded || durableObjectReset) {
    return unavailable("The object that holds the data could not be reached: repeat the request");
  }
  return new RequestError("INTERNAL_ERROR", "Internal server error");
}

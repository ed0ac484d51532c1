/**
 * Every error code that a client can see, with its number and its HTTP status. Codes are for programs and never change
 * their meaning; messages are for people and may.
 */
export const ERROR_CODES = {
  AUTH_REQUIRED: { numericCode: 1001, status: 401 },
  INVALID_API_KEY: { numericCode: 1002, status: 401 },
  INVALID_TOKEN: { numericCode: 1003, status: 401 },
  TOKEN_EXPIRED: { numericCode: 1004, status: 401 },
  INSUFFICIENT_PERMISSIONS: { numericCode: 1005, status: 403 },
  REGISTRATION_DISABLED: { numericCode: 1006, status: 403 },
  ADMIN_NOT_ALLOWED: { numericCode: 1007, status: 403 },
  RATE_LIMIT_EXCEEDED: { numericCode: 2001, status: 429 },
  MISSING_REQUIRED_FIELD: { numericCode: 3002, status: 400 },
  INVALID_FIELD_VALUE: { numericCode: 3003, status: 400 },
  PAYLOAD_TOO_LARGE: { numericCode: 3004, status: 413 },
  MALFORMED_JSON: { numericCode: 3008, status: 400 },
  SIGNATURE_REQUIRED: { numericCode: 3009, status: 400 },
  UNPROCESSABLE: { numericCode: 3010, status: 422 },
  UNSUPPORTED_MEDIA_TYPE: { numericCode: 3011, status: 415 },
  METHOD_NOT_ALLOWED: { numericCode: 3012, status: 405 },
  INVALID_NAME: { numericCode: 3013, status: 400 },
  NAME_TOO_LONG: { numericCode: 3014, status: 400 },
  DESCRIPTION_TOO_LONG: { numericCode: 3015, status: 400 },
  STORE_IDS_TOO_MANY: { numericCode: 3016, status: 400 },
  RATE_LIMIT_INVALID: { numericCode: 3017, status: 400 },
  TENANT_ID_NOT_ALLOWED: { numericCode: 3018, status: 400 },
  INVALID_SCHEMA: { numericCode: 3019, status: 400 },
  UPGRADE_REQUIRED: { numericCode: 3020, status: 426 },
  RESOURCE_NOT_FOUND: { numericCode: 4001, status: 404 },
  EVENT_NOT_FOUND: { numericCode: 4002, status: 404 },
  BATCH_NOT_FOUND: { numericCode: 4003, status: 404 },
  AGENT_KEY_NOT_FOUND: { numericCode: 4005, status: 404 },
  API_KEY_NOT_FOUND: { numericCode: 4006, status: 404 },
  POLICY_NOT_FOUND: { numericCode: 4007, status: 404 },
  NOT_YET_SEALED: { numericCode: 4008, status: 404 },
  SCHEMA_NOT_FOUND: { numericCode: 4009, status: 404 },
  ALREADY_EXISTS: { numericCode: 5004, status: 409 },
  LIMIT_REACHED: { numericCode: 5005, status: 409 },
  INTEGRITY_VIOLATION: { numericCode: 5006, status: 409 },
  SCHEMA_INCOMPATIBLE: { numericCode: 5007, status: 409 },
  SIGNATURE_VERIFICATION_FAILED: { numericCode: 6002, status: 400 },
  INVALID_PUBLIC_KEY: { numericCode: 6003, status: 400 },
  INVARIANT_VIOLATION: { numericCode: 7002, status: 400 },
  SERVICE_UNAVAILABLE: { numericCode: 8002, status: 503 },
  STREAM_FROZEN: { numericCode: 8004, status: 503 },
  PAYLOAD_UNREADABLE: { numericCode: 8006, status: 503 },
  INTERNAL_ERROR: { numericCode: 8999, status: 500 },
  ANCHOR_NOT_CONFIGURED: { numericCode: 9001, status: 503 },
  ANCHOR_FAILED: { numericCode: 9002, status: 500 },
  NOT_ANCHORED: { numericCode: 9003, status: 400 },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** One thing that is wrong with a request: where, as a dotted path or within a schema as a JSON pointer, and what was expected. */
export interface FieldProblem {
  readonly path: string;
  readonly message: string;
}

interface ErrorExtras {
  readonly details?: readonly FieldProblem[] | Readonly<Record<string, string | number | boolean>>;
  /** Seconds after which repeating the request may succeed. */
  readonly retryAfter?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error that the caller is told about, as it stands here. Any other error is reported only as INTERNAL_ERROR. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly code: ErrorCode;
  readonly details: ErrorExtras["details"];
  readonly retryAfter: number | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message);
    this.code = code;
    this.details = extras.details;
    this.retryAfter = extras.retryAfter;
    this.headers = extras.headers ?? {};
  }
}

/** The outcome of a call is unknown or it did nothing; either way repeating it is safe. */
export function unavailable(message: string): RequestError {
  return new RequestError("SERVICE_UNAVAILABLE", message, { retryAfter: 1 });
}

/** A payload cannot be decrypted, which an operator has to see to; everything that needs no payload goes on. */
export function unreadable(message: string, sequenceNumber: number): RequestError {
  return new RequestError("PAYLOAD_UNREADABLE", message, {
    details: { sequence_number: sequenceNumber },
    retryAfter: 60,
  });
}

/** The stream takes no writes until an operator has resolved what it found. */
export function frozen(reason: string): RequestError {
  return new RequestError("STREAM_FROZEN", `The stream is frozen for writing, reads go on: ${reason}`, {
    retryAfter: 60,
  });
}

/** The settings are wrong: the server cannot serve. The message names each variable and what was expected of it. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

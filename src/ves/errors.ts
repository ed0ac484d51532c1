/**
 * Every way the protocol library refuses an input. The union is closed so that a caller can `switch` over it.
 *
 * - `malformed_json`: text that is not JSON, or JSON that VES 1.1 forbids
 * - `not_canonicalizable`: a value that has no RFC 8785 form
 * - `ill_formed_text`: a string with a lone surrogate, which has no UTF-8 form
 * - `invalid_encoding`: text that is not the hex, base64 or base64url it should be
 * - `invalid_length`: a key, hash or signature of the wrong size
 * - `invalid_uuid`: text that is not a canonical UUID
 * - `out_of_range`: a number or index outside its field
 * - `unsupported_version`: an event version without a signing hash
 * - `invalid_public_key`: a key that must not be registered
 */
export type VesErrorCode =
  | "malformed_json"
  | "not_canonicalizable"
  | "ill_formed_text"
  | "invalid_encoding"
  | "invalid_length"
  | "invalid_uuid"
  | "out_of_range"
  | "unsupported_version"
  | "invalid_public_key";

/** The only error this library throws on purpose. `message` is for people, `code` is for programs and never changes. */
export class VesError extends Error {
  readonly code: VesErrorCode;

  constructor(code: VesErrorCode, message: string) {
    super(message);
    this.name = "VesError";
    this.code = code;
  }
}

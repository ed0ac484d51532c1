/**
 * Every way in which encrypting, decrypting and handling keys fails. The union is closed so that a caller can `switch` over
 * it.
 *
 * Encrypting:
 * - `invalid_recipients`: none, too many, two with one kid, or a key that nothing can be encrypted to
 *
 * Decrypting, in the order of the checks:
 * - `not_encrypted`: the event has no encrypted payload
 * - `malformed`: the encrypted payload breaks a rule of its form
 * - `unsupported_suite`: it names an algorithm or version that nobody can decrypt
 * - `cipher_hash_mismatch`: it is not what the event's agent signed
 * - `not_a_recipient`: it is not encrypted to this key
 * - `key_unwrap_failed`: the content key does not open with this private key, or not for this event
 * - `content_decryption_failed`: the content does not open with the content key, or not for this event
 * - `plaintext_too_short`: what was encrypted has no room for its salt
 * - `plaintext_not_json`: what was encrypted is not a JSON text
 * - `plain_hash_mismatch`: the content is not what the event's agent signed
 *
 * Keys:
 * - `invalid_private_key`: not 32 bytes
 * - `invalid_group`, `group_conflict`: not a group; two different groups of one name and epoch
 * - `invalid_passphrase`, `wrong_passphrase`, `malformed_export`: of keys that are sealed by a passphrase
 *
 * Directories of keys:
 * - `malformed_directory`: not an answer of the sequencer's directory
 * - `wrong_directory`: of another agent or tenant than was asked for
 * - `directory_signature_invalid`: not signed by the sequencer
 * - `directory_stale`: signed too long ago, or in the future
 * - `unknown_signing_key`: a registration names a signing key that the agent is not known to have
 * - `registration_signature_invalid`: a key that the agent did not register
 * - `no_usable_key`: the agent has no key that may be encrypted to now
 */
export type EncryptionErrorCode =
  | "invalid_recipients"
  | "not_encrypted"
  | "malformed"
  | "unsupported_suite"
  | "cipher_hash_mismatch"
  | "not_a_recipient"
  | "key_unwrap_failed"
  | "content_decryption_failed"
  | "plaintext_too_short"
  | "plaintext_not_json"
  | "plain_hash_mismatch"
  | "invalid_private_key"
  | "invalid_group"
  | "group_conflict"
  | "invalid_passphrase"
  | "wrong_passphrase"
  | "malformed_export"
  | "malformed_directory"
  | "wrong_directory"
  | "directory_signature_invalid"
  | "directory_stale"
  | "unknown_signing_key"
  | "registration_signature_invalid"
  | "no_usable_key";

/** `code` is for programs, `message` for people. Neither ever holds content or key material, nor does a `cause`. */
export class EncryptionError extends Error {
  override readonly name = "EncryptionError";
  readonly code: EncryptionErrorCode;

  constructor(code: EncryptionErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

import type { Recipient, RecipientGroup } from "./encryption/index.ts";

/** Whom a payload is encrypted to: keys, or the members of a group. */
export type EncryptTo = readonly Recipient[] | RecipientGroup;

/**
 * All whom a payload is encrypted to, once each.
 *
 * @param own the agent's own key; null when it is not to read it
 */
export function recipientsOf(encryptTo: EncryptTo, own: Recipient | null): readonly Recipient[] {
  const given = "members" in encryptTo ? encryptTo.members : encryptTo;
  return own === null || given.some(({ kid }) => kid === own.kid) ? given : [...given, own];
}

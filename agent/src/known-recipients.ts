import { equalBytes, fromHex, toHex } from "../../src/ves/index.ts";
import type { Recipient } from "./encryption/index.ts";
import type { StreamTables } from "./store/store.ts";

/*
 * Public keys that own events were encrypted to. An event names its recipients by kid alone, so whoever has to encrypt it anew must
 * know whose keys they were.
 */

const PREFIX = "recipient_key:";

/**
 * Keeps the keys.
 *
 * @returns the first that has the kid of another key; then none is kept. Under one kid there is one key only, or else what was
 * encrypted to the one could be encrypted anew to the other
 */
export function keepRecipients(tables: StreamTables, recipients: readonly Recipient[]): Recipient | undefined {
  const clash = recipients.find((recipient) => {
    const known = recipientOf(tables, recipient.kid);
    return known !== undefined && !equalBytes(known.publicKey, recipient.publicKey);
  });
  if (clash !== undefined) return clash;
  for (const { kid, publicKey } of recipients) tables.setState(PREFIX + kid, toHex(publicKey));
  return undefined;
}

export function recipientOf(tables: StreamTables, kid: number): Recipient | undefined {
  const hex = tables.state(PREFIX + kid);
  return hex === undefined ? undefined : { kid, publicKey: fromHex(hex, 32) };
}

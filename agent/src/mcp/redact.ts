/** Replaces secrets, wherever they stand in a text that is to be shown. */
export type Redact = (text: string) => string;

export function createRedact(secrets: readonly string[]): Redact {
  // The longest first: one may be the beginning of another.
  const ordered = secrets.toSorted((a, b) => b.length - a.length);
  return (text) => ordered.reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);
}

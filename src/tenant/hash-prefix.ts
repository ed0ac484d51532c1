const PREFIX_DIGITS = 16;

/** What an API key is called wherever it is read of: 64 bits of its hash, of the 192 random ones that it has. */
export function hashPrefix(keyHash: string): string {
  return keyHash.slice(0, PREFIX_DIGITS);
}

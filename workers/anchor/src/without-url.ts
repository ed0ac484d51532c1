/** What the parts of a URL that may be secret are replaced with. */
const HIDDEN = "(its URL)";
const ANY_URL = /https?:\/\/\S+/gi;
/** Shorter ones are words like `v2` and `rpc`, and no keys. */
const MIN_SEGMENT_LENGTH = 8;
/** Of user names, passwords and query values: shorter ones are numbers and flags, which any text holds. */
const MIN_VALUE_LENGTH = 4;

/**
 * A text without any URL, and without the parts of this one: providers have keys in its path, its query or its host, and
 * their answers repeat them.
 */
export function withoutUrl(text: string, url: string): string {
  const parts = secretParts(url).toSorted((a, b) => b.length - a.length);
  return parts.reduce(
    (rest, part) => rest.replace(new RegExp(escaped(part), "gi"), () => HIDDEN),
    text.replace(ANY_URL, HIDDEN),
  );
}

/** As they are written, and as they are meant. */
function secretParts(url: string): string[] {
  const { host, hostname, username, password, pathname, search } = new URL(url);
  const segments = pathname.split("/");
  const values = search
    .slice(1)
    .split("&")
    .map((pair) => pair.slice(pair.indexOf("=") + 1));
  return [
    host,
    hostname,
    ...bothSpellings(segments).filter(({ length }) => length >= MIN_SEGMENT_LENGTH),
    ...bothSpellings([username, password, ...values]).filter(({ length }) => length >= MIN_VALUE_LENGTH),
  ];
}

function bothSpellings(parts: readonly string[]): string[] {
  return parts.flatMap((part) => [part, decoded(part)]);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function escaped(part: string): string {
  return part.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}

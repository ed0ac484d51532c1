import { type Address, isWithin, type Network, networkOf, parseAddress } from "./networks.ts";

/** Addresses of an X-Forwarded-For that are looked at, from the right. */
const MAX_HOPS = 20;

/** Who of IPv6 has one address has 2^64 of them. */
const IPV6_CLIENT_PREFIX = 64;

/**
 * Where a request comes from, or undefined when nothing trustworthy says so.
 *
 * Cloudflare says who connected to it (CF-Connecting-IP), whatever the client sends under that name. X-Forwarded-For counts
 * only where that is a trusted proxy. Each proxy adds at its right end who connected to it, so it is read from there, as
 * far as proxies are trusted: what stands to the left of the first stranger is what that stranger says.
 */
export function clientAddress(headers: Headers, trustedProxies: readonly Network[]): Address | undefined {
  let client = parseAddress(headers.get("cf-connecting-ip")?.trim() ?? "");
  const forwarded = headers.get("x-forwarded-for")?.split(",") ?? [];
  for (const hop of forwarded.toReversed().slice(0, MAX_HOPS)) {
    if (client === undefined || !isWithin(client, trustedProxies)) break;
    const before = parseAddress(hop.trim());
    // What a proxy should not have written: the last that is certain is the proxy itself.
    if (before === undefined) break;
    client = before;
  }
  return client;
}

/** A name for who a request comes from, for counting. Those whose address is not known are counted as one. */
export function clientOf(headers: Headers, trustedProxies: readonly Network[]): string {
  const address = clientAddress(headers, trustedProxies);
  return address === undefined ? "unknown" : clientName(address);
}

/** A name for all addresses that one client surely can use. */
export function clientName(address: Address): string {
  const { family, value } = address.family === 6 ? networkOf(address, IPV6_CLIENT_PREFIX) : address;
  return `${family}:${value.toString(16)}`;
}

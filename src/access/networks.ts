/*
 * Internet addresses and networks, as settings and headers write them. The parser takes what everybody reads alike: no
 * leading zeros in IPv4, which some read as octal, no zones, no brackets, no ports.
 */

/** An address as a number. One of IPv4 in IPv6's clothes (::ffff:a.b.c.d) is the IPv4 address. */
export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** All addresses of a family that begin with the same `prefix` bits. */
export interface Network extends Address {
  readonly prefix: number;
}

const BITS = { 4: 32, 6: 128 } as const;
const IPV4_MAPPED = 0xffffn;

/** The address, or undefined when the text is none. */
export function parseAddress(text: string): Address | undefined {
  if (!text.includes(":")) {
    const value = parseIpv4(text);
    return value === undefined ? undefined : { family: 4, value };
  }
  const value = parseIpv6(text);
  if (value === undefined) return undefined;
  return value >> 32n === IPV4_MAPPED ? { family: 4, value: value & 0xffff_ffffn } : { family: 6, value };
}

/** The one text of an address that everybody writes (RFC 5952). */
export function addressText({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  const text = groups.join(":");
  // The longest run of zeros, the first of two such, and never a single one.
  const [run] = [...text.matchAll(/(?<![^:])0(?::0)+(?![^:])/g)].toSorted((a, b) => b[0].length - a[0].length);
  if (run === undefined) return text;
  const [head, tail] = [text.slice(0, run.index), text.slice(run.index + run[0].length)];
  return `${head.replace(/:$/, "")}::${tail.replace(/^:/, "")}`;
}

/** An address, which is a network of one, or a CIDR block (`10.0.0.0/8`) without bits beyond its prefix. */
export function parseNetwork(text: string): Network | undefined {
  const [host = "", length, ...rest] = text.split("/");
  const address = parseAddress(host);
  if (address === undefined || rest.length > 0) return undefined;
  if (length === undefined) return { ...address, prefix: BITS[address.family] };
  if (!/^(0|[1-9]\d{0,2})$/.test(length)) return undefined;
  // A block of mapped addresses counts its prefix in IPv6; one that is wider than IPv4 has no meaning here.
  const prefix = Number(length) - (address.family === 4 && host.includes(":") ? BITS[6] - BITS[4] : 0);
  if (prefix < 0 || prefix > BITS[address.family]) return undefined;
  const network = { ...address, prefix };
  return networkOf(address, prefix).value === address.value ? network : undefined;
}

export function isWithin(address: Address, networks: readonly Network[]): boolean {
  return networks.some(
    ({ family, value, prefix }) => family === address.family && networkOf(address, prefix).value === value,
  );
}

/** The network of this size that the address is in. */
export function networkOf({ family, value }: Address, prefix: number): Network {
  const hostBits = BigInt(BITS[family] - prefix);
  return { family, value: (value >> hostBits) << hostBits, prefix };
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) {
    return undefined;
  }
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, index) => groupsOf(half, index === halves.length - 1));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const missing = 8 - head.length - (tail?.length ?? 0);
  // "::" stands for one group of zeros at least (RFC 4291, 2.2).
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0n), ...(tail ?? [])];
  return groups.reduce((value, group) => (value << 16n) | group, 0n);
}

/** The groups of 16 bits between colons; the last may be two of them written as IPv4. */
function groupsOf(text: string, isLast: boolean): bigint[] | undefined {
  if (text === "") return [];
  const groups: bigint[] = [];
  for (const [index, part] of text.split(":").entries()) {
    const isIpv4 = isLast && part.includes(".") && index === text.split(":").length - 1;
    const ipv4 = isIpv4 ? parseIpv4(part) : undefined;
    if (ipv4 !== undefined) groups.push(ipv4 >> 16n, ipv4 & 0xffffn);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`));
    else return undefined;
  }
  return groups;
}

import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clientAddress, clientName } from "../../src/access/client-address.ts";
import {
  type Address,
  addressText,
  isWithin,
  type Network,
  parseAddress,
  parseNetwork,
} from "../../src/access/networks.ts";

const address = (text: string): Address => {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
};
const networks = (...texts: string[]): Network[] =>
  texts.map((text) => {
    const parsed = parseNetwork(text);
    if (parsed === undefined) throw new Error(`${text} is no network`);
    return parsed;
  });

describe("addresses", () => {
  test.each<[string, 4 | 6, bigint]>([
    ["0.0.0.0", 4, 0n],
    ["255.255.255.255", 4, 0xffff_ffffn],
    ["192.0.2.1", 4, 0xc000_0201n],
    ["::", 6, 0n],
    ["::1", 6, 1n],
    ["1::", 6, 1n << 112n],
    ["2001:db8::8:0:1", 6, 0x2001_0db8_0000_0000_0000_0008_0000_0001n],
    ["2001:DB8:0:0:0:8:0:1", 6, 0x2001_0db8_0000_0000_0000_0008_0000_0001n],
    ["1:2:3:4:5:6:7::", 6, 0x0001_0002_0003_0004_0005_0006_0007_0000n],
    ["64:ff9b::192.0.2.1", 6, 0x0064_ff9b_0000_0000_0000_0000_c000_0201n],
    ["::ffff:192.0.2.1", 4, 0xc000_0201n],
    ["::FFFF:c000:201", 4, 0xc000_0201n],
  ])("%s", (text, family, value) => {
    expect(parseAddress(text)).toEqual({ family, value });
  });

  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:DB8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["10:0:0:5:6:7:8:0", "10::5:6:7:8:0"],
    ["1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"],
  ])("%s is written %s (RFC 5952)", (text, written) => {
    expect(addressText(address(text))).toBe(written);
  });

  test("what is written is read as the same address", () => {
    const group = fc.oneof(fc.constant(0n), fc.bigInt(0n, 0xffffn));
    const value = fc.array(group, { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(value, (groups) => {
        const any: Address = { family: 6, value: groups.reduce((sum, part) => (sum << 16n) | part, 0n) };
        fc.pre(any.value >> 32n !== 0xffffn);
        expect(isIPv6(addressText(any))).toBe(true);
        expect(parseAddress(addressText(any))).toEqual(any);
      }),
    );
  });

  test.each([
    "",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.04",
    "1.2.3.0x4",
    "1.2.3.-4",
    "1.2.3.4 ",
    "1.2.3.٤",
    "1.2.3.4:80",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "12345::",
    "g::",
    "1.2.3.4::",
    "::1.2.3.4:1",
    "1:2:3:4:5:6:7:1.2.3.4",
    "fe80::1%eth0",
    "[::1]",
  ])("%j is none", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test("what Node takes for one is one, and what it does not is none", () => {
    const piece = fc.constantFrom(
      "1",
      "0",
      "255",
      "256",
      "01",
      "ffff",
      "12345",
      "::",
      ":",
      ":",
      ".",
      ".",
      "1.2.3.4",
      "",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.ipV4(),
          fc.ipV6(),
          fc.array(piece, { maxLength: 15 }).map((p) => p.join("")),
        ),
        (text) => {
          expect(parseAddress(text) !== undefined).toBe(isIPv4(text) || isIPv6(text));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test("however an IPv6 address is shortened, it is the same", () => {
    const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, (parts) => {
        const text = parts.map((part) => part.toString(16)).join(":");
        const short = new URL(`http://[${text}]`).hostname.slice(1, -1);
        expect(parseAddress(short)).toEqual(parseAddress(text));
      }),
    );
  });
});

describe("networks", () => {
  test.each<[string, string[], string[]]>([
    ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], ["11.0.0.0", "9.255.255.255", "::a00:0"]],
    ["192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.6", "192.0.2.8"]],
    ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "::1"]],
    ["::/0", ["::", "ffff::1"], ["0.0.0.0", "::ffff:1.2.3.4"]],
    ["2001:db8::/32", ["2001:db8::", "2001:db8:ffff::1"], ["2001:db9::", "2001:db7:ffff::"]],
    ["2001:db8::1/128", ["2001:db8::1"], ["2001:db8::2"]],
    ["::ffff:10.0.0.0/104", ["10.9.8.7"], ["11.0.0.0", "::10.0.0.1"]],
  ])("%s", (network, inside, outside) => {
    for (const text of inside) expect(isWithin(address(text), networks(network)), text).toBe(true);
    for (const text of outside) expect(isWithin(address(text), networks(network)), text).toBe(false);
  });

  test.each([
    "",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.0/+8",
    "10.0.0.0/8/8",
    "10.0.0.1/8",
    "::/129",
    "2001:db8::1/32",
    "::ffff:0.0.0.0/95",
    "localhost",
    "10.*",
  ])("%j is none", (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  });

  test("an address is in a network when their first bits are the same", () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.nat(0xffff_ffff), fc.nat(32), (a, b, prefix) => {
        const bits = (value: number): string => value.toString(2).padStart(32, "0").slice(0, prefix);
        const network = { family: 4 as const, value: BigInt(`0b${bits(b).padEnd(32, "0")}`), prefix };
        expect(isWithin({ family: 4, value: BigInt(a) }, [network])).toBe(bits(a) === bits(b));
      }),
    );
  });
});

describe("where a request comes from", () => {
  const proxies = networks("10.0.0.0/8", "2001:db8:1::/48");
  const from = (connected: string | null, forwarded: string | null, trusted = proxies): Address | undefined =>
    clientAddress(
      new Headers({
        ...(connected !== null && { "cf-connecting-ip": connected }),
        ...(forwarded !== null && { "x-forwarded-for": forwarded }),
      }),
      trusted,
    );

  test.each<[string, string | null, string]>([
    ["198.51.100.1", null, "198.51.100.1"],
    ["198.51.100.1", "203.0.113.9", "198.51.100.1"],
    ["10.0.0.1", null, "10.0.0.1"],
    ["10.0.0.1", "203.0.113.9", "203.0.113.9"],
    ["10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"],
    ["10.0.0.1", "6.6.6.6, 203.0.113.9,10.2.3.4 , 10.0.0.1", "203.0.113.9"],
    ["10.0.0.1", "10.9.9.9, 10.2.3.4", "10.9.9.9"],
    ["10.0.0.1", "203.0.113.9, unknown, 10.2.3.4", "10.2.3.4"],
    ["10.0.0.1", "", "10.0.0.1"],
    ["2001:db8:1::5", "2001:db8:2::5", "2001:db8:2::5"],
    ["::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"],
  ])("connected from %s, forwarded for %s: %s", (connected, forwarded, client) => {
    expect(from(connected, forwarded)).toEqual(address(client));
  });

  test("without a trusted proxy, only from who connected; without that, from nowhere", () => {
    expect(from("10.0.0.1", "203.0.113.9", [])).toEqual(address("10.0.0.1"));
    expect(from(null, "203.0.113.9")).toBeUndefined();
    expect(from("unknown", "203.0.113.9")).toBeUndefined();
  });

  test("a chain is followed 20 proxies far", () => {
    const chain = (proxiesBefore: number): string =>
      ["203.0.113.9", ...Array(proxiesBefore).fill("10.1.1.1")].join(",");
    expect(from("10.0.0.1", chain(19))).toEqual(address("203.0.113.9"));
    expect(from("10.0.0.1", chain(20))).toEqual(address("10.1.1.1"));
  });

  test("the addresses of one /64 are one client", () => {
    expect(clientName(address("2001:db8:0:1::1"))).toBe(clientName(address("2001:db8:0:1:ffff::2")));
    expect(clientName(address("2001:db8:0:1::1"))).not.toBe(clientName(address("2001:db8:0:2::1")));
    expect(clientName(address("192.0.2.1"))).toBe(clientName(address("::ffff:192.0.2.1")));
    expect(clientName(address("192.0.2.1"))).not.toBe(clientName(address("192.0.2.2")));
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  VesError,
  concat,
  fromBase64,
  fromBase64Url,
  fromHex,
  isRfc3339,
  newUuidV7,
  parseUuid,
  str,
  to0xHex,
  toBase64,
  toBase64Url,
  toHex,
  toRfc3339Offset,
  u32,
  u64,
  utf8,
  uuidBytes,
  uuidFromBytes,
} from "../../src/ves/index.ts";
import { group } from "./vectors.ts";

const bytes = fc.uint8Array({ maxLength: 100 });
const text = fc.string({ unit: "binary", maxLength: 20 });

function encodingError(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof VesError) return error.code;
    throw error;
  }
}

describe("VES 0: primitives", () => {
  type Kind = "u32_be" | "u64_be" | "enc_str" | "uuid" | "base64url" | "base64url_decode" | "hex0x";
  const encoders: Record<Kind, (value: string) => Uint8Array | string | undefined> = {
    u32_be: (value) => u32(Number(value)),
    u64_be: (value) => u64(BigInt(value)),
    enc_str: (value) => str(value),
    uuid: (value) => {
      const canonical = parseUuid(value);
      return canonical === undefined ? undefined : uuidBytes(canonical);
    },
    base64url: (value) => toBase64Url(fromHex(value)),
    base64url_decode: (value) => fromBase64Url(value),
    hex0x: (value) => fromHex(value),
  };

  test.each(group<{ kind: Kind; value: string }, { hex?: string; text?: string; error?: true }>("primitives"))(
    "$id",
    ({ input, expected }) => {
      let actual: Uint8Array | string | undefined;
      try {
        actual = encoders[input.kind](input.value);
      } catch (error) {
        expect(error).toBeInstanceOf(VesError);
      }
      if (expected.error) expect(actual).toBeUndefined();
      else expect(actual instanceof Uint8Array ? toHex(actual) : actual).toBe(expected.hex ?? expected.text);
    },
  );

  test.each([
    ["u32 -1", () => u32(-1)],
    ["u32 2^32", () => u32(2 ** 32)],
    ["u32 1.5", () => u32(1.5)],
    ["u64 -1", () => u64(-1)],
    ["u64 2^53 as a number", () => u64(2 ** 53)],
    ["u64 2^64", () => u64(2n ** 64n)],
    ["u64 -1n", () => u64(-1n)],
  ])("%s is out of range", (_, run) => {
    expect(encodingError(run)).toBe("out_of_range");
  });

  test("a u64 is the same from a number and from a bigint", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (n) => {
        expect(u64(n)).toEqual(u64(BigInt(n)));
        expect(BigInt(to0xHex(u64(n)))).toBe(BigInt(n));
      }),
    );
  });

  test("text with a lone surrogate has no encoding, a pair has", () => {
    expect(encodingError(() => str("\ud800"))).toBe("ill_formed_text");
    expect(toHex(utf8("\ud83d\ude00"))).toBe("f09f9880");
  });

  test("length prefixes make a run of strings injective", () => {
    const join = (parts: readonly string[]): string => toHex(concat(...parts.map(str)));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 4 }), fc.array(text, { maxLength: 4 }), (a, b) => {
        expect(join(a) === join(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
    expect(join(["ab", "c"])).not.toBe(join(["a", "bc"]));
    // The control: without the lengths the two runs are one.
    expect(concat(utf8("ab"), utf8("c"))).toEqual(concat(utf8("a"), utf8("bc")));
  });
});

describe("VES 3.2: hex and base64", () => {
  test("hex, base64 and base64url give back what they encode", () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(fromHex(toHex(value))).toEqual(value);
        expect(
          fromHex(
            to0xHex(value).replaceAll(/[a-f]/g, (digit) => digit.toUpperCase()),
            value.length,
          ),
        ).toEqual(value);
        expect(fromBase64(toBase64(value))).toEqual(value);
        expect(fromBase64(toBase64Url(value))).toEqual(value);
        expect(fromBase64Url(toBase64Url(value))).toEqual(value);
        expect(toBase64(value)).toBe(btoa(String.fromCharCode(...value)));
      }),
    );
  });

  test("base64url has one accepted unpadded spelling for each byte string", () => {
    const almost = fc.string({ unit: fc.constantFrom(..."ABQgw_-+/=09az".split("")), maxLength: 8 });
    let accepted = 0;
    fc.assert(
      fc.property(almost, (candidate) => {
        if (encodingError(() => fromBase64Url(candidate)) !== undefined) return;
        accepted++;
        const canonical = toBase64Url(fromBase64Url(candidate));
        expect([canonical, canonical.padEnd(Math.ceil(canonical.length / 4) * 4, "=")]).toContain(candidate);
      }),
      { numRuns: 2000 },
    );
    expect(accepted).toBeGreaterThan(50);
  });

  test.each([
    "_w=",
    "_w===",
    "_=w=",
    "_w==_w",
    "A",
    "AAAAA",
    "_x",
    "_x==",
    "__9",
    "=",
    "==",
    "====",
    " _w",
    "_w\n",
    "é",
  ])("base64url refuses %j", (candidate) => {
    expect(encodingError(() => fromBase64Url(candidate))).toBe("invalid_encoding");
  });

  test.each([
    ["-_8=", "fbff"],
    ["+/8=", "fbff"],
    ["+/8", "fbff"],
    ["", ""],
  ])("base64 reads %j in either alphabet", (candidate, hex) => {
    expect(toHex(fromBase64(candidate))).toBe(hex);
  });

  test("base64 does not mix its alphabets", () => {
    expect(encodingError(() => fromBase64("-/8="))).toBe("invalid_encoding");
  });

  test.each(["0X00", "0x0x00", "0", "0x0", "zz", " 00", "0x 0", "00\n", "é0", "００"])(
    "hex refuses %j",
    (candidate) => {
      expect(encodingError(() => fromHex(candidate))).toBe("invalid_encoding");
    },
  );

  test("hex of a wanted length is neither shorter nor longer", () => {
    expect(encodingError(() => fromHex("0x0011", 3))).toBe("invalid_encoding");
    expect(encodingError(() => fromHex("00112233", 3))).toBe("invalid_encoding");
    expect(fromHex("0x001122", 3)).toEqual(Uint8Array.of(0, 0x11, 0x22));
  });
});

describe("VES 0: UUID", () => {
  test("all accepted spellings of 16 bytes read as one text", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (value) => {
        const canonical = uuidFromBytes(value);
        const simple = canonical.replaceAll("-", "");
        for (const spelling of [canonical, simple, `{${canonical}}`, `urn:uuid:${canonical.toUpperCase()}`]) {
          expect(parseUuid(spelling)).toBe(canonical);
        }
        expect(uuidBytes(canonical)).toEqual(value);
      }),
    );
  });

  const canonical = "64527dd3-a654-4410-9327-e58a1492ce77";
  test.each([
    "",
    canonical.slice(1),
    `${canonical}0`,
    ` ${canonical}`,
    canonical.replace("-", ""),
    canonical.replace("6", "g"),
    canonical.replace("4-4", "44-"),
    `{${canonical}`,
    `${canonical}}`,
    `urn:uuid:{${canonical}}`,
    `urn:uuid:${canonical.replaceAll("-", "")}`,
  ])("%j is not a UUID", (candidate) => {
    expect(parseUuid(candidate)).toBeUndefined();
    expect(encodingError(() => uuidBytes(candidate))).toBe("invalid_uuid");
  });

  test("16 bytes, not 15", () => {
    expect(encodingError(() => uuidFromBytes(new Uint8Array(15)))).toBe("invalid_uuid");
  });
});

test("a new UUID of version 7 is a UUID of that version and variant, and rises with time", () => {
  const first = newUuidV7(0x0123_4567_89ab);
  expect(first).toMatch(/^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(parseUuid(first)).toBe(first);
  expect(newUuidV7(0x0123_4567_89ac) > first).toBe(true);
  expect(newUuidV7(0x0123_4567_89ab)).not.toBe(first);
});

describe("VES 6.2: timestamps", () => {
  test.each(group<{ created_at: string }, { accepted: boolean }>("created_at_acceptance"))(
    "$id",
    ({ input, expected }) => {
      expect(isRfc3339(input.created_at)).toBe(expected.accepted);
    },
  );

  test.each([
    ["2024-02-29t23:59:60z", true],
    ["2024-02-29 23:59:59.1+23:59", true],
    ["2000-02-29T00:00:00-00:01", true],
    ["0000-02-29T00:00:00Z", true],
    ["1900-02-29T00:00:00Z", false],
    ["2023-02-29T00:00:00Z", false],
    ["2023-04-31T00:00:00Z", false],
    ["2023-00-01T00:00:00Z", false],
    ["2023-13-01T00:00:00Z", false],
    ["2023-01-00T00:00:00Z", false],
    ["2023-01-01T24:00:00Z", false],
    ["2023-01-01T00:60:00Z", false],
    ["2023-01-01T00:00:61Z", false],
    ["2023-01-01T00:00:00+00:60", false],
    ["2023-01-01T00:00:00+0000", false],
    ["2023-01-01T00:00:00+00", false],
    ["2023-01-01T00:00:00", false],
    ["2023-01-01_00:00:00Z", false],
    ["2023-1-01T00:00:00Z", false],
    ["+2023-01-01T00:00:00Z", false],
    ["2023-01-01T00:00:00,5Z", false],
    ["2023-01-01T00:00:00Z\n", false],
    ["٢023-01-01T00:00:00Z", false],
  ])("%j: %s", (candidate, accepted) => {
    expect(isRfc3339(candidate)).toBe(accepted);
  });

  test("an instant has one text, with three fraction digits and an offset", () => {
    expect(toRfc3339Offset(Date.UTC(2026, 0, 2, 3, 4, 5, 678))).toBe("2026-01-02T03:04:05.678+00:00");
    expect(toRfc3339Offset(0)).toBe("1970-01-01T00:00:00.000+00:00");
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true }), (date) => {
        const written = toRfc3339Offset(date.getTime());
        expect(isRfc3339(written)).toBe(true);
        expect(Date.parse(written)).toBe(date.getTime());
      }),
    );
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 253402300800000])("%d ms has no text", (ms) => {
    expect(encodingError(() => toRfc3339Offset(ms))).toBe("out_of_range");
  });
});

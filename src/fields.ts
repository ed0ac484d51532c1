import { z } from "zod";
import { fromBase64, fromHex, isRfc3339 } from "./ves/index.ts";

/*
 * Values that requests and settings write in the same ways.
 */

const FIRST = Date.parse("0000-01-01T00:00:00Z");
const LAST = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * A time as every caller may write it (RFC 3339 with the liberties of VES 6.2), read as milliseconds since the epoch.
 * `Date.parse` alone knows neither a leap second nor U+2212, and what it does not know must not become "no bound".
 */
export const timeField = z
  .string()
  .transform((text, context) => {
    const ms = isRfc3339(text) ? instantOf(text) : NaN;
    if (ms >= FIRST && ms <= LAST) return ms;
    context.addIssue({ code: "custom", message: "expected an RFC 3339 time" });
    return z.NEVER;
  })
  .meta({ description: "RFC 3339 time" });

function instantOf(text: string): number {
  const plain = text.toUpperCase().replace(" ", "T").replace("\u2212", "-");
  // A leap second is the first one of the next minute.
  const isLeapSecond = plain.slice(17, 19) === "60";
  return isLeapSecond ? Date.parse(`${plain.slice(0, 17)}59${plain.slice(19)}`) + 1_000 : Date.parse(plain);
}

/** Bytes in hex (any case, with or without 0x) or base64 (either alphabet, padded or not). The message never repeats the text. */
export function bytesField(length: number) {
  const hex = new RegExp(`^(0x)?[0-9a-f]{${length * 2}}$`, "i");
  return z
    .string()
    .transform((text, context) => {
      try {
        const bytes = hex.test(text) ? fromHex(text, length) : fromBase64(text);
        if (bytes.length === length) return bytes;
      } catch {
        // Reported below.
      }
      context.addIssue({ code: "custom", message: `expected ${length} bytes in hex or base64` });
      return z.NEVER;
    })
    .meta({ description: `${length} bytes in hex, with or without 0x, or base64` });
}

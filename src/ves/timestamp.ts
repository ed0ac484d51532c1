import { VesError } from "./errors.ts";

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ]([01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+\-\u2212](?:[01]\d|2[0-3]):[0-5]\d)$/;

const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/**
 * Whether `created_at` has an accepted form (VES 6.2). `T`, `t` or a blank between date and time; `Z`, `z` or an offset
 * with a colon, whose minus may be U+2212; seconds up to 60; any number of fraction digits.
 */
export function isRfc3339(text: string): boolean {
  const match = RFC3339.exec(text);
  if (match === null) return false;
  const year = Number(match[1]);
  const month = Number(match[2]);
  const day = Number(match[3]);
  const days = month === 2 && isLeapYear(year) ? 29 : (DAYS_IN_MONTH[month - 1] ?? 0);
  return day >= 1 && day <= days;
}

/**
 * `2026-01-02T03:04:05.678+00:00` for milliseconds since 1970: the form of `sequencedAt` (VES 6.3). Always three
 * fraction digits, so that one instant has one text.
 *
 * @throws VesError `out_of_range` outside the years 0 to 9999
 */
export function toRfc3339Offset(ms: number): string {
  const date = new Date(ms);
  const year = date.getUTCFullYear();
  if (!(year >= 0 && year <= 9999))
    throw new VesError("out_of_range", `${ms} is not an instant of the years 0 to 9999`);
  return date.toISOString().replace("Z", "+00:00");
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

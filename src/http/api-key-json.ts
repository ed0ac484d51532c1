import { z } from "zod";
import { hashPrefix } from "../tenant/hash-prefix.ts";
import type { ApiKeyRecord, Permissions } from "../tenant/messages.ts";
import { toRfc3339Offset } from "../ves/index.ts";
import { timeOrNull, timeText } from "./schemas.ts";

/** Most requests in a window that a key may be given. */
export const MAX_RATE_LIMIT = 10_000;

export const permissionsText = z.enum(["admin", "read_write", "read", "write"]);

export const rateLimitOrNull = z
  .int()
  .nullable()
  .describe("Requests in RATE_LIMIT_WINDOW_SECONDS, a minute unless set otherwise; null: no limit of its own");

/** An API key, as listed. */
export const apiKeyResponse = z.object({
  keyHashPrefix: z.string(),
  active: z.boolean(),
  permissions: permissionsText,
  storeIds: z.array(z.string()).nullable(),
  rateLimit: rateLimitOrNull,
  createdAt: timeText,
  expiresAt: timeText.nullable(),
  revokedAt: timeText.nullable(),
});

export function apiKeyJson(key: ApiKeyRecord, now: number): z.output<typeof apiKeyResponse> {
  return {
    keyHashPrefix: hashPrefix(key.keyHash),
    active: isActive(key, now),
    permissions: describePermissions(key.permissions),
    storeIds: key.storeIds === null ? null : [...key.storeIds],
    rateLimit: key.rateLimit,
    createdAt: toRfc3339Offset(key.createdAt),
    expiresAt: timeOrNull(key.expiresAt),
    revokedAt: timeOrNull(key.revokedAt),
  };
}

export function isActive({ revokedAt, expiresAt }: ApiKeyRecord, now: number): boolean {
  return revokedAt === null && (expiresAt === null || expiresAt > now);
}

export function describePermissions({ read, write, admin }: Permissions): z.output<typeof permissionsText> {
  if (admin) return "admin";
  if (read && write) return "read_write";
  return write ? "write" : "read";
}

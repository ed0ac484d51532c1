import { RequestError } from "../errors.ts";
import type { Permissions } from "../tenant/messages.ts";
import { forbidden, type Principal } from "./principal.ts";

/** What an API key is asked to be. Null: not said. */
export interface KeyWish {
  readonly admin: boolean | null;
  readonly readOnly: boolean | null;
  readonly storeIds: readonly string[] | null;
  readonly rateLimit: number | null;
  readonly expiresAt: number | null;
}

/** What a minted key gives to whoever holds it. */
export interface KeyGrant {
  readonly permissions: Permissions;
  readonly storeIds: readonly string[] | null;
  readonly rateLimit: number | null;
  /** Hash of the key whose limit its requests are counted for; null: its own. */
  readonly limitKeyHash: string | null;
  readonly expiresAt: number | null;
}

/**
 * What the caller may give: an administrator all of it, anyone else at most what it has itself. Stores and the end bind an
 * administrator too, who would otherwise have what it was not given by minting it for itself.
 *
 * @throws RequestError INSUFFICIENT_PERMISSIONS, or INVALID_FIELD_VALUE for an end that is over
 */
export function grantableKey(caller: Principal, wish: KeyWish, now: number): KeyGrant {
  return {
    expiresAt: expiryToMint(caller, wish.expiresAt, now),
    permissions: permissionsToMint(caller, wish),
    storeIds: storesToMint(caller, wish.storeIds),
    rateLimit: rateLimitToMint(caller, wish.rateLimit),
    limitKeyHash: bindsMinted(caller) ? caller.limitId : null,
  };
}

function permissionsToMint({ permissions }: Principal, { admin, readOnly }: KeyWish): Permissions {
  if (admin === true) {
    if (!permissions.admin) throw forbidden("Only an administrator can mint an administrator's key");
    return { read: true, write: true, admin: true };
  }
  // Every key can read; a token may be for less than that.
  if (!permissions.admin && !permissions.read) throw forbidden("This credential cannot give read permission");
  const mayWrite = permissions.admin || permissions.write;
  const write = !(readOnly ?? !mayWrite);
  if (write && !mayWrite) throw forbidden("This credential cannot give write permission");
  return { read: true, write, admin: false };
}

function storesToMint({ storeIds: own }: Principal, storeIds: readonly string[] | null): readonly string[] | null {
  if (own === null) return storeIds === null || storeIds.length === 0 ? null : storeIds;
  if (storeIds === null) return own;
  // None named would mean all.
  if (storeIds.length === 0 || !storeIds.every((id) => own.includes(id))) {
    throw forbidden("This credential can only give its own stores");
  }
  return storeIds;
}

/** With a limit of its own, a credential would have it once more with every key that it mints, if they did not share it. */
function bindsMinted({ permissions, rateLimit }: Principal): boolean {
  return rateLimit !== null && !permissions.admin;
}

function rateLimitToMint(caller: Principal, rateLimit: number | null): number | null {
  const { rateLimit: own } = caller;
  if (own === null || !bindsMinted(caller)) return rateLimit;
  if (rateLimit !== null && rateLimit > own) {
    throw forbidden("This credential cannot give a higher rate limit than its own");
  }
  return rateLimit ?? own;
}

/** A credential that ends cannot outlive itself by minting another. */
function expiryToMint({ expiresAt: own }: Principal, expiresAt: number | null, now: number): number | null {
  if (expiresAt !== null && expiresAt <= now) {
    throw new RequestError("INVALID_FIELD_VALUE", "expiresAt lies in the past");
  }
  if (own === null) return expiresAt;
  if (expiresAt !== null && expiresAt > own) throw forbidden("This credential cannot give a key that outlives it");
  return expiresAt ?? own;
}

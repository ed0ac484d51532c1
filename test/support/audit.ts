import type { AuditContext } from "../../src/audit/entry.ts";
import type { Change } from "../../src/tenant/audit-log.ts";
import { uuid } from "./checked-events.ts";

/** Somebody who changes registries. */
export const SOMEBODY: AuditContext = {
  actor: { kind: "bootstrap", agentId: null },
  credential: null,
  address: "192.0.2.1",
  userAgent: "tests",
  requestId: "request-1",
};

/** A change that somebody makes at this time, in milliseconds since the epoch. */
export function changeAt(now: number): Change {
  return { tenantId: uuid(2, 1), who: SOMEBODY, now };
}

import { z } from "zod";
import { ExpiringCache } from "../access/expiring-cache.ts";
import { type Permission, type Principal, requirePermission, requireFlag } from "../access/principal.ts";
import { RequestError, unavailable } from "../errors.ts";
import { findStreamOfBatch } from "../mirror/batch-index.ts";
import { postgresProblem } from "../mirror/postgres.ts";
import { log } from "../observe/log.ts";
import type { StreamRef } from "../stream-ref.ts";
import { uuidField } from "../ves/index.ts";
import type { AppContext } from "./context.ts";

/*
 * A batch is found in its stream's object. Which stream that is, the caller names or Postgres knows.
 */

export const batchParams = z.object({ batch_id: uuidField });

/** The stream of the batch that a path names, which need not be given. */
export const batchStreamMembers = {
  tenant_id: uuidField.optional().describe("The batch's stream; with store_id, or neither"),
  store_id: uuidField.optional().describe("The batch's stream; with tenant_id, or neither"),
};

export interface BatchStreamQuery {
  readonly tenant_id?: string | undefined;
  readonly store_id?: string | undefined;
}

/** Refuses half of a stream. */
export function wholeStream(query: BatchStreamQuery, context: z.RefinementCtx): void {
  if ((query.tenant_id === undefined) === (query.store_id === undefined)) return;
  const [given, missing] = query.tenant_id === undefined ? ["store_id", "tenant_id"] : ["tenant_id", "store_id"];
  context.addIssue({ code: "custom", path: [missing], message: `expected beside ${given}: give both or neither` });
}

export const batchQuery = z.object(batchStreamMembers).superRefine(wholeStream);

/** Streams of batches that this isolate has seen: 10,000 of about 300 bytes. A batch stays in its stream for ever. */
const known = new ExpiringCache<StreamRef>(10_000);

/** Notes a batch that is surely there, so that it is found before Postgres has it. */
export function rememberBatch(batchId: string, stream: StreamRef): void {
  known.set(batchId, stream, Date.now());
}

/**
 * The stream that the batch is in, for which the principal has the permission. Where the query names it, the batch need not
 * be there.
 *
 * @throws RequestError INSUFFICIENT_PERMISSIONS for a named stream; BATCH_NOT_FOUND, the same for a batch that does not
 *   exist and for one that is beyond the principal's permission; SERVICE_UNAVAILABLE without Postgres
 */
export async function streamOfBatch(
  c: AppContext,
  batchId: string,
  query: BatchStreamQuery,
  permission: Permission = "read",
): Promise<StreamRef> {
  const principal = c.get("principal");
  const { tenant_id: tenantId, store_id: storeId } = query;
  if (tenantId !== undefined && storeId !== undefined) {
    requirePermission(principal, permission, tenantId, storeId);
    return { tenantId, storeId };
  }
  requireFlag(principal, permission);
  const remembered = known.get(batchId, Infinity);
  // Others are answered by Postgres as about any other batch, so that nobody learns what others look at.
  if (remembered !== undefined && has(principal, permission, remembered)) return remembered;
  const found = await lookUp(c.env.POSTGRES, batchId, principal.tenantId);
  if (found === null || !has(principal, permission, found)) throw batchNotFound(batchId, query);
  rememberBatch(batchId, found);
  return found;
}

export function batchNotFound(batchId: string, query: BatchStreamQuery): RequestError {
  const message =
    query.tenant_id === undefined
      ? `Batch ${batchId} is not known; one that was sealed a moment ago is found with its tenant_id and store_id`
      : `Batch ${batchId} is not in this stream`;
  return new RequestError("BATCH_NOT_FOUND", message);
}

async function lookUp(
  hyperdrive: Hyperdrive | undefined,
  batchId: string,
  tenantId: string | null,
): Promise<StreamRef | null> {
  if (hyperdrive === undefined) {
    const message = "This deployment has no index of batches: name the batch's tenant_id and store_id";
    throw new RequestError("MISSING_REQUIRED_FIELD", message);
  }
  try {
    return await findStreamOfBatch(hyperdrive, batchId, tenantId);
  } catch (error) {
    log.error("looking up the stream of a batch in Postgres failed", { batch_id: batchId, error: String(error) });
    const problem = `${postgresProblem(error)}, and batches are looked up there`;
    throw unavailable(`${problem}: repeat the request, or name tenant_id and store_id`);
  }
}

function has(principal: Principal, permission: Permission, { tenantId, storeId }: StreamRef): boolean {
  try {
    requirePermission(principal, permission, tenantId, storeId);
    return true;
  } catch (error) {
    if (error instanceof RequestError) return false;
    throw error;
  }
}

import { z } from "zod";
import { forbidden, type Principal, requireFlag } from "../access/principal.ts";
import { unavailable } from "../errors.ts";
import { readAgents } from "../mirror/agent-numbers.ts";
import type { Scope } from "../mirror/health.ts";
import { postgresProblem } from "../mirror/postgres.ts";
import { readRecentBatches } from "../mirror/recent-batches.ts";
import { readStores } from "../mirror/store-numbers.ts";
import { readOverview, readTenants } from "../mirror/tenant-numbers.ts";
import { log } from "../observe/log.ts";
import { uuidField } from "../ves/index.ts";
import {
  agentJson,
  agentRow,
  batchJson,
  batchRow,
  overviewJson,
  overviewResponse,
  storeJson,
  storeRow,
  tenantJson,
  tenantRow,
} from "./admin-json.ts";
import type { AppContext } from "./context.ts";
import { endpoint } from "./endpoint.ts";
import { limitParam } from "./schemas.ts";

const MAX_ROWS = 200;
const DEFAULT_BATCHES = 20;

const tenantId = uuidField.optional().describe("One tenant only; administrators of a tenant see no other");
const limit = limitParam(1, MAX_ROWS).optional();
const after = uuidField.optional().describe("The last row of the page before");

const WHO = `For administrators: the bootstrap administrator is told of all tenants, others of their own, and of the stores
that their credential is for. Numbers are those of the mirror in Postgres, moments behind the streams.`;
const PAGES = `${WHO} At most ${MAX_ROWS} rows, in the order of their ids.`;

/** Where the deployment stands, across all its streams. */
export const adminEndpoints = [
  endpoint({
    method: "GET",
    path: "/api/v1/admin/overview",
    tag: "Administration",
    summary: "How much there is of everything",
    description: WHO,
    query: z.object({ tenant_id: tenantId }),
    response: overviewResponse,
    handle: (c, { query }) => {
      const scope = scopeOf(c.get("principal"), query.tenant_id);
      return fromPostgres(c, async (hyperdrive) => overviewJson(await readOverview(hyperdrive, scope)));
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/admin/tenants",
    tag: "Administration",
    summary: "Tenants",
    description: `${PAGES} The next page is asked for with \`after\`.`,
    query: z.object({ limit, after }),
    response: z.array(tenantRow),
    handle: (c, { query }) => {
      const scope = scopeOf(c.get("principal"), undefined);
      const page = { after: query.after ?? null, limit: query.limit ?? MAX_ROWS };
      return fromPostgres(c, async (hyperdrive) => (await readTenants(hyperdrive, scope, page)).map(tenantJson));
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/admin/stores",
    tag: "Administration",
    summary: "Stores and their streams",
    description: `${PAGES} The next page is asked for with \`after_tenant_id\` and \`after_store_id\`.`,
    query: z
      .object({ tenant_id: tenantId, limit, after_tenant_id: after, after_store_id: after })
      .superRefine(bothOrNeither("after_tenant_id", "after_store_id")),
    response: z.array(storeRow),
    handle: (c, { query }) => {
      const scope = scopeOf(c.get("principal"), query.tenant_id);
      const { after_tenant_id: lastTenant, after_store_id: lastStore } = query;
      const page = {
        after: lastTenant && lastStore ? { tenantId: lastTenant, storeId: lastStore } : null,
        limit: query.limit ?? MAX_ROWS,
      };
      return fromPostgres(c, async (hyperdrive) => (await readStores(hyperdrive, scope, page)).map(storeJson));
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/admin/agents",
    tag: "Administration",
    summary: "Agents and their credentials",
    description: `${PAGES} An agent is a tenant's and no store's: who administrates some stores is told of all. The next page is
asked for with \`after_tenant_id\` and \`after_agent_id\`.`,
    query: z
      .object({ tenant_id: tenantId, limit, after_tenant_id: after, after_agent_id: after })
      .superRefine(bothOrNeither("after_tenant_id", "after_agent_id")),
    response: z.array(agentRow),
    handle: (c, { query }) => {
      const scope = scopeOf(c.get("principal"), query.tenant_id);
      const { after_tenant_id: lastTenant, after_agent_id: lastAgent } = query;
      const page = {
        after: lastTenant && lastAgent ? { tenantId: lastTenant, agentId: lastAgent } : null,
        limit: query.limit ?? MAX_ROWS,
      };
      return fromPostgres(c, async (hyperdrive) => (await readAgents(hyperdrive, scope.tenantId, page)).map(agentJson));
    },
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/admin/batches",
    tag: "Administration",
    summary: "The batches of all streams that were sealed last, newest first",
    description: `${WHO} ${DEFAULT_BATCHES} rows unless \`limit\` says otherwise.`,
    query: z.object({ tenant_id: tenantId, limit }),
    response: z.array(batchRow),
    handle: (c, { query }) => {
      const scope = scopeOf(c.get("principal"), query.tenant_id);
      const rows = query.limit ?? DEFAULT_BATCHES;
      return fromPostgres(c, async (hyperdrive) => (await readRecentBatches(hyperdrive, scope, rows)).map(batchJson));
    },
  }),
];

/**
 * What an administrator is told of.
 *
 * @param named the one tenant that is asked about, if one is
 * @throws RequestError INSUFFICIENT_PERMISSIONS
 */
function scopeOf(principal: Principal, named: string | undefined): Scope {
  requireFlag(principal, "admin");
  const { tenantId: own, storeIds } = principal;
  if (own !== null && named !== undefined && named !== own) throw forbidden("Tenant access denied");
  return { tenantId: own ?? named ?? null, storeIds };
}

/** @throws RequestError SERVICE_UNAVAILABLE when there is no Postgres, or it cannot be asked */
async function fromPostgres<Answer>(c: AppContext, read: (hyperdrive: Hyperdrive) => Promise<Answer>): Promise<Answer> {
  const hyperdrive: Hyperdrive | undefined = c.env.POSTGRES;
  if (hyperdrive === undefined) {
    throw unavailable("This deployment has no binding POSTGRES: nothing is mirrored, and so nothing can be counted");
  }
  try {
    return await read(hyperdrive);
  } catch (error) {
    log.error("reading the administrators' numbers from Postgres failed", { error: String(error) });
    throw unavailable(`${postgresProblem(error)}, and all that is counted is counted there: repeat the request`);
  }
}

/** Refuses half of what names a row. */
function bothOrNeither<Name extends string>(one: Name, other: Name) {
  return (query: Readonly<Partial<Record<Name, unknown>>>, context: z.RefinementCtx): void => {
    if ((query[one] === undefined) === (query[other] === undefined)) return;
    const [given, missing] = query[one] === undefined ? [other, one] : [one, other];
    context.addIssue({ code: "custom", path: [missing], message: `expected beside ${given}: give both or neither` });
  };
}

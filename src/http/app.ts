import { Hono } from "hono";
import { configOf } from "../config.ts";
import { RequestError } from "../errors.ts";
import { HeldGrants } from "../limits/held-grants.ts";
import { adminEndpoints } from "./admin.ts";
import { adminGuard } from "./admin-guard.ts";
import { agentKeyEndpoints } from "./agent-keys.ts";
import { agentRegistrationEndpoints } from "./agent-registration.ts";
import { agentEndpoints } from "./agents.ts";
import { anchorServiceEndpoints } from "./anchor-services.ts";
import { anchorStatusEndpoints } from "./anchor-status.ts";
import { anchoringEndpoints } from "./anchoring.ts";
import { apiKeyEndpoints } from "./api-keys.ts";
import { auditEndpoints } from "./audit.ts";
import { commitAndAnchorEndpoints } from "./commit-and-anchor.ts";
import { commitmentEndpoints } from "./commitments.ts";
import type { AppEnv } from "./context.ts";
import { crossOrigin } from "./cors.ts";
import { cursorEndpoints } from "./cursors.ts";
import { DASHBOARD_POLICY, dashboardPage } from "./dashboard/page.ts";
import { docsPage } from "./docs-page.ts";
import { encryptionKeyEndpoints } from "./encryption-keys.ts";
import { type Endpoint, mount } from "./endpoint.ts";
import { errorResponse } from "./error-response.ts";
import { healthEndpoints } from "./health.ts";
import { ingestEndpoints } from "./ingest.ts";
import { legacyAnchoringEndpoints } from "./legacy-anchoring.ts";
import { legacyCommitmentEndpoints } from "./legacy-commitments.ts";
import { legacyProofEndpoints } from "./legacy-proofs.ts";
import { legacyStreamEndpoints } from "./legacy-streams.ts";
import { liveEndpoints } from "./live.ts";
import { metricsEndpoints } from "./metrics.ts";
import { observeRequests } from "./observe-requests.ts";
import { openApiDocument } from "./openapi.ts";
import { policyEndpoints } from "./policies.ts";
import { proofEndpoints } from "./proofs.ts";
import { readyEndpoints } from "./ready.ts";
import { reencryptEndpoints } from "./reencrypt.ts";
import { restoreEndpoints } from "./restore.ts";
import { schemaEndpoints } from "./event-schemas.ts";
import { sequencerEndpoints } from "./sequencer.ts";
import { streamEndpoints } from "./streams.ts";

/** Every route, in the order of the documentation. */
export const endpoints: readonly Endpoint[] = [
  ...ingestEndpoints,
  ...streamEndpoints,
  ...liveEndpoints,
  ...commitAndAnchorEndpoints,
  ...commitmentEndpoints,
  ...proofEndpoints,
  ...anchoringEndpoints,
  ...anchorStatusEndpoints,
  ...anchorServiceEndpoints,
  ...agentKeyEndpoints,
  ...encryptionKeyEndpoints,
  ...agentRegistrationEndpoints,
  ...agentEndpoints,
  ...apiKeyEndpoints,
  ...policyEndpoints,
  ...schemaEndpoints,
  ...auditEndpoints,
  ...cursorEndpoints,
  ...sequencerEndpoints,
  ...readyEndpoints,
  ...restoreEndpoints,
  ...reencryptEndpoints,
  ...healthEndpoints,
  ...metricsEndpoints,
  ...adminEndpoints,
  ...legacyStreamEndpoints,
  ...legacyCommitmentEndpoints,
  ...legacyProofEndpoints,
  ...legacyAnchoringEndpoints,
];

/** A caller's request id is taken over when it is a plain token, so that nothing else gets into logs and headers. */
const REQUEST_ID = /^[\w.:-]{1,128}$/;

export function createApp(): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.onError(errorResponse);
  app.notFound((c) => errorResponse(new RequestError("RESOURCE_NOT_FOUND", `There is no ${c.req.path}`), c));

  app.use(async (c, next) => {
    const given = c.req.header("x-request-id");
    c.set("requestId", given !== undefined && REQUEST_ID.test(given) ? given : crypto.randomUUID());
    await next();
    c.res.headers.set("x-request-id", c.get("requestId"));
    c.res.headers.set("x-content-type-options", "nosniff");
    c.res.headers.set("x-frame-options", "DENY");
    if (!c.res.headers.has("cache-control")) c.res.headers.set("cache-control", "no-store");
  });
  app.use(observeRequests);
  app.use(async (c, next) => {
    c.set("config", await configOf(c.env));
    await next();
  });
  app.use(crossOrigin);
  app.use(adminGuard);
  mount(app, endpoints, new HeldGrants());

  const document = openApiDocument(endpoints);
  app.get("/openapi.json", (c) => {
    c.set("route", "/openapi.json");
    return c.json(document);
  });
  app.get("/docs", (c) => {
    c.set("route", "/docs");
    c.header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'");
    return c.html(docsPage(document));
  });
  app.on("GET", ["/admin", "/admin/"], (c) => {
    c.set("route", "/admin");
    c.header("content-security-policy", DASHBOARD_POLICY);
    c.header("referrer-policy", "no-referrer");
    return c.html(dashboardPage());
  });
  return app;
}

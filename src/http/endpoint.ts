import type { Hono } from "hono";
import type { z } from "zod";
import type { Config } from "../config.ts";
import { RequestError } from "../errors.ts";
import type { HeldGrants } from "../limits/held-grants.ts";
import { admit } from "./admission.ts";
import type { AppContext, AppEnv, Subject } from "./context.ts";
import { checkUrlEncoding, parseBody, parseParameters, readJsonBody } from "./request-input.ts";

type Method = "GET" | "POST" | "PUT" | "DELETE";
type Output<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** One route. Its schemas validate the requests and are what the OpenAPI document is generated from. */
export interface EndpointDefinition<Params, Query, Body> {
  readonly method: Method;
  /** With `{name}` for path parameters, as OpenAPI writes them. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Public routes ask for no credential. */
  readonly isPublic?: true;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** Of a body, where the deployment's limit is more than the route needs. */
  readonly maxBodyBytes?: number;
  readonly response: z.ZodType;
  /** Of what a 200 answers with; JSON when absent. */
  readonly mediaType?: string;
  /** What a 200 answers with never changes: `handle` answers through `immutable`. */
  readonly isImmutable?: true;
  /** It answers with 101 and goes on as a WebSocket, on which the server's messages are of the form of `response`. */
  readonly isWebSocket?: true;
  /** The error statuses this route has beside those that every route of its kind has. */
  readonly errors?: readonly number[];
  /** The path that replaces this one, for routes of the old family. */
  readonly successor?: string;
  /** A look at the raw body before its schema is applied. */
  readonly inspectBody?: (body: unknown, config: Config) => void;
  /** Answers with what becomes the JSON of a 200, or a whole Response. */
  readonly handle: (
    c: AppContext,
    input: { readonly params: Output<Params>; readonly query: Output<Query>; readonly body: Output<Body> },
  ) => unknown;
}

export type Endpoint = EndpointDefinition<z.ZodType | undefined, z.ZodType | undefined, z.ZodType | undefined>;

/** Ties a handler to the types of its schemas. */
export function endpoint<
  Params extends z.ZodType | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(definition: EndpointDefinition<Params, Query, Body>): Endpoint {
  // The erased type is only ever called through mount(), with what these very schemas gave.
  return definition;
}

/** The date after which routes of the old family may go (RFC 8594). */
const SUNSET = "Fri, 31 Dec 2027 23:59:59 GMT";

/**
 * Serves the endpoints, and 405 on their paths for every other method. The first path that matches answers, so a fixed
 * one stands before one with parameters that it would match: `/events/ingest` before `/events/{event_id}`.
 *
 * @param held what this isolate has been granted of the callers' rate limits
 */
export function mount(app: Hono<AppEnv>, endpoints: readonly Endpoint[], held: HeldGrants): void {
  for (const [path, routes] of Map.groupBy(endpoints, (route) => route.path)) {
    for (const route of routes) app.on(route.method, honoPath(path), (c) => serve(c, route, held));
    const methods = routes.map(({ method }) => method);
    const allow = [...methods, ...(methods.includes("GET") ? ["HEAD"] : [])].join(", ");
    app.all(honoPath(path), async (c) => {
      // Which methods a path has is told to those who may use it.
      if (!routes.some(({ isPublic }) => isPublic)) await admit(c, held);
      throw new RequestError("METHOD_NOT_ALLOWED", `${c.req.method} is not served here, only ${allow}`, {
        headers: { allow },
      });
    });
  }
}

async function serve(c: AppContext, route: Endpoint, held: HeldGrants): Promise<Response> {
  c.set("route", route.path);
  if (route.successor !== undefined) {
    c.header("deprecation", "true");
    c.header("sunset", SUNSET);
    const successor = route.successor.replace(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(c.req.param(name) ?? ""),
    );
    c.header("link", `<${successor}>; rel="successor-version"`);
  }
  if (!route.isPublic) await admit(c, held);
  checkUrlEncoding(c.req.url);
  const params = route.params && parseParameters(route.params, c.req.param() as Record<string, string>);
  const query = route.query && parseParameters(route.query, c.req.query());
  let body: unknown;
  if (route.body !== undefined) {
    const json = await readJsonBody(c, route.maxBodyBytes);
    route.inspectBody?.(json, c.get("config"));
    body = parseBody(route.body, json);
  }
  c.set("subject", { ...subjectOf(query), ...subjectOf(body) });
  const answer = await route.handle(c, { params, query, body });
  return answer instanceof Response ? answer : c.json(answer as object);
}

/** The tenant and the store that parameters name, in the two ways in which requests write them. */
function subjectOf(given: unknown): Subject {
  const { tenant_id, store_id, tenantId = tenant_id, storeId = store_id } = (given ?? {}) as Record<string, unknown>;
  return {
    ...(typeof tenantId === "string" ? { tenantId } : {}),
    ...(typeof storeId === "string" ? { storeId } : {}),
  };
}

function honoPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ":$1");
}

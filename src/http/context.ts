import type { Context } from "hono";
import type { Principal } from "../access/principal.ts";
import type { Config } from "../config.ts";

/** What the middleware leaves for the handlers. */
export interface AppEnv {
  Bindings: Env;
  Variables: {
    requestId: string;
    config: Config;
    /** Path of the route that answers, as the OpenAPI document writes it; not set where there is none. */
    route: string;
    /** Which tenant or stream the request says that it is about, whether or not it may. */
    subject: Subject;
    /** Set on every route that is not public. */
    principal: Principal;
  };
}

export interface Subject {
  readonly tenantId?: string | undefined;
  readonly storeId?: string | undefined;
}

export type AppContext = Context<AppEnv>;

import type { Context } from "hono";
import type { Principal } from "../access/principal.ts";
import type { Config } from "../config.ts";

/** What the middleware leaves for the handlers. */
export interface AppEnv {
  Bindings: Env;
  Variables: {
    requestId: string;
    config: Config;
    /** Set on every route that is not public. */
    principal: Principal;
  };
}

export type AppContext = Context<AppEnv>;

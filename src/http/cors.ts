import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import type { AppContext, AppEnv } from "./context.ts";

const share = cors({
  origin: (origin, c: AppContext) => {
    const allowed = c.get("config").corsOrigins ?? [];
    if (allowed.includes("*")) return "*";
    return allowed.includes(origin) ? origin : null;
  },
  allowMethods: ["GET", "HEAD", "POST", "PUT", "DELETE"],
  allowHeaders: ["authorization", "x-api-key", "content-type", "x-request-id", "if-none-match"],
  exposeHeaders: [
    "x-request-id",
    "x-error-code",
    "retry-after",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
  ],
  maxAge: 600,
});

/**
 * Lets pages of the configured origins call this server (CORS), and answers their preflights. Where none is configured it is
 * as if it was not there. Browsers are never told to send what they hold of a user's: a credential is what the page sends.
 */
export const crossOrigin: MiddlewareHandler<AppEnv> = (c, next) =>
  c.get("config").corsOrigins === null ? next() : share(c, next);

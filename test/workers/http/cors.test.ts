import { describe, expect, it } from "vitest";
import { call, expectError, type Reply } from "./harness.ts";

const SHOP = "https://shop.example.com";
const settings = { CORS_ALLOW_ORIGINS: `${SHOP}, http://localhost:3000` };
const ANY = { CORS_ALLOW_ORIGINS: "*" };

function fromPage(
  method: string,
  path: string,
  origin: string,
  given: Record<string, string> = settings,
): Promise<Reply> {
  const headers: Record<string, string> = { origin };
  if (method === "OPTIONS") headers["access-control-request-method"] = "POST";
  return call(method, path, { key: null, headers, settings: given });
}

const cors = ({ headers }: Reply): Record<string, string> =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control-") || name === "vary"));

const EXPOSED = "x-request-id,x-error-code,retry-after,ratelimit-limit,ratelimit-remaining,ratelimit-reset";

describe("pages of other origins", () => {
  it.each([SHOP, "http://localhost:3000"])("%s is allowed, and may read what it needs", async (origin) => {
    const expected = {
      "access-control-allow-origin": origin,
      "access-control-expose-headers": EXPOSED,
      vary: "Origin",
    };
    expect(cors(await fromPage("GET", "/health", origin))).toEqual(expected);
    const refused = await fromPage("GET", "/api/v1/ves/head", origin);
    expectError(refused, "AUTH_REQUIRED", /^Authentication required/);
    expect(cors(refused)).toEqual(expected);
    expect(cors(await fromPage("GET", "/nowhere", origin))).toEqual(expected);
  });

  it.each(["/api/v1/ves/events/ingest", "/health", "/nowhere"])("a preflight for %s is answered", async (path) => {
    const reply = await fromPage("OPTIONS", path, SHOP);
    expect([reply.status, reply.text]).toEqual([204, ""]);
    expect(cors(reply)).toEqual({
      "access-control-allow-origin": SHOP,
      "access-control-allow-methods": "GET,HEAD,POST,PUT,DELETE",
      "access-control-allow-headers": "authorization,x-api-key,content-type,x-request-id,if-none-match",
      "access-control-expose-headers": EXPOSED,
      "access-control-max-age": "600",
      vary: "Origin, Access-Control-Request-Headers",
    });
  });

  it.each(["https://evil.example.com", `${SHOP}.evil.example.com`, "https://SHOP.example.com", "null", `${SHOP}:8443`])(
    "%s is not allowed",
    async (origin) => {
      for (const method of ["GET", "OPTIONS"]) {
        const headers = cors(await fromPage(method, "/health", origin));
        expect(headers).not.toHaveProperty("access-control-allow-origin");
        expect(headers["vary"]).toMatch(/^Origin/);
      }
    },
  );

  it("all are where the setting is a star, and none is told to send credentials of the browser's", async () => {
    for (const method of ["GET", "OPTIONS"]) {
      const headers = cors(await fromPage(method, "/health", "https://anybody.example.com", ANY));
      expect(headers["access-control-allow-origin"]).toBe("*");
      expect(headers).not.toHaveProperty("access-control-allow-credentials");
      const named = cors(await fromPage(method, "/health", SHOP));
      expect(named).not.toHaveProperty("access-control-allow-credentials");
    }
  });

  it("unset, there are no such headers, and OPTIONS is a method like any other", async () => {
    const reply = await fromPage("GET", "/health", SHOP, {});
    expect([reply.status, cors(reply)]).toEqual([200, {}]);
    expectError(await fromPage("OPTIONS", "/health", SHOP, {}), "METHOD_NOT_ALLOWED", /^OPTIONS is not served here/);
  });
});

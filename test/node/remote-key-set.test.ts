import type { JWK } from "jose";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { JwtVerifier } from "../../src/access/jwt.ts";
import { RemoteKeySet } from "../../src/access/remote-key-set.ts";
import { uuid } from "../support/checked-events.ts";
import { claimsFor, issue, newIssuerKey } from "../support/tokens.ts";

const URL = "https://id.example.com/jwks.json";
const AWAY = { code: "SERVICE_UNAVAILABLE", message: "The keys of this deployment's token issuer cannot be fetched" };

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const [first, second] = [await newIssuerKey("EdDSA", "first"), await newIssuerKey("EdDSA", "second")];

/** An issuer whose answer a test may change, and who counts how often it is asked. */
class Issuer {
  answer: () => Response | Promise<Response>;
  asked: (RequestInit & { readonly url: string })[] = [];

  constructor(...keys: JWK[]) {
    this.answer = () => Response.json({ keys });
  }

  publish(...keys: JWK[]): void {
    this.answer = () => Response.json({ keys });
  }

  keySet(): RemoteKeySet {
    return new RemoteKeySet(URL, async (url, init) => {
      this.asked.push({ url, ...init });
      return this.answer();
    });
  }
}

let logged: string[];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_790_000_000_000, toFake: ["Date", "setTimeout", "clearTimeout"] });
  logged = [];
  vi.spyOn(console, "error").mockImplementation((line: string) => void logged.push(line));
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const later = (ms: number): void => void vi.setSystemTime(Date.now() + ms);

describe("a key set behind a URL", () => {
  test("is fetched when it is first needed, with a timeout and without following anyone, and then kept", async () => {
    const issuer = new Issuer(first.jwk);
    const keys = issuer.keySet();
    expect(issuer.asked).toEqual([]);
    const key = await keys.find("first");
    expect(key?.algorithm).toBe("EdDSA");
    later(10 * MINUTE - 1);
    expect(await keys.find("first")).toBe(key);
    expect(issuer.asked).toHaveLength(1);
    expect(issuer.asked[0]).toMatchObject({ url: URL, redirect: "manual" });
    expect(issuer.asked[0]?.signal).toBeInstanceOf(AbortSignal);
  });

  test("is fetched again after ten minutes, and a key that is gone then does not count", async () => {
    const issuer = new Issuer(first.jwk);
    const keys = issuer.keySet();
    expect(await keys.find("first")).toBeDefined();
    issuer.publish(second.jwk);
    later(10 * MINUTE);
    expect(await keys.find("first")).toBeUndefined();
    expect(await keys.find("second")).toBeDefined();
    expect(issuer.asked).toHaveLength(2);
  });

  test("an unknown key makes it be fetched again, once in 30 seconds, however many are named", async () => {
    const issuer = new Issuer(first.jwk);
    const keys = issuer.keySet();
    await keys.find("first");
    issuer.publish(first.jwk, second.jwk);
    for (let n = 0; n < 100; n++) expect(await keys.find(`made up ${n}`)).toBeUndefined();
    expect(issuer.asked).toHaveLength(1);
    later(30 * SECOND);
    expect(await keys.find("second")).toBeDefined();
    for (let n = 0; n < 100; n++) expect(await keys.find(`made up ${n}`)).toBeUndefined();
    expect(issuer.asked).toHaveLength(2);
  });

  test("requests that come together are answered by one fetch", async () => {
    const issuer = new Issuer(first.jwk);
    const keys = issuer.keySet();
    const found = await Promise.all(Array.from({ length: 20 }, () => keys.find("first")));
    expect(new Set(found).size).toBe(1);
    expect(found[0]).toBeDefined();
    expect(issuer.asked).toHaveLength(1);
  });

  const TOO_LONG = `${JSON.stringify({ keys: [first.jwk] })}${" ".repeat(256 * 1024)}`;
  test.each<[string, () => Response | Promise<Response>, string]>([
    ["is away", () => Promise.reject(new TypeError("fetch failed")), "TypeError: fetch failed"],
    ["answers 500", () => new Response("{}", { status: 500 }), "Error: it answered with status 500"],
    ["redirects", () => Response.redirect("https://elsewhere.example.com"), "Error: it answered with status 302"],
    [
      "answers with no key set",
      () => Response.json({ key: [] }),
      "Error: it answered with something else than a key set",
    ],
    ["answers with too much", () => new Response(TOO_LONG), "Error: it answered with more than 262144 bytes"],
  ])("goes on being used when the issuer %s, for a day", async (_, answer, problem) => {
    const issuer = new Issuer(first.jwk);
    const keys = issuer.keySet();
    const key = await keys.find("first");
    issuer.answer = answer;
    later(10 * MINUTE);
    expect(await keys.find("first")).toBe(key);
    expect(await keys.find("first")).toBe(key);
    expect(await keys.find("second")).toBeUndefined();
    expect(issuer.asked).toHaveLength(2);
    const lines = logged.map((line) => JSON.parse(line) as object);
    expect(lines).toMatchObject([
      { level: "error", message: "fetching the key set of JWT_JWKS_URL failed", error: problem },
    ]);
    later(5 * SECOND);
    expect(await keys.find("first")).toBe(key);
    expect(issuer.asked).toHaveLength(3);
    later(24 * HOUR);
    await expect(keys.find("first")).rejects.toMatchObject(AWAY);
    issuer.publish(second.jwk);
    later(5 * SECOND);
    expect(await keys.find("second")).toBeDefined();
  });

  test("is asked for once in five seconds while it was never had", async () => {
    const issuer = new Issuer();
    issuer.answer = () => new Response(null, { status: 503 });
    const keys = issuer.keySet();
    for (let n = 0; n < 10; n++) await expect(keys.find("first")).rejects.toMatchObject(AWAY);
    expect(issuer.asked).toHaveLength(1);
    later(5 * SECOND);
    issuer.publish(first.jwk);
    expect(await keys.find("first")).toBeDefined();
  });

  test("a fetch that never ends holds up nobody who has the key, the others for three seconds", async () => {
    const issuer = new Issuer(first.jwk);
    const keys = issuer.keySet();
    const key = await keys.find("first");
    issuer.answer = () => new Promise<Response>(() => undefined);
    later(10 * MINUTE);
    void keys.find("first");
    expect(await keys.find("first")).toBe(key);
    const waiting = keys.find("second");
    await vi.advanceTimersByTimeAsync(3 * SECOND);
    expect(await waiting).toBeUndefined();
    issuer.publish(first.jwk, second.jwk);
    later(2 * SECOND);
    expect(await keys.find("second")).toBeDefined();
  });

  test("a token that was verified is verified again under the keys that are fetched anew", async () => {
    const issuer = new Issuer(first.jwk);
    const jwt = new JwtVerifier({
      issuer: "stateset-sequencer",
      audience: "stateset-api",
      secret: null,
      keys: issuer.keySet(),
    });
    const token = await issue(first, claimsFor(uuid(1, 1)));
    const principal = await jwt.verify(token);
    expect(await jwt.verify(token)).toBe(principal);
    later(10 * MINUTE);
    expect(await jwt.verify(token)).toEqual(principal);
    const impostor = await newIssuerKey("EdDSA", "first");
    issuer.publish(impostor.jwk);
    later(10 * MINUTE);
    await expect(jwt.verify(token)).rejects.toMatchObject({ code: "INVALID_TOKEN" });
  });
});

import { Script } from "node:vm";
import { expect, test, vi } from "vitest";
import { SCRIPT } from "../../src/http/dashboard/script.ts";

/** As much of an element as the page's script uses. What is not here, such as innerHTML, it does not use. */
class Element {
  readonly tag: string;
  children: (Element | string)[] = [];
  hidden = true;
  value = "";
  listeners: Record<string, (event: object) => unknown> = {};

  constructor(tag: string) {
    this.tag = tag;
    Object.preventExtensions(Object.assign(this, { className: "", title: "", type: "", dateTime: "" }));
  }
  get textContent(): string {
    return this.children.map((child) => (typeof child === "string" ? child : child.textContent)).join(" ");
  }
  set textContent(text: string) {
    this.children = [text];
  }
  append(...children: (Element | string)[]): void {
    this.children.push(...children);
  }
  replaceChildren(...children: (Element | string)[]): void {
    this.children = children;
  }
  addEventListener(name: string, listener: (event: object) => unknown): void {
    this.listeners[name] = listener;
  }
  focus(): void {
    this.hidden = false;
  }
}

const HOSTILE = "<img src=x onerror=alert(1)>";
const ID = "11111111-1111-4111-8111-111111111111";
const AT = "2026-11-23T00:00:00.000+00:00";

function answers(stores: readonly object[]): Record<string, unknown> {
  const health = (status: string) => ({ status, message: HOSTILE });
  return {
    "/health/detailed": {
      status: "degraded",
      version: HOSTILE,
      components: {
        database: { status: "healthy", response_time_ms: 3 },
        mirror: { status: "degraded", frozen_streams: [{ store_id: ID, reason: HOSTILE }] },
        anchor_service: health("not_configured"),
        lag: health("degraded"),
        metrics: health("healthy"),
      },
    },
    overview: {
      tenants: 1,
      stores: 1,
      agents: 2,
      apiKeys: 3,
      activeApiKeys: 2,
      totalHeadSequence: 1_234_567,
      activeStores24h: 1,
      maxProjectionLag: null,
      lastActivityAt: null,
    },
    batches: [],
    stores,
    tenants: [],
    agents: [],
  };
}

/** The page after somebody has entered a key. @param served by the last part of the path, or a status and a message */
async function opened(served: Record<string, unknown>, refused?: { status: number; message: string }) {
  const elements = new Map<string, Element>();
  const byId = (id: string): Element => {
    const known = elements.get(id) ?? new Element("div");
    elements.set(id, known);
    return known;
  };
  const asked: { path: string; authorization: string }[] = [];
  const fetched = (path: string, { headers }: { headers: { authorization: string } }): Promise<object> => {
    asked.push({ path, authorization: headers.authorization });
    const name = path.startsWith("/health") ? path : (path.split("/").at(-1)?.split("?", 1)[0] ?? "");
    const body = refused === undefined ? served[name] : { message: refused.message };
    return Promise.resolve({ ok: refused === undefined, status: refused?.status, json: () => Promise.resolve(body) });
  };
  new Script(`(function (document, fetch, setTimeout, clearTimeout) {${SCRIPT}})`).runInThisContext()(
    { getElementById: byId, createElement: (tag: string) => new Element(tag) },
    fetched,
    () => 1,
    () => undefined,
  );
  byId("key").value = " ss_key ";
  byId("enter").listeners["submit"]?.({ preventDefault: () => undefined });
  await vi.waitFor(() => expect(byId("updated").textContent + byId("problem").textContent).not.toBe(""));
  return { byId, asked };
}

test("the page shows what the routes answer, each text as a text", async () => {
  const row = { tenantId: ID, storeId: ID, headSequence: 5_000, anchoredSequence: 0, agentCount: 1, updatedAt: AT };
  const { byId, asked } = await opened(answers([{ ...row, frozenReason: HOSTILE }]));
  expect(byId("overview").textContent).toContain("1,234,567");
  expect(byId("version").children).toEqual([HOSTILE]);
  expect(byId("health").textContent).toContain(`Store ${ID} degraded ${HOSTILE}`);
  expect(byId("stores").textContent).toContain("5,000");
  expect(byId("stores").textContent).toContain("frozen");
  expect(byId("batches").textContent).toBe("No batch is mirrored yet.");
  expect([byId("enter").hidden, byId("numbers").hidden, byId("stores-more").hidden]).toEqual([true, false, true]);
  expect(byId("key").value).toBe("");
  expect(new Set(asked.map(({ authorization }) => authorization))).toEqual(new Set(["Bearer ss_key"]));
  expect(asked.every(({ path }) => path.startsWith("/"))).toBe(true);
});

test("a list that has more rows than a page offers them", async () => {
  const row = { tenantId: ID, storeId: ID, headSequence: 5, anchoredSequence: 0, agentCount: 1, updatedAt: AT };
  const { byId, asked } = await opened(answers(Array.from({ length: 200 }, () => ({ ...row, frozenReason: null }))));
  expect(byId("stores-more").hidden).toBe(false);
  byId("stores-more").listeners["click"]?.({});
  const second = `/api/v1/admin/stores?limit=200&after_tenant_id=${ID}&after_store_id=${ID}`;
  await vi.waitFor(() => expect(asked.map(({ path }) => path)).toContain(second));
});

test("a refusal is told, and the key forgotten", async () => {
  const { byId } = await opened({}, { status: 403, message: "Admin permission required" });
  expect(byId("problem").textContent).toBe("Admin permission required");
  expect([byId("enter").hidden, byId("numbers").hidden]).toEqual([false, true]);
});

test("the script names no way to make markup of a text", () => {
  expect(SCRIPT).not.toMatch(
    /innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(|<\/|localStorage|sessionStorage/,
  );
});

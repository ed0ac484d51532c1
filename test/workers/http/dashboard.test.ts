import { describe, expect, it } from "vitest";
import { sha256, toBase64, utf8 } from "../../../src/ves/index.ts";
import { call } from "./harness.ts";

describe.each(["/admin", "/admin/"])("%s", (path) => {
  it("is a page for anybody whom the allow-list lets in, and holds no data", async () => {
    const reply = await call("GET", path, { key: null });
    expect(reply.status).toBe(200);
    expect(reply.headers.get("content-type")).toBe("text/html; charset=UTF-8");
    expect(reply.headers.get("referrer-policy")).toBe("no-referrer");
    expect((await call("GET", path)).text).toBe(reply.text);
  });

  it("lets its own script and style run and nothing else", async () => {
    const { text, headers } = await call("GET", path, { key: null });
    const policy = headers.get("content-security-policy")?.split("; ") ?? [];
    for (const [tag, directive] of [
      ["script", "script-src"],
      ["style", "style-src"],
    ]) {
      const found = [...text.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, "g"))].map(([, content]) => content ?? "");
      expect(found).toHaveLength(1);
      expect(policy).toContain(`${directive} 'sha256-${toBase64(sha256(utf8(found[0] ?? "")))}'`);
    }
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
      ]),
    );
    expect(policy.join(" ")).not.toContain("unsafe");
  });

  it("needs nothing from elsewhere", async () => {
    const { text } = await call("GET", path, { key: null });
    expect(text).not.toMatch(/https?:|url\(|@import|\son\w+=|\sstyle=/);
    expect([...text.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address)).toEqual(["data:,"]);
  });
});

import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { showWork } from "../../../agent/src/cli/show-work.ts";
import { columns, plain } from "../../../agent/src/cli/text.ts";
import { silentProgress, textProgress } from "../../../scripts/lib/progress.ts";

/** What a terminal would be sent, or something that is none. */
function stream(isTTY: boolean): { readonly stream: NodeJS.WriteStream; readonly text: () => string } {
  const through = Object.assign(new PassThrough(), { isTTY, getColorDepth: () => 1 });
  let text = "";
  through.on("data", (chunk: Buffer) => (text += chunk.toString()));
  return { stream: through as unknown as NodeJS.WriteStream, text: () => text };
}

describe("a bar", () => {
  test("follows the work on a terminal, and leaves a clean line", async () => {
    const { stream: terminal, text } = stream(true);
    let extent = { done: 0, total: 0 };
    await showWork(
      textProgress(terminal),
      "Pull",
      () => extent,
      async () => {
        await sleep(250);
        extent = { done: 1_000, total: 2_000 };
        await sleep(400);
        extent = { done: 1_500, total: 2_000 };
        await sleep(400);
      },
    );
    const frames = text().split("\r\u001b[K");
    expect(frames[1]).toMatch(/^ {2}\S Pull *$/);
    expect(frames.filter((frame) => frame.includes("1,000 of 2,000")).length).toBeGreaterThan(0);
    expect(frames.at(-2)).toMatch(/━━ *─+ 1,500 of 2,000$/);
    expect(frames.at(-1)).toBe("");
  });

  test("is not shown elsewhere, and nothing is measured for nobody", async () => {
    const { stream: file, text } = stream(false);
    await showWork(
      textProgress(file),
      "Pull",
      () => ({ done: 1, total: 2 }),
      () => sleep(1),
    );
    expect(text()).toBe("");
    const measure = vi.fn<() => { done: number; total: number }>(() => ({ done: 0, total: 0 }));
    expect(await showWork(silentProgress, "Pull", measure, async () => "done")).toBe("done");
    expect(measure).not.toHaveBeenCalled();
  });
});

describe("text for a terminal", () => {
  test("holds nothing that a terminal would obey", () => {
    expect(plain("a\u001b[2Jb\nc\u0085d\u202ee")).toBe("a\ufffd[2Jb\ufffdc\ufffdd\ufffde");
    expect(
      columns([
        ["a\u0007", "b"],
        ["long one", "c"],
      ]),
    ).toBe("a\ufffd        b\nlong one  c");
  });
});

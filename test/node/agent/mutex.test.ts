import { expect, test } from "vitest";
import { createMutex } from "../../../agent/src/mutex.ts";

/** Work that has begun when it is in `begun`, and ends when it is told to. */
function longWork(begun: string[], name: string) {
  const { promise, resolve: end } = Promise.withResolvers<string>();
  const work = (): Promise<string> => {
    begun.push(name);
    return promise;
  };
  return { work, end: () => end(name) };
}

test("who gives up waits no longer, its work is left out, and those behind it keep their turns", async () => {
  const mutex = createMutex();
  const begun: string[] = [];
  const [first, second, third] = [longWork(begun, "first"), longWork(begun, "second"), longWork(begun, "third")];
  const impatient = new AbortController();
  const results = [mutex(first.work), mutex(second.work, impatient.signal), mutex(third.work)];
  impatient.abort();
  await expect(results[1]).rejects.toMatchObject({ code: "ABORTED" });
  await expect(mutex(second.work, impatient.signal)).rejects.toMatchObject({ code: "ABORTED" });
  expect(begun).toEqual(["first"]);
  first.end();
  expect(await results[0]).toBe("first");
  third.end();
  expect(await results[2]).toBe("third");
  expect(begun).toEqual(["first", "third"]);
});

test("what has begun is not left by its caller, and what it throws holds nobody up", async () => {
  const mutex = createMutex();
  const begun: string[] = [];
  const { work, end } = longWork(begun, "first");
  const controller = new AbortController();
  const result = mutex(async () => {
    await work();
    throw new Error("broken");
  }, controller.signal);
  const next = mutex(async () => begun.push("next"));
  await expect.poll(() => begun).toEqual(["first"]);
  controller.abort();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(begun).toEqual(["first"]);
  end();
  await expect(result).rejects.toThrow("broken");
  await next;
  expect(begun).toEqual(["first", "next"]);
});

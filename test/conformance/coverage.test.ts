import { expect, test } from "vitest";
import { COVERED, LEFT_OUT, groupIds } from "./vectors.ts";

declare global {
  interface ImportMeta {
    /** Vite's, whose own types would bring the DOM along. */
    glob(pattern: string, options: { query: "?raw"; import: "default"; eager: true }): Record<string, string>;
  }
}

test("every vector group is covered by a suite or listed with the reason why it is not", () => {
  const groupsLeftOut = Object.keys(LEFT_OUT).filter((entry) => !entry.includes(":"));
  expect([...Object.keys(COVERED), ...groupsLeftOut].toSorted()).toEqual(groupIds.toSorted());
});

test("every suite that the table names exists and asks for its groups", () => {
  const sources = import.meta.glob("./*.test.ts", { query: "?raw", import: "default", eager: true });
  for (const [id, file] of Object.entries(COVERED)) {
    const source = sources[`./${file}`] ?? "";
    expect(source.includes(`("${id}")`), `${file} uses the group ${id}`).toBe(true);
  }
});

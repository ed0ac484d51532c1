import { expect, test } from "vitest";
import { readTraceparent } from "../../src/observe/trace-context.ts";

const [TRACE, SPAN] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];

test("a traceparent says where in which trace a request is, and whether it is recorded", () => {
  expect(readTraceparent(`00-${TRACE}-${SPAN}-01`)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled: true });
  expect(readTraceparent(`00-${TRACE}-${SPAN}-02`)).toMatchObject({ isSampled: false });
  // Later versions may say more.
  expect(readTraceparent(`cc-${TRACE}-${SPAN}-01-what the future brings`)).toMatchObject({ traceId: TRACE });
});

test.each([
  undefined,
  "",
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-01-more`,
  `ff-${TRACE}-${SPAN}-01`,
  `00-${"0".repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${"0".repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-1`,
])("%s begins a new trace", (header) => {
  expect(readTraceparent(header)).toBeUndefined();
});

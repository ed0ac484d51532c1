import { z } from "zod";
import { streamQuery } from "../../context.ts";
import { cursorField } from "../cursor.ts";
import { defineTool, READS } from "../tool.ts";

export const getCursor = defineTool({
  name: "stateset_get_cursor",
  title: "Cursor of this agent",
  description: "Up to which number this server's agent has acknowledged the log, and how many events lie behind that.",
  annotations: READS,
  input: z.strictObject({}),
  output: cursorField,
  run: ({ context }, _input, signal) => {
    const path = `/api/v1/ves/cursors/${context.identity.agentId}?${streamQuery(context)}`;
    return context.api.get(path, cursorField, { signal });
  },
});

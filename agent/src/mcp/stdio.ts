import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";

/** Bytes of a message: a payload of 1 MiB as JSON within JSON, and what stands around it. */
const MAX_MESSAGE_BYTES = 4 * 1024 ** 2;

/** Serves the client at the other end of standard input and output. Returns when it is gone. */
export async function serveStdio(server: McpServer): Promise<void> {
  const transport = new StdioServerTransport(process.stdin, process.stdout, { maxBufferSize: MAX_MESSAGE_BYTES });
  const gone = new Promise<void>((resolve) => {
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it is no event target
    server.server.onclose = resolve;
    process.stdin.once("end", resolve);
    // Nobody reads the answers any more.
    process.stdout.on("error", () => resolve());
  });
  await server.connect(transport);
  await gone;
  await server.close();
}

import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import type { Tool } from "./tool.ts";
import { ToolError, toolErrorOf } from "./tool-error.ts";
import type { Toolkit } from "./toolkit.ts";

/** What a call gives besides its arguments. */
export interface CallOptions {
  /** Says that the client gave the call up. */
  readonly signal: AbortSignal;
  /** Told while the call goes on; absent where the client does not ask for it. */
  readonly onProgress: ((progress: Progress) => void) | undefined;
  /** Told of faults of this server, which the client does not hear more of than that there was one. */
  readonly onFault: (message: string) => void;
}

/** Milliseconds since the call began, of those that it may take. */
export interface Progress {
  readonly progress: number;
  readonly total: number;
}

/** What a call may take beyond what it is told to wait; clients give one up after a minute unless they hear of it. */
const CALL_MS = 45_000;
const PROGRESS_INTERVAL_MS = 1_000;

const waiting = z.object({ timeoutMs: z.int().optional() });

/** Calls a tool. Never throws: what went wrong is the answer, with a code and what can be done. */
export async function callTool(
  kit: Toolkit,
  tool: Tool,
  args: unknown,
  { signal, onProgress, onFault }: CallOptions,
): Promise<CallToolResult> {
  try {
    const input = tool.input.safeParse(args ?? {});
    if (!input.success) throw new ToolError("INVALID_INPUT", problemOf(input.error));
    const allowedMs = CALL_MS + (waiting.parse(input.data).timeoutMs ?? 0);
    const answer = await kit.calls(() =>
      withProgress(allowedMs, onProgress, () => runWithin(kit, tool, input.data, allowedMs, signal)),
    );
    return { content: [{ type: "text", text: JSON.stringify(answer) }], structuredContent: answer };
  } catch (error) {
    const failure = toolErrorOf(error);
    if (failure.code === "INTERNAL") onFault(`${tool.name}: ${(error as Error).stack ?? String(error)}`);
    return errorResult(failure, kit);
  }
}

/** @throws ToolError TIMEOUT, or what the tool throws */
async function runWithin(
  kit: Toolkit,
  tool: Tool,
  input: Record<string, unknown>,
  allowedMs: number,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const timeout = AbortSignal.timeout(allowedMs);
  try {
    return await tool.run(kit, input, AbortSignal.any([signal, timeout]));
  } catch (error) {
    const isLate = timeout.aborted && !signal.aborted && toolErrorOf(error).code === "ABORTED";
    throw isLate ? new ToolError("TIMEOUT", `There was no answer within ${allowedMs} ms`) : error;
  }
}

async function withProgress<T>(
  total: number,
  onProgress: CallOptions["onProgress"],
  work: () => Promise<T>,
): Promise<T> {
  if (onProgress === undefined) return work();
  const begun = Date.now();
  const timer = setInterval(() => onProgress({ progress: Date.now() - begun, total }), PROGRESS_INTERVAL_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

function errorResult({ code, message, whatToDo }: ToolError, { redact }: Toolkit): CallToolResult {
  const error = { code, message: redact(message), whatToDo };
  return { content: [{ type: "text", text: JSON.stringify({ error }) }], isError: true };
}

function problemOf({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`)).join("; ");
}

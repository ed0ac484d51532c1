import type { ToolAnnotations } from "@modelcontextprotocol/sdk/types.js";
import type { z } from "zod";
import type { Toolkit } from "./toolkit.ts";

/** A tool as it is written: its answer is checked against `output` before it leaves. */
export interface ToolDefinition<Input extends z.ZodObject, Output extends z.ZodObject> {
  /** Clients keep it in their configuration, so it never changes. */
  readonly name: string;
  readonly title: string;
  /** What a model reads to decide whether this is what it needs. */
  readonly description: string;
  readonly annotations: ToolAnnotations;
  readonly input: Input;
  readonly output: Output;
  /** @throws ToolError, AgentError */
  readonly run: (kit: Toolkit, input: z.output<Input>, signal: AbortSignal) => Promise<z.input<Output>>;
}

/** A tool among others. */
export interface Tool extends Pick<
  ToolDefinition<z.ZodObject, z.ZodObject>,
  "name" | "title" | "description" | "annotations"
> {
  readonly input: z.ZodObject;
  readonly output: z.ZodObject;
  /** @throws ToolError, AgentError; z.ZodError when the answer is not what `output` says */
  readonly run: (kit: Toolkit, input: Record<string, unknown>, signal: AbortSignal) => Promise<Record<string, unknown>>;
}

export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  definition: ToolDefinition<Input, Output>,
): Tool {
  return {
    ...definition,
    run: async (kit, input, signal) =>
      definition.output.parse(await definition.run(kit, input as z.output<Input>, signal)),
  };
}

/** Annotations of a tool that changes nothing anywhere. */
export const READS: ToolAnnotations = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: true,
};

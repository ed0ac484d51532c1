import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { RequestOptions } from "@modelcontextprotocol/sdk/shared/protocol.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { Validator } from "@cfworker/json-schema";
import { expect } from "vitest";
import type { Server } from "../../../scripts/lib/client.ts";
import type { Member } from "./agents.ts";
import { collectOutput, waitUntil } from "./processes.ts";

const MAIN = join(import.meta.dirname, "..", "..", "..", "agent", "src", "mcp", "main.ts");
const NODE_ARGS = ["--disable-warning=ExperimentalWarning", MAIN];

export type Variables = Readonly<Record<string, string>>;

/** What a server for this agent finds in its environment. */
export function environment({ url, apiKey }: Server, { identity, seed }: Member, more: Variables = {}): Variables {
  return {
    STATESET_SEQUENCER_URL: url,
    STATESET_TENANT_ID: identity.tenantId,
    STATESET_STORE_ID: identity.storeId,
    STATESET_AGENT_ID: identity.agentId,
    STATESET_AGENT_KEY_ID: String(identity.keyId),
    STATESET_API_KEY: apiKey,
    VES_PRIVATE_KEY: seed,
    ...more,
  };
}

/** A client with its server in a process of its own. */
export interface Connection {
  readonly client: Client;
  /** What the server said that is no message of the protocol, and what it said on standard error. */
  readonly noise: () => string;
  readonly close: () => Promise<void>;
}

export async function connectStdio(env: Variables): Promise<Connection> {
  const transport = new StdioClientTransport({ command: process.execPath, args: NODE_ARGS, env, stderr: "pipe" });
  let noise = "";
  transport.stderr?.on("data", (chunk: Buffer) => (noise += chunk.toString()));
  const client = newClient((error) => (noise += error.message));
  await client.connect(transport);
  return { client, noise: () => noise, close: () => client.close() };
}

/** A server over HTTP, without a client. */
export interface HttpServer {
  readonly url: string;
  readonly noise: () => string;
  readonly connect: (headers?: Variables) => Promise<Client>;
  readonly stop: () => Promise<void>;
}

export async function startHttp(env: Variables, ...args: readonly string[]): Promise<HttpServer> {
  const child = run(env, "--http", "--port", "0", ...args);
  const output = collectOutput(child);
  const url = (): string | undefined => /Serving MCP at (\S+)\n/.exec(output.text())?.[1];
  await waitUntil(() => url() !== undefined, 20_000, "the server says where it serves", child);
  const clients: Client[] = [];
  return {
    url: url() ?? "",
    noise: () => output.text().replace(/Serving MCP at \S+\n/, ""),
    connect: async (headers = {}) => {
      const client = newClient(() => undefined);
      const transport = new StreamableHTTPClientTransport(new URL(url() ?? ""), { requestInit: { headers } });
      await client.connect(transport);
      clients.push(client);
      return client;
    },
    stop: async () => {
      await Promise.all(clients.map((client) => client.close()));
      child.kill("SIGTERM");
      await ended(child);
    },
  };
}

/** What a server says that does not begin to serve. @returns its exit status, and all that it wrote */
export async function runToEnd(env: Variables, ...args: readonly string[]) {
  const child = run(env, ...args);
  const output = collectOutput(child);
  await ended(child);
  return { status: child.exitCode, said: output.text() };
}

function run(env: Variables, ...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [...NODE_ARGS, ...args], {
    env: env as NodeJS.ProcessEnv,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "close");
}

function newClient(onError: (error: Error) => void): Client {
  const client = new Client({ name: "test", version: "1" });
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it is no event target
  client.onerror = onError;
  return client;
}

/** What a tool answered, or the error that it answered instead. */
export interface ToolAnswer<Answer> {
  readonly answer: Answer;
  readonly error: { readonly code: string; readonly message: string; readonly whatToDo: string } | undefined;
}

/** Calls a tool, and checks its answer against the schema that the server lists for it. */
export async function callTool<Answer = Record<string, never>>(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
  options?: RequestOptions,
): Promise<ToolAnswer<Answer>> {
  const result = (await client.callTool({ name, arguments: args }, undefined, options)) as CallToolResult;
  const [content] = result.content;
  const text: unknown = content?.type === "text" ? JSON.parse(content.text) : undefined;
  if (result.isError === true) return { answer: {} as Answer, ...(text as { error: ToolAnswer<Answer>["error"] }) };
  const { tools } = await client.listTools();
  const schema = tools.find((tool) => tool.name === name)?.outputSchema;
  expect(new Validator(schema as object, "7", false).validate(result.structuredContent).errors).toEqual([]);
  expect(text).toEqual(result.structuredContent);
  return { answer: result.structuredContent as Answer, error: undefined };
}

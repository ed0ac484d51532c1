import { z } from "zod";
import type { EthCall } from "../anchor-call.ts";
import { reasonOf } from "../errors.ts";
import { CommandError } from "./command-error.ts";
import { EXIT } from "./exit-codes.ts";

const TIMEOUT_MS = 30_000;

const answerForm = z.object({ result: z.string().optional(), error: z.object({ message: z.string() }).optional() });

/** Calls contracts through a node's JSON-RPC. What goes wrong is thrown as CommandError CHAIN_UNREACHABLE. */
export function rpcEthCall(url: string, signal: AbortSignal): EthCall {
  return async ({ to, data }) => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_call", params: [{ to, data }, "latest"] });
    const headers = { "content-type": "application/json" };
    let why: string;
    try {
      const both = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
      const response = await fetch(url, { method: "POST", headers, body, signal: both });
      const parsed = answerForm.safeParse(JSON.parse(await response.text()));
      if (parsed.data?.result !== undefined) return parsed.data.result;
      why = parsed.data?.error?.message ?? `it answers ${response.status}`;
    } catch (error) {
      // The URL is not repeated: many nodes have their credential in it.
      why = error instanceof SyntaxError ? "it is no JSON-RPC" : reasonOf(error);
    }
    const message = `The chain's node cannot be asked: ${why.replaceAll(url, "URL")}. Look whether --rpc-url is right.`;
    throw new CommandError("CHAIN_UNREACHABLE", message, EXIT.unreachable);
  };
}

import {
  BaseError,
  ContractFunctionRevertedError,
  ContractFunctionZeroDataError,
  decodeErrorResult,
  type Hex,
  HttpRequestError,
} from "viem";
import { stateSetAnchorAbi } from "../../../contracts/abi.ts";
import { uuidOfWord } from "./contract-call.ts";
import { withoutUrl } from "./without-url.ts";

/** The chain cannot be asked, or what it says cannot be used. The message names no URL, which may hold a secret. */
export class ChainError extends Error {
  override readonly name = "ChainError";
}

/** Why the contract refuses a call. */
export interface Refusal {
  readonly reason: string;
  /** The batch that it names, or null. */
  readonly batchId: string | null;
}

const NOT_THE_CONTRACT = "there is no anchoring contract at SET_REGISTRY_ADDRESS on this chain";

/** Of those who are asked too often: the specified one, and what providers use instead. */
const RATE_LIMIT_CODES: readonly number[] = [-32005, -32007, 429];
/** JSON-RPC's own errors are negative; a node that reverts answers 3, or hides it in one of these. */
const REVERT_CODE = 3;

/** Whoever answers so does not let the request through to the node, whatever else the answer says. */
const NOT_ADMITTED: readonly number[] = [401, 402, 403, 429];

/** The result of a request to the node at a URL. @throws ChainError when it fails */
export async function asked<T>(request: Promise<T>, url: string): Promise<T> {
  try {
    return await request;
  } catch (error) {
    throw chainError(error, url);
  }
}

/**
 * The results of calls that were made together, undefined where the contract knows no such batch, or was not there yet.
 *
 * @throws ChainError when one failed for another reason
 */
export function answered<T>(
  calls: readonly (
    { readonly result: T; readonly error?: undefined } | { readonly error: Error; readonly result?: undefined }
  )[],
  url: string,
): (T | undefined)[] {
  return calls.map(({ result, error }) => {
    if (error === undefined) return result;
    const cause = causeInContract(error);
    const isNotThere = cause instanceof ContractFunctionZeroDataError || cause?.data?.errorName === "NotAnchored";
    if (!isNotThere) throw chainError(error, url);
    return undefined;
  });
}

/** Null when the contract was not reached. */
function causeInContract(error: unknown): ContractFunctionRevertedError | ContractFunctionZeroDataError | null {
  for (const cause of causesOf(error)) {
    if (cause instanceof ContractFunctionRevertedError || cause instanceof ContractFunctionZeroDataError) return cause;
  }
  return null;
}

export function chainError(error: unknown, url: string): ChainError {
  if (error instanceof ChainError) return error;
  // Questions to the anchoring contract have answers.
  if (causeInContract(error) !== null) return new ChainError(NOT_THE_CONTRACT, { cause: error });
  return new ChainError(`the chain's node: ${reasonOf(error, url)}`, { cause: error });
}

/** What a node or the way to it says is wrong, without anything of the URL. */
export function reasonOf(error: unknown, url: string): string {
  if (!(error instanceof BaseError)) return error instanceof Error ? error.name : "unknown error";
  const said = httpFailure(error) ?? (error.details || error.shortMessage);
  const [firstLine] = said.split("\n", 1);
  return withoutUrl(firstLine ?? said, url);
}

/** Null for an error of the node's own. A page that stands where its answer should be is not passed on. */
function httpFailure(error: unknown): string | null {
  for (const cause of causesOf(error)) {
    if (!(cause instanceof HttpRequestError)) continue;
    if (cause.status !== undefined) return `HTTP request failed, status ${cause.status}`;
    if (cause.cause instanceof SyntaxError) return "its answer is not JSON";
  }
  return null;
}

/** Whether the node has answered, with an error about what it was given, rather than not been heard of. */
export function isAnswer(error: unknown): boolean {
  const [code, status] = [numberIn(error, "code"), numberIn(error, "status")];
  const isAdmitted = status === null || !NOT_ADMITTED.includes(status);
  return code !== null && !RATE_LIMIT_CODES.includes(code) && isAdmitted;
}

/** Whether anything came back, be it only that the request was too much. */
export function hasResponded(error: unknown): boolean {
  return numberIn(error, "code") !== null || numberIn(error, "status") !== null;
}

/** Why the contract reverts, when that is what went wrong; null for any other error. */
export function refusalIn(error: unknown, url: string): Refusal | null {
  const data = revertData(error);
  if (data !== null && data.length >= 10) {
    try {
      const { abiItem, args, errorName } = decodeErrorResult({ abi: stateSetAnchorAbi, data });
      const names = "inputs" in abiItem ? abiItem.inputs.map(({ name }) => name) : [];
      return refusalOf(errorName, names, args ?? []);
    } catch {
      return {
        reason: `it reverts with ${data.slice(0, 10)}, which is no error of the anchoring contract`,
        batchId: null,
      };
    }
  }
  const isWithoutReason = numberIn(error, "code") === REVERT_CODE || /revert/i.test(reasonOf(error, url));
  return isWithoutReason && isAnswer(error) ? { reason: reasonOf(error, url), batchId: null } : null;
}

function refusalOf(errorName: string, names: readonly (string | undefined)[], args: readonly unknown[]): Refusal {
  const given = new Map(names.map((name, index) => [name ?? "", args[index]]));
  const batchWord = given.get("batchId");
  given.delete("batchId");
  const rest = [...given].map(([name, value]) => `${name} ${String(value)}`);
  return {
    reason: rest.length === 0 ? errorName : `${errorName}: ${rest.join(", ")}`,
    batchId: typeof batchWord === "string" ? uuidOfWord(batchWord as Hex) : null,
  };
}

/** What a revert carries, wherever in the error a node's answer has put it. */
function revertData(error: unknown): Hex | null {
  for (const cause of causesOf(error)) {
    const { data } = cause as { readonly data?: unknown };
    if (typeof data === "string" && data.startsWith("0x")) return data as Hex;
    const inner = (data as { readonly data?: unknown } | null | undefined)?.data;
    if (typeof inner === "string" && inner.startsWith("0x")) return inner as Hex;
  }
  return null;
}

function numberIn(error: unknown, name: "code" | "status"): number | null {
  for (const cause of causesOf(error)) {
    const value = (cause as { readonly code?: unknown; readonly status?: unknown })[name];
    if (typeof value === "number") return value;
  }
  return null;
}

function* causesOf(error: unknown): Iterable<object> {
  let cause = error;
  while (typeof cause === "object" && cause !== null) {
    yield cause;
    ({ cause } = cause as { readonly cause?: unknown });
  }
}

import {
  type Address,
  BaseError,
  createPublicClient,
  createWalletClient,
  encodeDeployData,
  encodeFunctionData,
  formatEther,
  type Hex,
  http,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { stateSetAnchorAbi } from "../../contracts/abi.ts";
import { compileAnchor } from "../lib/contract.ts";
import type { ContractOptions } from "./contract-options.ts";

/** How long a transaction is waited for. */
const MINED_MS = 180_000;

/** Does it, and returns what is to be told. @throws Error, with what the chain or its node says is wrong */
export async function callContract(options: ContractOptions): Promise<Record<string, unknown>> {
  try {
    return await (options.action === "show" ? show(options) : send(options));
  } catch (error) {
    if (!(error instanceof BaseError)) throw error;
    // The short message alone: the long one names the node's URL, which may hold a secret.
    const innermost = error.walk();
    const detail = innermost instanceof BaseError && innermost !== error ? ` ${innermost.shortMessage}` : "";
    throw new Error(`${error.shortMessage}${detail}`, { cause: error });
  }
}

async function show({ rpcUrl, contract: address, sequencers }: ContractOptions): Promise<Record<string, unknown>> {
  if (address === null) throw new Error("only deploy goes without a contract");
  const client = createPublicClient({ transport: http(rpcUrl) });
  const at = { address, abi: stateSetAnchorAbi } as const;
  const rights = sequencers.map(async (account) => {
    const mayAnchor = await client.readContract({ ...at, functionName: "isSequencer", args: [account] });
    const balance = formatEther(await client.getBalance({ address: account }));
    return [account, { authorized: mayAnchor, balance_ether: balance }] as const;
  });
  return {
    chain_id: await client.getChainId(),
    contract: address,
    owner: await client.readContract({ ...at, functionName: "owner" }),
    anchored_batches: Number(await client.readContract({ ...at, functionName: "getAnchoredCount" })),
    sequencers: Object.fromEntries(await Promise.all(rights)),
  };
}

async function send(options: ContractOptions): Promise<Record<string, unknown>> {
  const { action, rpcUrl, privateKey, sequencers, isDryRun } = options;
  if (privateKey === null) throw new Error("what is sent is signed");
  const account = privateKeyToAccount(privateKey);
  const transport = http(rpcUrl);
  const client = createPublicClient({ transport });
  const wallet = createWalletClient({ transport, account });
  const told = { chain_id: await client.getChainId(), from: account.address };
  const calls = await callsOf(options, account.address);
  const gas = await calls.reduce(
    async (sum, { to, data }) => (await sum) + (await client.estimateGas({ account: account.address, to, data })),
    Promise.resolve(0n),
  );
  const cost = { gas: Number(gas), cost_ether: formatEther(gas * (await client.getGasPrice())) };
  if (isDryRun) return { ...told, action, ...cost };
  let deployed: Address | null = null;
  const transactions: Hex[] = [];
  for (const call of calls) {
    const hash = await wallet.sendTransaction({ ...call, chain: null });
    const receipt = await client.waitForTransactionReceipt({ hash, timeout: MINED_MS });
    if (receipt.status !== "success") throw new Error(`Transaction ${hash} reverted.`);
    deployed = receipt.contractAddress ?? null;
    transactions.push(hash);
  }
  return { ...told, contract: deployed ?? options.contract, sequencers, transactions };
}

interface Call {
  readonly to: Address | null;
  readonly data: Hex;
}

async function callsOf(
  { action, contract: address, sequencers, owner }: ContractOptions,
  sender: Address,
): Promise<Call[]> {
  if (action === "deploy") {
    const { abi, bytecode } = await compileAnchor();
    return [{ to: null, data: encodeDeployData({ abi, bytecode, args: [owner ?? sender, sequencers] }) }];
  }
  const functionName = action === "authorize" ? "authorizeSequencer" : "revokeSequencer";
  return sequencers.map((account) => ({
    to: address,
    data: encodeFunctionData({ abi: stateSetAnchorAbi, functionName, args: [account] }),
  }));
}

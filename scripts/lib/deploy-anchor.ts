import { type Address, createPublicClient, createWalletClient, type Hex, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { compileAnchor } from "./contract.ts";

/**
 * Deploys the anchoring contract, owned by the deployer, with these sequencers authorised. Returns its address once the
 * deployment is mined. @throws Error when the chain cannot be reached or the deployment reverts
 */
export async function deployAnchor(rpcUrl: string, deployerKey: Hex, sequencers: readonly Address[]): Promise<Address> {
  const { abi, bytecode } = await compileAnchor();
  const account = privateKeyToAccount(deployerKey);
  const transport = http(rpcUrl);
  const hash = await createWalletClient({ transport, account }).deployContract({
    abi,
    bytecode,
    args: [account.address, sequencers],
    chain: null,
  });
  const { contractAddress, status } = await createPublicClient({ transport }).waitForTransactionReceipt({
    hash,
    pollingInterval: 100,
  });
  if (status !== "success" || contractAddress == null) {
    throw new Error(`The deployment of the anchoring contract failed in transaction ${hash}.`);
  }
  return contractAddress;
}

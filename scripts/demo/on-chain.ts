import { bytesToHex, createPublicClient, type Hex, http } from "viem";
import { stateSetAnchorAbi } from "../../contracts/abi.ts";
import { envelopeSchema, eventSigningHash, fromHex, type WireEnvelope } from "../../src/ves/index.ts";
import { uuidWord } from "../../workers/anchor/src/contract-call.ts";

/*
 * The contract asked itself, past the sequencer: through any node of its chain.
 */

/** An event that its agent holds, and where the sequencer says that it stands. */
export interface Placed {
  readonly event: WireEnvelope;
  readonly sequenceNumber: number;
  readonly batchId: string;
  /** Of its inclusion proof, hex. */
  readonly path: readonly string[];
}

/** The chain that a node is of; undefined when there is no such node. */
export async function chainOf(rpcUrl: string): Promise<number | undefined> {
  try {
    return await createPublicClient({ transport: http(rpcUrl, { retryCount: 0 }) }).getChainId();
  } catch {
    return undefined;
  }
}

/**
 * Has the contract find the event at its place, from its hash, its signature and the proof's path; and not find it with one
 * bit of any of them altered.
 *
 * @throws Error when the contract says otherwise, or cannot be asked
 */
export async function verifyOnChain(
  { rpcUrl, contract }: { readonly rpcUrl: string; readonly contract: Hex },
  { event, sequenceNumber, batchId, path }: Placed,
): Promise<void> {
  const client = createPublicClient({ transport: http(rpcUrl) });
  const hash = bytesToHex(eventSigningHash(envelopeSchema.parse(event)));
  const signature = bytesToHex(fromHex(event.agent_signature, 64));
  const siblings = path.map((sibling) => bytesToHex(fromHex(sibling, 32)));
  const isThere = (eventHash: Hex, agentSignature: Hex, proof: readonly Hex[]): Promise<boolean> =>
    client.readContract({
      address: contract,
      abi: stateSetAnchorAbi,
      functionName: "verifyEvent",
      args: [uuidWord(batchId), BigInt(sequenceNumber), eventHash, agentSignature, proof],
    });
  if (!(await isThere(hash, signature, siblings))) {
    throw new Error(`The contract does not find event ${sequenceNumber} in the batch that the sequencer names.`);
  }
  const answers = await Promise.all([
    isThere(altered(hash), signature, siblings),
    isThere(hash, altered(signature), siblings),
    ...siblings.map((sibling, index) => isThere(hash, signature, siblings.with(index, altered(sibling)))),
  ]);
  if (answers.includes(true))
    throw new Error(`The contract finds event ${sequenceNumber} with a bit of it altered too.`);
}

/** With its last bit turned over. */
function altered(hex: Hex): Hex {
  return `${hex.slice(0, -1)}${(Number.parseInt(hex.slice(-1), 16) ^ 1).toString(16)}` as Hex;
}

import type { ChainAnswer, ExpectedBatch } from "../../../src/anchor/messages.ts";
import { AnchorChain } from "./chain.ts";
import { ChainError } from "./rpc-errors.ts";
import type { AnchorSettings } from "./settings.ts";

/** What the contract says of a batch now, whatever is noted. */
export async function verifyOnChain(settings: AnchorSettings, batch: ExpectedBatch): Promise<ChainAnswer> {
  const chain = new AnchorChain(settings);
  const { chainId, contract, confirmations } = settings;
  try {
    const head = await chain.head();
    const finalBlock = head - confirmations;
    const [now] = await chain.batchesAt([batch], head);
    const [deep] = now?.isSame === true && finalBlock >= 0 ? await chain.batchesAt([batch], finalBlock) : [];
    return {
      kind: "answer",
      chainId,
      contract,
      blockNumber: head,
      isAnchored: now?.isThere === true,
      isSame: now?.isSame === true,
      isFinal: deep?.isSame === true,
    };
  } catch (error) {
    if (error instanceof ChainError) return { kind: "unavailable", message: error.message };
    throw error;
  }
}

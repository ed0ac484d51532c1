import { createHash } from "node:crypto";

/*
 * Batches computed from the events alone, by the formulas of VES 2.6 and 5.1 written as plainly as can be: with nothing of
 * src/, and with the padding really filled in.
 */

const text = (value: string): Buffer => Buffer.from(value, "utf8");
const uuid = (value: string): Buffer => Buffer.from(value.replaceAll("-", ""), "hex");

function number(value: number, bytes: 4 | 8): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt(value));
  return out.subarray(8 - bytes);
}

function hash(...parts: (Buffer | Uint8Array)[]): Buffer {
  const sha = createHash("sha256");
  for (const part of parts) sha.update(part);
  return sha.digest();
}

/** What of an event its leaf is made from, beside its number. */
interface LeafEvent {
  readonly signingHash: Uint8Array;
  readonly envelope: { readonly agent_signature: Uint8Array };
}

export interface DerivedBatch {
  readonly merkleRoot: string;
  readonly prevStateRoot: string;
  readonly newStateRoot: string;
}

/** The batches that these ranges of a log make. Hashes in hex. */
export function derivedBatches(
  stream: { readonly tenantId: string; readonly storeId: string },
  log: readonly LeafEvent[],
  ranges: readonly (readonly [start: number, end: number])[],
): DerivedBatch[] {
  let state: Buffer = Buffer.alloc(32);
  return ranges.map(([start, end]) => {
    let level: Buffer[] = log
      .slice(start - 1, end)
      .map((event, index) =>
        hash(
          text("VES_LEAF_V1"),
          uuid(stream.tenantId),
          uuid(stream.storeId),
          number(start + index, 8),
          event.signingHash,
          event.envelope.agent_signature,
        ),
      );
    while ((level.length & (level.length - 1)) !== 0) level.push(hash(text("VES_PAD_LEAF_V1")));
    while (level.length > 1) {
      level = level.flatMap((left, i) =>
        i % 2 === 0 ? [hash(text("VES_NODE_V1"), left, level[i + 1] ?? Buffer.alloc(0))] : [],
      );
    }
    const root = level[0] ?? Buffer.alloc(32);
    const previous = state;
    state = hash(
      text("VES_STATE_ROOT_V1"),
      hash(text("VES_STREAM_V1"), uuid(stream.tenantId), uuid(stream.storeId)),
      previous,
      root,
      number(start, 8),
      number(end, 8),
      number(end - start + 1, 4),
    );
    return {
      merkleRoot: root.toString("hex"),
      prevStateRoot: previous.toString("hex"),
      newStateRoot: state.toString("hex"),
    };
  });
}

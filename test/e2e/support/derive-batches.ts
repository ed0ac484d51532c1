import { createHash } from "node:crypto";
import type { StreamRef } from "../../../src/stream-ref.ts";
import { blob, integer } from "../../../src/storage/sql-store.ts";
import { toHex } from "../../../src/ves/index.ts";
import { derivedBatches } from "../../support/derived-batches.ts";
import type { StoredLog } from "./derive-log.ts";

/** What is wrong with a log's sealed batches: their ranges, their trees, and their chain of state roots. */
export function batchProblems(log: StoredLog, stream: StreamRef): string[] {
  const events = log.events.map((row) => ({
    signingHash: blob(row["event_signing_hash"]),
    envelope: { agent_signature: blob(row["agent_signature"]) },
  }));
  const ranges = log.batches.map((row) => [integer(row["sequence_start"]), integer(row["sequence_end"])] as const);
  const derived = derivedBatches(stream, events, ranges);
  const seen = new Set<string>();
  let next = 1;
  const problems: string[] = [];
  for (const [index, row] of log.batches.entries()) {
    const [start, end] = ranges[index] ?? [0, 0];
    const name = `batch ${start} to ${end}`;
    if (start !== next) problems.push(`${name}: stands where one from ${next} should`);
    if (end < start || end > log.events.length) problems.push(`${name}: the log has ${log.events.length} events`);
    const { merkleRoot = "", prevStateRoot, newStateRoot } = derived[index] ?? {};
    const expected = { merkle_root: merkleRoot, prev_state_root: prevStateRoot, new_state_root: newStateRoot };
    for (const [column, hex] of Object.entries(expected)) {
      if (toHex(blob(row[column])) !== hex) problems.push(`${name}: its ${column} does not follow from its events`);
    }
    const tree = Buffer.from(blob(row["tree"]));
    const nodes = nodesOver(tree, end - start + 1);
    if (!tree.equals(nodes) || toHex(nodes.subarray(-32)) !== merkleRoot) {
      problems.push(`${name}: its tree does not follow from its events`);
    }
    const id = toHex(blob(row["batch_id"]));
    if (seen.has(id)) problems.push(`${name}: its id occurs twice`);
    seen.add(id);
    next = end + 1;
  }
  return [...problems, ...mirrorStateProblems(log, [0, ...ranges.map(([, end]) => end)])];
}

/** All nodes over a stored tree's own leaves, without padding. No other leaves lead to the root that the events make. */
function nodesOver(tree: Buffer, leafCount: number): Buffer {
  let width = 1;
  while (width < leafCount) width *= 2;
  let level = Array.from({ length: width }, (_, i) =>
    i < leafCount ? tree.subarray(32 * i, 32 * (i + 1)) : hash("VES_PAD_LEAF_V1"),
  );
  const nodes: Buffer[] = [];
  for (let unpadded = leafCount; ; unpadded = Math.ceil(unpadded / 2)) {
    nodes.push(...level.slice(0, unpadded));
    if (level.length === 1) return Buffer.concat(nodes);
    level = level.flatMap((node, i) => (i % 2 === 0 ? [hash("VES_NODE_V1", node, level[i + 1] ?? node)] : []));
  }
}

function hash(domain: string, ...parts: Buffer[]): Buffer {
  const sha = createHash("sha256").update(domain);
  for (const part of parts) sha.update(part);
  return sha.digest();
}

function mirrorStateProblems({ events, mirrorState }: StoredLog, ends: readonly number[]): string[] {
  if (events.length === 0 && mirrorState.length === 0) return [];
  const [state, ...others] = mirrorState;
  if (state === undefined || others.length > 0) return [`mirror_state has ${mirrorState.length} rows`];
  const problems: string[] = [];
  if (!ends.includes(integer(state["mirrored_sequence"]))) {
    problems.push(`mirror_state: no batch ends at its ${integer(state["mirrored_sequence"])}`);
  }
  if (state["frozen_reason"] !== null) problems.push(`the stream is frozen: ${JSON.stringify(state["frozen_reason"])}`);
  if (state["is_restoring"] !== 0) problems.push("the stream is being restored");
  return problems;
}

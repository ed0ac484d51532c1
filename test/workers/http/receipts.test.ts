import { describe, expect, it } from "vitest";
import { envelopeSchema, fromHex, type Receipt, verifyReceipt } from "../../../src/ves/index.ts";
import { expectProof, newLog, type Proof, seal } from "./batches.ts";
import {
  accept,
  call,
  event,
  INGEST,
  ingest,
  newAgent,
  type Reply,
  streamQuery,
  textOf,
  url,
  type Wire,
} from "./harness.ts";

interface MerkleProof {
  readonly batchId: string;
  readonly merkleRoot: string;
  readonly leafHash: string;
  readonly leafIndex: number;
  readonly leafCount: number;
  readonly proofPath: readonly string[];
  readonly directions: readonly boolean[];
  readonly sequenceStart: number;
  readonly sequenceEnd: number;
}
type SealedReceipt = Receipt & { readonly merkleProof?: MerkleProof };
type Signer = Awaited<ReturnType<typeof newAgent>>;

const receipt = (signer: Signer, wire: Wire | undefined): Promise<Reply<SealedReceipt>> =>
  call("GET", url(`/api/v1/ves/receipts/${textOf(wire, "event_id")}`, streamQuery(signer)));

const proofOf = async (signer: Signer, number: number): Promise<Proof> =>
  (await call<Proof>("GET", url(`/api/v1/ves/proofs/${number}`, streamQuery(signer)))).body;

/** The proof in the form that receipts carry. */
function carried(proof: Proof): MerkleProof {
  return {
    batchId: proof.batch_id,
    merkleRoot: proof.merkle_root,
    leafHash: proof.leaf_hash,
    leafIndex: proof.leaf_index,
    leafCount: proof.leaf_count,
    proofPath: proof.proof_path,
    directions: proof.directions,
    sequenceStart: proof.sequence_start,
    sequenceEnd: proof.sequence_end,
  };
}

describe("the receipt of a sealed event", () => {
  it("carries the proof, and is else the very text that it was", async () => {
    const signer = await newAgent();
    const log = await Promise.all(Array.from({ length: 4 }, () => event(signer)));
    const first = await accept(signer, ...log);
    for (const one of first) expect(one).not.toHaveProperty("merkleProof");
    await seal(signer, 1, 3);
    for (const [index, wire] of log.entries()) {
      const { text } = await receipt(signer, wire);
      const before = JSON.stringify(first[index]);
      if (index === 3) {
        expect(text).toBe(before);
        continue;
      }
      const proof = await proofOf(signer, index + 1);
      expectProof(proof, signer, wire, index + 1, log[index + 1] ?? {});
      expect(text).toBe(`${before.slice(0, -1)},"merkleProof":${JSON.stringify(carried(proof))}}`);
    }
  });

  it("is what repeating the event is answered with, on every route", async () => {
    const { signer, log } = await newLog(3);
    await seal(signer, 1, 2);
    const known = await Promise.all(log.map(async (wire) => (await receipt(signer, wire)).body));
    for (const path of [INGEST, "/api/v1/events/ingest"]) {
      const fresh = await event(signer);
      const { body } = await ingest(signer, [...log, fresh], { path });
      const receipts = (body.receipts ?? []) as readonly SealedReceipt[];
      expect(receipts.slice(0, 3)).toEqual(known);
      expect(receipts.map((one) => one.merkleProof !== undefined)).toEqual([true, true, false, false]);
    }
  });

  it("in the plain form: the same proof in snake_case, or null", async () => {
    const signer = await newAgent();
    const log = await Promise.all([1, 2].map(() => event(signer, { vesVersion: 1 })));
    const send = async (): Promise<readonly Wire[]> => {
      const events = log.map(({ source_agent_id, agent_signature, ...wire }) => ({
        ...wire,
        source_agent: source_agent_id,
        signature: agent_signature,
      }));
      const { body } = await call<{ receipts: Wire[] }>("POST", INGEST, { body: { events } });
      return body.receipts;
    };
    const first = await send();
    expect(first.map((one) => one["merkle_proof"])).toEqual([null, null]);
    await seal(signer, 1, 1);
    const { sequence_number, prev_state_root, new_state_root, ...proof } = await proofOf(signer, 1);
    expect(await send()).toEqual([{ ...first[0], merkle_proof: proof }, first[1]]);
  });
});

describe("receipts beside events", () => {
  const read = (
    signer: Signer,
    receipts?: string,
  ): Promise<Reply<{ events: { envelope: Wire; receipt?: Receipt }[] }>> =>
    call("GET", url("/api/v1/ves/events", { ...streamQuery(signer), receipts }));

  it("are the same as when the events were accepted, sealed or not", async () => {
    const signer = await newAgent();
    const log = await Promise.all(Array.from({ length: 3 }, () => event(signer)));
    const accepted = await accept(signer, ...log);
    await seal(signer, 1, 2);
    const rows = (await read(signer, "true")).body.events;
    expect(rows.map((row) => row.receipt)).toEqual(accepted);
    const { body } = await call<{ keys: { public_key: string }[] }>("GET", "/api/v1/sequencer/keys");
    const key = fromHex(body.keys[0]?.public_key ?? "", 32);
    for (const [index, row] of rows.entries()) {
      const own = envelopeSchema.parse(log[index]);
      if (row.receipt === undefined) throw new Error("a row has its receipt");
      expect(await verifyReceipt(row.receipt, own, key)).toEqual({ valid: true });
      const another = envelopeSchema.parse(log[(index + 1) % log.length]);
      expect(await verifyReceipt(row.receipt, another, key)).toMatchObject({ valid: false });
    }
  });

  it("are there only when asked for", async () => {
    const { signer } = await newLog(1);
    for (const receipts of [undefined, "false"]) {
      expect((await read(signer, receipts)).body.events[0]).not.toHaveProperty("receipt");
    }
    const message = 'receipts: Invalid option: expected one of "true"|"false"';
    expect((await read(signer, "yes")).body).toMatchObject({ code: "INVALID_FIELD_VALUE", message });
  });
});

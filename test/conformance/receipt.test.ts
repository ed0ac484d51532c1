import { describe, expect, test } from "vitest";
import {
  ZERO_32,
  envelopeSchema,
  eventSigningHash,
  fromHex,
  inclusionPath,
  leafHash,
  merkleTree,
  receiptHash,
  signatureProblem,
  signingKeyFromSeed,
  stateRoot,
  toHex,
  to0xHex,
  verifyEd25519,
  verifyEventInclusion,
  verifyReceipt,
} from "../../src/ves/index.ts";
import type { Envelope, Receipt } from "../../src/ves/index.ts";
import { SAMPLE, fixedKey, flipped } from "./samples.ts";
import { group } from "./vectors.ts";

describe("VES 2.7: receipt hash", () => {
  interface Input {
    tenant_id: string;
    store_id: string;
    event_id: string;
    sequence_number: number;
    event_signing_hash: string;
    sequencer_secret_key_hex: string;
  }

  test.each(group<Input, { receipt_hash: string; public_key: string; sequencer_signature: string }>("receipt"))(
    "$id",
    async ({ input, expected }) => {
      const hash = receiptHash({
        tenantId: input.tenant_id,
        storeId: input.store_id,
        eventId: input.event_id,
        sequenceNumber: input.sequence_number,
        eventSigningHash: fromHex(input.event_signing_hash),
      });
      expect(toHex(hash)).toBe(expected.receipt_hash);
      const key = await signingKeyFromSeed(fromHex(input.sequencer_secret_key_hex));
      expect(toHex(key.publicKey)).toBe(expected.public_key);
      expect(toHex(await key.sign(hash))).toBe(expected.sequencer_signature);
    },
  );
});

describe("VES 3.4: verifying a receipt", () => {
  const sequencer = fixedKey(2);

  async function receiptFor(envelope: Envelope, sequenceNumber: number): Promise<Receipt> {
    const hash = receiptHash({
      tenantId: envelope.tenant_id,
      storeId: envelope.store_id,
      eventId: envelope.event_id,
      sequenceNumber,
      eventSigningHash: eventSigningHash(envelope),
    });
    return {
      sequencerId: "00000000-0000-4000-8000-000000000000",
      eventId: envelope.event_id,
      sequenceNumber,
      sequencedAt: "2026-01-02T03:04:05.678+00:00",
      receiptHash: toHex(hash),
      signatureAlg: "ed25519",
      sequencerSignature: toHex(await (await sequencer).sign(hash)),
      sequencerKeyVersion: 1,
    };
  }

  test("a genuine receipt is valid, in versions 1 and 2, with or without 0x", async () => {
    const { publicKey } = await sequencer;
    for (const envelope of [SAMPLE, { ...SAMPLE, ves_version: 2, base_version: 0 }]) {
      const receipt = await receiptFor(envelope, 42);
      expect(await verifyReceipt(receipt, envelope, publicKey)).toEqual({ valid: true });
      const prefixed = { ...receipt, receiptHash: `0x${receipt.receiptHash}` };
      expect(await verifyReceipt(prefixed, envelope, publicKey)).toEqual({ valid: true });
    }
  });

  test.each<[string, Partial<Receipt>, RegExp]>([
    ["event id", { eventId: SAMPLE.store_id }, /another event/],
    ["event id that is none", { eventId: "" }, /another event/],
    ["sequence number", { sequenceNumber: 43 }, /receiptHash/],
    ["sequence number 0", { sequenceNumber: 0 }, /start at 1/],
    ["sequence number that is no integer", { sequenceNumber: 1.5 }, /unsigned integer/],
    ["sequence number that is no number", { sequenceNumber: Number.NaN }, /unsigned integer/],
    ["hash", { receiptHash: "00".repeat(32) }, /receiptHash/],
    ["hash that is not hex", { receiptHash: "zz".repeat(32) }, /hexadecimal/],
    ["short hash", { receiptHash: "00" }, /64 hex digits/],
    ["signature", { sequencerSignature: "00".repeat(64) }, /does not verify/],
    ["missing signature", { sequencerSignature: "" }, /128 hex digits/],
  ])("another %s is not", async (_, change, problem) => {
    const receipt = await receiptFor(SAMPLE, 42);
    const verdict = await verifyReceipt({ ...receipt, ...change }, SAMPLE, (await sequencer).publicKey);
    expect(verdict).toEqual({ valid: false, problem: expect.stringMatching(problem) as string });
  });

  test.each<[string, Partial<Envelope>, RegExp]>([
    ["store", { store_id: SAMPLE.tenant_id }, /receiptHash/],
    ["entity", { entity_id: "WIDGET-2" }, /receiptHash/],
    ["version", { ves_version: 2 }, /receiptHash/],
    ["version that is unknown", { ves_version: 3 }, /no signing hash/],
    ["payload", { payload: { sku: "WIDGET-1", delta: 6 } }, /payload_plain_hash/],
  ])("a receipt does not speak for an event with another %s", async (_, change, problem) => {
    const receipt = await receiptFor(SAMPLE, 42);
    const verdict = await verifyReceipt(receipt, { ...SAMPLE, ...change }, (await sequencer).publicKey);
    expect(verdict).toEqual({ valid: false, problem: expect.stringMatching(problem) as string });
  });

  test("another sequencer's key does not verify it", async () => {
    const receipt = await receiptFor(SAMPLE, 42);
    const { publicKey } = await fixedKey(3);
    expect(await verifyReceipt(receipt, SAMPLE, publicKey)).toMatchObject({ valid: false });
    expect(await verifyReceipt(receipt, SAMPLE, publicKey.subarray(1))).toMatchObject({ valid: false });
  });
});

describe("the whole way of a batch", () => {
  interface Input {
    agent_secret_key_hex: string;
    agent_public_key: string;
    sequencer_secret_key_hex: string;
    events: unknown[];
  }

  interface Expected {
    events: {
      sequence_number: number;
      event_signing_hash: string;
      leaf: string;
      receipt_hash: string;
      sequencer_signature: string;
    }[];
    merkle_root: string;
    tree_depth: number;
    padded_leaf_count: number;
    new_state_root: string;
    proof_sequence_7: { leaf_index?: number; proof_path: string[] };
  }

  test.each(group<Input, Expected>("end_to_end_batch"))("$id", async ({ input, expected }) => {
    const agent = await signingKeyFromSeed(fromHex(input.agent_secret_key_hex));
    const sequencer = await signingKeyFromSeed(fromHex(input.sequencer_secret_key_hex));
    expect(to0xHex(agent.publicKey)).toBe(input.agent_public_key);
    expect(input.events).toHaveLength(expected.events.length);
    const leaves: Uint8Array[] = [];
    const envelopes = input.events.map((event) => envelopeSchema.parse(event));
    for (const [index, envelope] of envelopes.entries()) {
      const row = expected.events[index];
      if (row === undefined) throw new Error("unreachable");
      const signingHash = eventSigningHash(envelope);
      const place = {
        tenantId: envelope.tenant_id,
        storeId: envelope.store_id,
        sequenceNumber: row.sequence_number,
        eventSigningHash: signingHash,
      };
      expect(toHex(signingHash)).toBe(row.event_signing_hash);
      expect(toHex(await agent.sign(signingHash))).toBe(toHex(envelope.agent_signature));
      expect(await signatureProblem(envelope, agent.publicKey)).toBeUndefined();
      const leaf = leafHash({ ...place, agentSignature: envelope.agent_signature });
      expect(toHex(leaf)).toBe(row.leaf);
      leaves.push(leaf);
      const hash = receiptHash({ ...place, eventId: envelope.event_id });
      expect(toHex(hash)).toBe(row.receipt_hash);
      expect(toHex(await sequencer.sign(hash))).toBe(row.sequencer_signature);
      expect(await verifyEd25519(agent.publicKey, hash, fromHex(row.sequencer_signature))).toBe(false);
      const receipt = {
        eventId: envelope.event_id,
        sequenceNumber: row.sequence_number,
        receiptHash: row.receipt_hash,
        sequencerSignature: row.sequencer_signature,
      };
      expect(await verifyReceipt(receipt, envelope, sequencer.publicKey)).toEqual({ valid: true });
    }

    const tree = merkleTree(leaves);
    const [first] = envelopes;
    const seventh = envelopes[6];
    if (first === undefined || seventh === undefined) throw new Error("unreachable");
    expect(toHex(tree.root)).toBe(expected.merkle_root);
    expect(tree.depth).toBe(expected.tree_depth);
    expect(tree.paddedLeafCount).toBe(expected.padded_leaf_count);
    const root = stateRoot({
      tenantId: first.tenant_id,
      storeId: first.store_id,
      prevStateRoot: ZERO_32,
      merkleRoot: tree.root,
      sequenceStart: 1,
      sequenceEnd: leaves.length,
      leafCount: leaves.length,
    });
    expect(toHex(root)).toBe(expected.new_state_root);

    const path = inclusionPath(tree, 6);
    expect(path.map(toHex)).toEqual(expected.proof_sequence_7.proof_path);
    const claim = {
      tenantId: seventh.tenant_id,
      storeId: seventh.store_id,
      sequenceNumber: 7,
      eventSigningHash: eventSigningHash(seventh),
      agentSignature: seventh.agent_signature,
      sequenceStart: 1,
      leafCount: leaves.length,
      path,
      root: tree.root,
    };
    expect(verifyEventInclusion(claim)).toBe(true);
    expect(verifyEventInclusion({ ...claim, agentSignature: flipped(claim.agentSignature) })).toBe(false);
  });
});

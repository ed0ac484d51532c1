import { generateEncryptionKey, type RegistrationBody, registrationBody } from "../../agent/src/encryption/index.ts";
import { call, push, registerKey, type Server } from "../../scripts/lib/client.ts";
import { newSigner, signEvent, type Signer } from "../../scripts/lib/signer.ts";
import { apiKeyHash } from "../../src/access/api-key.ts";
import { generateSeed, signingKeyFromSeed, toHex, type WireEnvelope } from "../../src/ves/index.ts";
import type { AnchoredServer } from "../e2e/support/anchored-server.ts";
import { sealAndMirror } from "../e2e/support/admin.ts";

/** What the examples are about: a stream with a batch that is sealed, mirrored and final on chain, and its agent. */
export interface World {
  readonly signer: Signer;
  /** The stream as a query. */
  readonly stream: { readonly tenant_id: string; readonly store_id: string };
  readonly tenant: { readonly tenant_id: string };
  /** The stream's first event. */
  readonly event: WireEnvelope;
  readonly batchId: string;
  readonly chainTxHash: string;
  /** The inclusion proof of the first event. */
  readonly proof: {
    readonly leaf_hash: string;
    readonly merkle_root: string;
    readonly leaf_index: number;
    readonly leaf_count: number;
    readonly proof_path: string[];
  };
  /** Two schemas of two event types: one to be read and changed, one to be deleted. */
  readonly schemaIds: readonly [kept: string, deleted: string];
  /** How the hash of an API key of the agent begins. */
  readonly keyPrefix: string;
  /** An encryption key of the agent. */
  readonly encryptionKid: number;
  /** Registers another one. */
  readonly newEncryptionKey: RegistrationBody;
  readonly newEvent: () => Promise<WireEnvelope>;
  readonly newPublicKey: () => Promise<string>;
}

export const EVENT_TYPE = "order.noted";
/** Signing keys of the agent beside the one that signs, to be revoked. */
export const SPARE_KEYS = [2, 3] as const;

export async function newWorld(place: AnchoredServer): Promise<World> {
  const server = place.server();
  const signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
  const { tenantId, storeId, agentId } = signer;
  const post = <Answer>(path: string, body: object): Promise<Answer> => call(server, "POST", path, body);
  const newPublicKey = async (): Promise<string> => toHex((await signingKeyFromSeed(generateSeed())).publicKey);
  const newEvent = (): Promise<WireEnvelope> =>
    signEvent(signer, { entityType: "order", entityId: "o1", eventType: EVENT_TYPE, payload: { total: "42.00" } });

  await registerKey(server, signer);
  for (const keyId of SPARE_KEYS) {
    await post("/api/v1/agents/keys", { tenantId, agentId, keyId, publicKey: await newPublicKey() });
  }
  const newEncryptionKey = async (): Promise<RegistrationBody> =>
    registrationBody({
      ...signer,
      signingKeyId: signer.keyId,
      signingKey: signer.key,
      key: await generateEncryptionKey(),
    });
  const encryptionKey = await newEncryptionKey();
  await post(`/api/v1/agents/${agentId}/encryption-keys`, encryptionKey);
  const { apiKey } = await post<{ apiKey: string }>(`/api/v1/agents/${agentId}/api-keys`, { tenantId });
  const schemaIds = await Promise.all(
    [EVENT_TYPE, "order.forgotten"].map(async (eventType) => {
      const { id } = await post<{ id: string }>("/api/v1/schemas", { tenantId, eventType, schemaJson: true });
      return id;
    }),
  );
  await call(server, "PUT", `/api/v1/agents/${agentId}/policy`, { tenantId, enabled: false });
  const event = await newEvent();
  await push(server, agentId, [event, await newEvent()]);
  await sealAndMirror(server, { tenantId, storeId });
  await place.whileMining(() => server.runCron());
  const ids = `tenant_id=${tenantId}&store_id=${storeId}`;
  const proof = await call<World["proof"] & { batch_id: string }>(server, "GET", `/api/v1/ves/proofs/1?${ids}`);
  return {
    signer,
    stream: { tenant_id: tenantId, store_id: storeId },
    tenant: { tenant_id: tenantId },
    event,
    batchId: proof.batch_id,
    chainTxHash: await transactionOf(server, proof.batch_id, ids),
    proof,
    schemaIds: schemaIds as [string, string],
    keyPrefix: apiKeyHash(apiKey).slice(0, 16),
    encryptionKid: encryptionKey.kid,
    newEncryptionKey: await newEncryptionKey(),
    newEvent,
    newPublicKey,
  };
}

async function transactionOf(server: Server, batchId: string, ids: string): Promise<string> {
  const path = `/api/v1/ves/commitments/${batchId}?${ids}`;
  const { chain_tx_hash: hash } = await call<{ chain_tx_hash: string | null }>(server, "GET", path);
  if (hash === null) throw new Error("the batch is not final");
  return hash;
}

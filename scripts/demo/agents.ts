import { proofOfPossessionChallenge, toHex } from "../../src/ves/index.ts";
import { call, type Server } from "../lib/client.ts";
import { newSigner, type Signer } from "../lib/signer.ts";
import { AGENT_NAMES, type AgentName } from "./happening.ts";

/** An agent that signs its own events and pushes them with its own API key. */
export interface Agent {
  readonly name: AgentName;
  readonly signer: Signer;
  /** The sequencer, as this agent may use it. */
  readonly server: Server;
}

export type Agents = Readonly<Record<AgentName, Agent>>;

export interface Stream {
  readonly tenantId: string;
  readonly storeId: string;
}

/** Makes the agents' keys, registers them as the administrator and has an API key minted for each. */
export async function registerAgents(admin: Server, stream: Stream): Promise<Agents> {
  const agents = await Promise.all(AGENT_NAMES.map((name) => registerAgent(admin, stream, name)));
  return Object.fromEntries(agents.map((agent) => [agent.name, agent])) as Record<AgentName, Agent>;
}

async function registerAgent(admin: Server, { tenantId, storeId }: Stream, name: AgentName): Promise<Agent> {
  const signer = await newSigner(tenantId, storeId);
  const { agentId, keyId, key } = signer;
  await call(admin, "POST", "/api/v1/agents/keys", {
    tenantId,
    agentId,
    keyId,
    publicKey: toHex(key.publicKey),
    proofOfPossession: toHex(await key.sign(proofOfPossessionChallenge(key.publicKey))),
  });
  return { name, signer, server: await mintKey(admin, agentId, { tenantId, storeIds: [storeId] }) };
}

/** Somebody who may read the stream and do nothing else. */
export function registerAuditor(admin: Server, { tenantId, storeId }: Stream): Promise<Server> {
  return mintKey(admin, crypto.randomUUID(), { tenantId, storeIds: [storeId], readOnly: true });
}

async function mintKey(admin: Server, agentId: string, request: object): Promise<Server> {
  const { apiKey } = await call<{ apiKey: string }>(admin, "POST", `/api/v1/agents/${agentId}/api-keys`, request);
  return { url: admin.url, apiKey };
}

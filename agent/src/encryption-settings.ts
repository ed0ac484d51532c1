import { type EncryptionKeyring, encryptionPublicKey, type Recipient } from "./encryption/index.ts";
import { AgentError } from "./errors.ts";

/** What an agent reads encrypted payloads with. */
export interface EncryptionSettings {
  /** Its private keys by kid, 32 bytes each. Those that were replaced stay in it for as long as old events are to be read. */
  readonly keyring: EncryptionKeyring;
  /**
   * Kid of the key in the ring that others encrypt to, and own events are encrypted to as well: the last one put into the ring when
   * absent; null: the agent has none, and cannot read its own encrypted events.
   */
  readonly ownKid?: number | null;
}

/** The same, checked. */
export interface AgentEncryption {
  readonly keyring: EncryptionKeyring;
  /** The agent's own key, to be encrypted to. */
  readonly own: Recipient | null;
}

/** @throws AgentError INVALID_OPTIONS */
export async function agentEncryption(settings: EncryptionSettings | undefined): Promise<AgentEncryption> {
  const { keyring = new Map<number, Uint8Array>(), ownKid } = settings ?? {};
  const kid = ownKid === undefined ? Array.from(keyring.keys()).at(-1) : ownKid;
  let own: Recipient | null = null;
  for (const [ringKid, privateKey] of keyring) {
    const name = `keys.encryption.keyring: key ${ringKid}`;
    if (!Number.isInteger(ringKid) || ringKid < 0 || ringKid > 0xffff_ffff) throw invalid(`${name} has no kid`);
    if (privateKey.length !== 32) throw invalid(`${name} has ${privateKey.length} bytes instead of 32`);
    if (ringKid === kid) own = { kid, publicKey: await encryptionPublicKey(privateKey) };
  }
  if (kid !== null && kid !== undefined && own === null) {
    throw invalid(`keys.encryption.ownKid: the keyring has no key ${kid}`);
  }
  return { keyring, own };
}

function invalid(message: string): AgentError {
  return new AgentError("INVALID_OPTIONS", message);
}

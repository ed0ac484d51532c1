/*
 * An agent that records events offline, sends them to a sequencer, and keeps a verified copy of the log. Runs in Node, Workers
 * and browsers; what keeps it on disk is in `./sqlite`.
 */
export {
  type Agent,
  type AgentOptions,
  type CallOptions,
  createAgent,
  type History,
  type SyncReport,
} from "./agent.ts";
export type { AnchoredEvent, EthCall } from "./anchor-call.ts";
export { type Audit, type AuditSettings, auditStore } from "./audit.ts";
export type { Conflict, ConflictStrategy, Resolution, UnresolvedConflict } from "./conflicts.ts";
export type { AgentKeys } from "./create-context.ts";
export type { AgentEvent } from "./draft.ts";
export type { EncryptionKeyRegistration } from "./encryption-keys.ts";
export type { EncryptionSettings } from "./encryption-settings.ts";
export { AgentError, type AgentErrorCode } from "./errors.ts";
export {
  type Evidence,
  type EvidenceCheck,
  type EvidenceSettings,
  type EvidenceVerdict,
  verifyEvidence,
} from "./evidence.ts";
export type { LogEvent, UnsequencedEvent } from "./log-event.ts";
export type { Advice, Outcome, PushReport } from "./outcomes.ts";
export type { PullReport } from "./pull.ts";
export type { QuarantinedEvent } from "./quarantine.ts";
export type { PayloadState, ReadPayload } from "./read-payload.ts";
export type { EncryptTo } from "./recipients.ts";
export type { RecordedEvent } from "./record.ts";
export type { RetrySettings } from "./retry.ts";
export type { AgentIdentity, SigningKeySource } from "./signer.ts";
export type { AgentStatus } from "./status.ts";
export type { Socket, SocketConstructor, Sockets } from "./sockets.ts";
export { memoryStore } from "./store/memory.ts";
export { sqlAgentStore } from "./store/sql-store.ts";
export type * from "./store/store.ts";
export {
  type Credential,
  httpTransport,
  type Transport,
  type TransportReply,
  type TransportRequest,
} from "./transport.ts";
export type { KeyDirectory, NewSequencerKey, TrustSettings } from "./trust.ts";
export type { WaitOptions, WaitTarget } from "./wait.ts";
export type { SealedBatch, Watched, WatchOptions } from "./watch.ts";

import { DurableObject } from "cloudflare:workers";
import { tenantMigrations } from "../../migrations/tenant/index.ts";
import { sendPieces } from "../observe/metrics-client.ts";
import { recorder } from "../observe/recorder.ts";
import { observeAs } from "../observe/setup.ts";
import { Alarm } from "../storage/alarm.ts";
import { durableStore } from "../storage/durable-store.ts";
import { isEmptyStore, migrate } from "../storage/migrate.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import { type AuditAct, type AuditContext, SYSTEM } from "../audit/entry.ts";
import { type Change, readAuditPage, recordAct, recordHourly } from "./audit-log.ts";
import type { AuditPage, AuditPageRequest, StreamNote } from "./audit-messages.ts";
import { recordStreamNotes } from "./stream-notes.ts";
import type {
  EncryptionKeyRegistration,
  EncryptionKeyResult,
  RegisteredEncryptionKey,
} from "./encryption-key-messages.ts";
import * as encryptionKeys from "./encryption-keys.ts";
import { LEASE_MS } from "./lease.ts";
import type {
  AgentPolicy,
  ApiKeyOrigin,
  ApiKeyRecord,
  ApiKeyRevocation,
  ApiKeyRevocationRequest,
  CheckSnapshot,
  KeyRegistration,
  KeyRegistrationResult,
  NewApiKey,
  RegisteredKey,
} from "./messages.ts";
import { RegistryUpkeep } from "./registry-upkeep.ts";
import * as registry from "./registry.ts";
import type { SchemaRecord, SchemaRegistration, SchemaRegistrationResult, SchemaStatus } from "./schema-messages.ts";
import * as schemas from "./schemas.ts";

/**
 * The registry of one tenant: a thin shell around registry.ts, schemas.ts and audit-log.ts that adds the leases and the
 * mirror. What is said here is on disk before the answer leaves (the output gate). Whatever changes what somebody may do is
 * told who does it, for the audit log.
 */
export class TenantRegistry extends DurableObject<Env> {
  readonly #store: SqlStore;
  readonly #tenantId: string;
  readonly #upkeep: RegistryUpkeep;
  /** When the latest lease, of whichever version, was granted. */
  #lastGrant: number;
  /** No lease on a version older than the present one is honoured after this time. */
  #olderLeasesEnd: number;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    observeAs(env);
    this.#store = durableStore(ctx, (rows) => this.#countRows(rows));
    if (ctx.id.name === undefined) throw new Error("a tenant's registry is reached by the tenant's id");
    this.#tenantId = ctx.id.name;
    this.#upkeep = new RegistryUpkeep({
      store: this.#store,
      tenantId: this.#tenantId,
      alarm: new Alarm(ctx.storage),
      hyperdrive: env.POSTGRES ?? null,
      deliverNumbers: () => this.#deliverNumbers(),
    });
    // An earlier instance may have granted a lease, on any version, just before it went.
    this.#lastGrant = Date.now();
    this.#olderLeasesEnd = this.#lastGrant + LEASE_MS;
    if (isEmptyStore(this.#store)) return;
    migrate(this.#store, tenantMigrations);
    void ctx.blockConcurrencyWhile(() => this.#upkeep.resume());
  }

  override alarm(): void {
    this.#upkeep.run();
  }

  /** Grants the calling stream a lease on the version answered: it may rely on it for LEASE_HONOURED_MS. */
  lease(): number {
    this.#lastGrant = Date.now();
    return registry.registryVersion(this.#store);
  }

  /** All that an agent's events of these types are checked against, as of one version. */
  agent(agentId: string, eventTypes: readonly string[]): CheckSnapshot {
    return {
      ...registry.agentSnapshot(this.#store, agentId),
      schemas: schemas.activeSchemas(this.#store, eventTypes),
    };
  }

  keys(agentId?: string): RegisteredKey[] {
    return registry.agentKeys(this.#store, agentId);
  }

  registerKey(key: KeyRegistration, who: AuditContext): KeyRegistrationResult {
    const result = this.#change(who, (change) => registry.registerKey(this.#store, key, change));
    this.#versionRaised();
    return result;
  }

  /** Answers once no stream can accept an event signed with the key any more: within LEASE_MS. Null: no such key. */
  async revokeKey(agentId: string, keyId: number, who: AuditContext): Promise<RegisteredKey | null> {
    const key = this.#change(who, (change) => registry.revokeKey(this.#store, agentId, keyId, change));
    if (key === null) return null;
    this.#versionRaised();
    await this.#untilOlderLeasesEnd();
    return key;
  }

  encryptionKeys(agentId: string): RegisteredEncryptionKey[] {
    return encryptionKeys.encryptionKeysOf(this.#store, agentId);
  }

  registerEncryptionKey(key: EncryptionKeyRegistration, who: AuditContext): EncryptionKeyResult {
    return this.#change(who, (change) => encryptionKeys.registerEncryptionKey(this.#store, key, change));
  }

  /** Null: the agent has no such key. */
  revokeEncryptionKey(agentId: string, kid: number, who: AuditContext): RegisteredEncryptionKey | null {
    return this.#change(who, (change) => encryptionKeys.revokeEncryptionKey(this.#store, agentId, kid, change));
  }

  policy(agentId: string): AgentPolicy | null {
    return registry.agentPolicy(this.#store, agentId);
  }

  /** Answers once no stream can accept an event that was checked against an earlier policy: within LEASE_MS. */
  async putPolicy(agentId: string, policy: AgentPolicy, who: AuditContext): Promise<void> {
    this.#change(who, (change) => registry.putAgentPolicy(this.#store, agentId, policy, change));
    this.#versionRaised();
    await this.#untilOlderLeasesEnd();
  }

  /** False when the agent has as many as it may. */
  addApiKey(key: NewApiKey, who: AuditContext, origin?: ApiKeyOrigin): boolean {
    return this.#change(who, (change) => registry.addApiKey(this.#store, key, change, origin));
  }

  apiKey(keyHash: string): ApiKeyRecord | null {
    return registry.findApiKey(this.#store, keyHash);
  }

  apiKeys(agentId: string): ApiKeyRecord[] {
    return registry.apiKeysOf(this.#store, agentId);
  }

  revokeApiKey(request: ApiKeyRevocationRequest, who: AuditContext): ApiKeyRevocation {
    return this.#change(who, (change) => registry.revokeApiKey(this.#store, request, change));
  }

  /**
   * Answers once no stream can accept an event that was checked against earlier schemas: within LEASE_MS. A repeated call
   * waits too, as with a revocation.
   */
  async registerSchema(registration: SchemaRegistration, who: AuditContext): Promise<SchemaRegistrationResult> {
    const before = registry.registryVersion(this.#store);
    const schemaId = crypto.randomUUID();
    const result = this.#change(who, (change) =>
      schemas.registerSchema(this.#store, registration, { ...change, schemaId }),
    );
    if (result.kind === "registered") await this.#untilSchemasCount(before);
    return result;
  }

  listSchemas(eventType?: string): SchemaRecord[] {
    return schemas.listSchemas(this.#store, eventType);
  }

  schema(schemaId: string): SchemaRecord | null {
    return schemas.findSchema(this.#store, schemaId);
  }

  /** A version of an event type's schema; the highest active one when none is named. */
  schemaOf(eventType: string, version?: number): SchemaRecord | null {
    if (version === undefined) return schemas.activeSchema(this.#store, eventType);
    return schemas.schemaVersion(this.#store, eventType, version);
  }

  schemaTexts(schemaIds: readonly string[]): Map<string, string> {
    return schemas.schemaTexts(this.#store, schemaIds);
  }

  /** Answers as {@link registerSchema} does. False: no such schema. */
  async setSchemaStatus(schemaId: string, status: SchemaStatus, who: AuditContext): Promise<boolean> {
    const before = registry.registryVersion(this.#store);
    if (!this.#change(who, (change) => schemas.setSchemaStatus(this.#store, schemaId, status, change))) return false;
    await this.#untilSchemasCount(before);
    return true;
  }

  /** Answers as {@link registerSchema} does. False: no such schema. */
  async deleteSchema(schemaId: string, who: AuditContext): Promise<boolean> {
    const before = registry.registryVersion(this.#store);
    if (!this.#change(who, (change) => schemas.deleteSchema(this.#store, schemaId, change))) return false;
    await this.#untilSchemasCount(before);
    return true;
  }

  hasStore(storeId: string): boolean {
    return registry.hasStore(this.#store, storeId);
  }

  /** True when the store was not known before. */
  addStore(storeId: string): boolean {
    const isNew = registry.addStore(this.#store, storeId, Date.now());
    this.#upkeep.schedule();
    return isNew;
  }

  /** Enters in the audit log what somebody is about to do elsewhere. */
  recordAct(act: AuditAct, who: AuditContext): void {
    this.#change(who, (change) => recordAct(this.#store, change, act));
  }

  /** As {@link recordAct}, for each piece of what is done in many: once in an hour is enough. */
  recordHourly(act: AuditAct, who: AuditContext): void {
    this.#change(who, (change) => recordHourly(this.#store, change, act));
  }

  /** Takes over that a stream froze or thawed. Repeating it changes nothing. */
  recordStreamNotes(storeId: string, notes: readonly StreamNote[]): void {
    this.#change(SYSTEM, (change) => recordStreamNotes(this.#store, change, storeId, notes));
  }

  auditPage(request: AuditPageRequest): AuditPage {
    return readAuditPage(this.#store, request);
  }

  /** Makes a change, and sees to it that it is mirrored. */
  #change<Result>(who: AuditContext, make: (change: Change) => Result): Result {
    const result = make({ tenantId: this.#tenantId, who, now: Date.now() });
    this.#upkeep.schedule();
    return result;
  }

  #countRows(rows: number): void {
    recorder.count("sequencer_rows_written_total", { object: "registry" }, rows);
    this.#deliverNumbers();
  }

  #deliverNumbers(): void {
    recorder.deliverSoon(this.ctx, sendPieces(this.env));
  }

  /** @param before the version before the call, which a repeated one has not raised */
  async #untilSchemasCount(before: number): Promise<void> {
    if (registry.registryVersion(this.#store) !== before) this.#versionRaised();
    await this.#untilOlderLeasesEnd();
  }

  /** Leases granted so far may be on an older version than the present one. */
  #versionRaised(): void {
    this.#olderLeasesEnd = Math.max(this.#olderLeasesEnd, this.#lastGrant + LEASE_MS);
  }

  /** A repeated revocation waits too: the first one may have been cut off before its wait was over. */
  async #untilOlderLeasesEnd(): Promise<void> {
    const end = this.#olderLeasesEnd;
    while (Date.now() < end) await scheduler.wait(end - Date.now());
  }
}

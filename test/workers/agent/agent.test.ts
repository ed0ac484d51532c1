import { exports } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { createAgent } from "../../../agent/src/agent.ts";
import { memoryStore } from "../../../agent/src/store/memory.ts";
import { sqlAgentStore } from "../../../agent/src/store/sql-store.ts";
import { httpTransport } from "../../../agent/src/transport.ts";
import { verifyEvidence } from "../../../agent/src/protocol.ts";
import { durableStore } from "../../../src/storage/durable-store.ts";
import { ADMIN, call, newAgent, ORIGIN } from "../http/harness.ts";

const transport = httpTransport({
  url: ORIGIN,
  credential: ADMIN,
  fetch: (request) => exports.default.fetch(request),
});

const order = { entityType: "order", entityId: "1", eventType: "order.created", payload: { total: "42.00" } };

test("an agent in workerd records, pushes, pulls, verifies and proves, against the Worker itself", async () => {
  const signer = await newAgent();
  const agent = await createAgent({ transport, identity: signer, keys: { signing: signer.key }, store: memoryStore() });
  const { eventId } = await agent.record({ ...order, baseVersion: "current" });
  for (let i = 0; i < 4; i++) await agent.record({ ...order, entityId: `more${i}` });
  const { push, pull } = await agent.sync();
  expect(push).toMatchObject({
    stopped: null,
    outcomes: [{ kind: "accepted", eventId, sequenceNumber: 1 }, {}, {}, {}, {}],
  });
  expect(pull).toMatchObject({ pulled: 5, quarantined: 0 });
  expect(await agent.history("order", "1")).toMatchObject({
    version: 1,
    events: [{ eventId, payload: order.payload }],
  });

  const { tenantId, storeId } = signer;
  const range = { tenantId, storeId, sequenceStart: 1, sequenceEnd: 5 };
  const reply = await call<{ new_state_root: string }>("POST", "/api/v1/ves/commitments", { body: range });
  expect(await agent.pull()).toMatchObject({ pulled: 0, batches: 1 });
  expect(agent.status()).toMatchObject({ sealedSequence: 5, stateRoot: reply.body.new_state_root });
  const evidence = await agent.proof(eventId);
  expect(await agent.verify(evidence)).toMatchObject({ valid: true, problems: [] });
  expect((await verifyEvidence(evidence, { sequencerKeys: new Map() })).valid).toBe(false);
});

test("a Durable Object's own database serves as an agent's store", async () => {
  const signer = await newAgent();
  // Any object will do: an agent's tables have names of their own.
  const stub = env.LIMITS.get(env.LIMITS.idFromName(crypto.randomUUID()));
  await runInDurableObject(stub, async (_instance, ctx) => {
    const store = sqlAgentStore(durableStore(ctx), () => undefined);
    const agent = await createAgent({ transport, identity: signer, keys: { signing: signer.key }, store });
    const { eventId } = await agent.record(order);
    await agent.sync();
    await agent.sync();
    const again = await createAgent({ transport, identity: signer, keys: { signing: signer.key }, store });
    expect(again.outcome(eventId)).toMatchObject({ kind: "accepted", sequenceNumber: 1 });
    expect((await again.history("order", "1")).events).toMatchObject([{ eventId }]);
  });
});

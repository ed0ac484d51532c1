import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, push, registerKey, type Server, withoutProof } from "../../scripts/lib/client.ts";
import { newSigner, type Signer, signEvent } from "../../scripts/lib/signer.ts";
import type { StreamRef } from "../../src/stream-ref.ts";
import type { Receipt, WireEnvelope } from "../../src/ves/index.ts";
import { readServedLog } from "./support/derive-log.ts";
import {
  bundleFile,
  removeTempDirs,
  type ServerProcess,
  startServer,
  tempDir,
  waitUntil,
} from "./support/processes.ts";

const REVOKED = "agent_key_invalid: Agent key has been revoked";
/** A revocation waits two seconds for the streams' leases; the rest is for the machine. */
const REVOKED_WITHIN_MS = 3_000;
const CALLERS = 8;

let bundle: string;
let dataDirectory: string;
let server: ServerProcess;

beforeAll(async () => {
  bundle = await bundleFile();
  dataDirectory = tempDir();
  server = await startServer(bundle, dataDirectory);
});
afterAll(async () => {
  await server.kill();
  removeTempDirs();
});

function newStream(): StreamRef {
  return { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
}

async function newAgent({ tenantId, storeId }: StreamRef): Promise<Signer> {
  const signer = await newSigner(tenantId, storeId);
  await registerKey(server, signer);
  return signer;
}

function newEvent(signer: Signer): Promise<WireEnvelope> {
  return signEvent(signer, { entityType: "order", entityId: "1", eventType: "order.changed", payload: { n: 1 } });
}

async function pushOne(signer: Signer): Promise<Receipt> {
  const { receipts, rejections } = await push(server, signer.agentId, [await newEvent(signer)]);
  const [receipt] = receipts ?? [];
  if (receipt === undefined) throw new Error(`not accepted: ${JSON.stringify(rejections)}`);
  return receipt;
}

describe("many at once", () => {
  test("200 repeats of one event are one event with one receipt", async () => {
    const stream = newStream();
    const signer = await newAgent(stream);
    const event = await newEvent(signer);
    const answers = await Promise.all(Array.from({ length: 200 }, () => push(server, signer.agentId, [event])));

    const receipts = answers.flatMap((answer) => answer.receipts ?? []).map(withoutProof);
    expect(receipts).toHaveLength(200);
    expect(new Set(receipts.map((receipt) => JSON.stringify(receipt))).size).toBe(1);
    expect(receipts[0]?.sequenceNumber).toBe(1);
    expect(answers.reduce((sum, { eventsAccepted }) => sum + eventsAccepted, 0)).toBe(1);
    expect((await readServedLog(server, stream)).map(({ event_id }) => event_id)).toEqual([event.event_id]);
  });

  test("32 writers of single events get numbers without a gap, each its own in order", async () => {
    const stream = newStream();
    const agents = await Promise.all(Array.from({ length: 32 }, () => newAgent(stream)));
    const numbers = await Promise.all(
      agents.map(async (agent) => {
        const own: number[] = [];
        for (let n = 0; n < 8; n++) own.push((await pushOne(agent)).sequenceNumber);
        return own;
      }),
    );
    for (const own of numbers) expect(own).toEqual(own.toSorted((a, b) => a - b));
    const all = numbers.flat().toSorted((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: 32 * 8 }, (_, index) => index + 1));
    const served = await readServedLog(server, stream);
    expect(served.map(({ sequence_number }) => sequence_number)).toEqual(all);
  });
});

/** Callers that push with one key, one event a request, until each is rejected. */
interface Callers {
  readonly accepted: { readonly event: WireEnvelope; readonly receipt: Receipt }[];
  /** One reason for each caller that has ended. */
  readonly rejected: string[];
  readonly done: Promise<unknown>;
}

function startCallers(on: Server, signer: Signer, isGone: () => boolean): Callers {
  const accepted: Callers["accepted"] = [];
  const rejected: string[] = [];
  const run = async (): Promise<void> => {
    for (;;) {
      const event = await newEvent(signer);
      let answer;
      try {
        answer = await push(on, signer.agentId, [event]);
      } catch (error) {
        if (isGone()) return;
        throw error;
      }
      const [receipt] = answer.receipts ?? [];
      if (receipt === undefined) {
        rejected.push(...(answer.rejections ?? []).map(({ reason }) => reason));
        return;
      }
      accepted.push({ event, receipt });
    }
  };
  return { accepted, rejected, done: Promise.all(Array.from({ length: CALLERS }, run)) };
}

function revoke(on: Server, { tenantId, agentId, keyId }: Signer): Promise<{ status: string }> {
  return call(on, "DELETE", `/api/v1/agents/${agentId}/keys/${keyId}?tenant_id=${tenantId}`);
}

describe("a revoked key", () => {
  test("has no event after the revocation was answered, however many callers push with it", async () => {
    const stream = newStream();
    const [signer, other] = [await newAgent(stream), await newAgent(stream)];
    // The other agent's keys are read before the revocation: its marker must not be what tells the stream of it.
    await pushOne(other);
    const callers = startCallers(server, signer, () => false);
    await waitUntil(() => callers.accepted.length >= 4 * CALLERS, 10_000, "all callers are accepted");
    expect(callers.rejected).toEqual([]);

    const asked = Date.now();
    expect(await revoke(server, signer)).toMatchObject({ status: "revoked" });
    expect(Date.now() - asked).toBeLessThan(REVOKED_WITHIN_MS);
    const marker = await pushOne(other);

    await callers.done;
    expect(callers.rejected).toEqual(Array.from({ length: CALLERS }, () => REVOKED));
    await expectNothingAfter(marker, signer, callers, stream);
  });

  test("has none either when the server is killed in the middle of the revocation and it is repeated", async () => {
    const stream = newStream();
    const [signer, other] = [await newAgent(stream), await newAgent(stream)];
    await pushOne(other);
    let isKilled = false;
    const before = startCallers(server, signer, () => isKilled);
    await waitUntil(() => before.accepted.length >= 4 * CALLERS, 10_000, "all callers are accepted");

    let isAnswered = false;
    const cutOff = revoke(server, signer).then(
      () => (isAnswered = true),
      () => undefined,
    );
    await sleep(400);
    isKilled = true;
    await server.kill();
    await Promise.all([cutOff, before.done]);
    expect(isAnswered).toBe(false);

    server = await startServer(bundle, dataDirectory);
    const after = startCallers(server, signer, () => false);
    const asked = Date.now();
    expect(await revoke(server, signer)).toMatchObject({ status: "revoked" });
    expect(Date.now() - asked).toBeLessThan(REVOKED_WITHIN_MS);
    const marker = await pushOne(other);

    await after.done;
    expect(after.rejected).toEqual(Array.from({ length: CALLERS }, () => REVOKED));
    await expectNothingAfter(marker, signer, before, stream);
    await expectNothingAfter(marker, signer, after, stream);
  });
});

async function expectNothingAfter(
  marker: Receipt,
  signer: Signer,
  { accepted }: Callers,
  stream: StreamRef,
): Promise<void> {
  const late = accepted.filter(({ receipt }) => receipt.sequenceNumber > marker.sequenceNumber);
  expect(late).toEqual([]);
  // By the log too: it may hold events whose answer was lost.
  const served = await readServedLog(server, stream);
  const lastOfKey = served.findLast(({ source_agent_id }) => source_agent_id === signer.agentId);
  expect(lastOfKey?.sequence_number).toBeLessThan(marker.sequenceNumber);

  // From now on nothing new is accepted, while what was accepted still answers with its receipt.
  const { rejections } = await push(server, signer.agentId, [await newEvent(signer)]);
  expect(rejections?.map(({ reason }) => reason)).toEqual([REVOKED]);
  const [first] = accepted;
  if (first === undefined) return;
  const { receipts } = await push(server, signer.agentId, [first.event]);
  expect(receipts?.map(withoutProof)).toEqual([withoutProof(first.receipt)]);
}

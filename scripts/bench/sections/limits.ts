import type { Server } from "../../lib/client.ts";
import type { Bench } from "../bench.ts";
import { newLoadAgent } from "../load.ts";
import { PART_BATCH, partCosts } from "../part-costs.ts";
import { progress, type SectionResult, type Table } from "../report.ts";
import { objectCall } from "../servers.ts";
import { PARTS, type Part } from "../worker/messages.ts";

const BATCH_SIZE = PART_BATCH;
const CALLERS = 8;
const COMMITS = 200;
/** Short turns, the best of which counts, as with the parts. */
const MAX_SECONDS = 1.5;

/** The events that are measured with have no schema registered: what checking one takes is told apart. */
type RequestPart = Exclude<Part, "nothing" | "validatePayload">;

/** Names of the parts in the order of a request; indented ones are contained in the one before. */
const NAMES: Record<RequestPart, string> = {
  decode: "body to text",
  parseJson: "parseJson",
  schema: "submissionSchema",
  submissionOf: "submissionOf",
  canonicalJson: "  of which canonicalJson",
  checkEvent: "checkEvent",
  payloadPlainHash: "  of which payloadPlainHash",
  eventSigningHash: "  of which eventSigningHash",
  verifyEd25519: "  of which verifyEd25519",
  encryptPayload: "encrypting payloads",
  rpc: "RPC to the object and back, no work",
  issueReceipt: "issueReceipt",
  sign: "  of which signing",
  stringify: "answer to text",
};

/** E: what the same machine can do at best, and where an event's time goes. */
export async function limitsSection(bench: Bench): Promise<SectionResult> {
  const server = await bench.servers.start("index");
  const costs = await partCosts(server, { section: "E", parts: PARTS, quick: bench.options.quick });
  const append = await appendCost(server, bench.options.quick);
  const commitMs = await commitCost(server, bench.options.quick);
  const endToEnd = await endToEndRate(bench);

  const isPart = (part: Part): part is RequestPart => part !== "nothing" && part !== "validatePayload";
  const parts = PARTS.filter(isPart).map((part): [string, number] => [NAMES[part], costs[part]]);
  const rpcIndex = parts.findIndex(([name]) => name === NAMES.rpc);
  const inOrder = parts.toSpliced(rpcIndex + 1, 0, ["appendEvents with its commit", append]);
  const sum = inOrder.reduce((total, [name, us]) => (name.startsWith(" ") ? total : total + us), 0);
  const whole = 1_000_000 / endToEnd;
  const perEvent: Table = {
    title: `Microseconds an event in a request of ${BATCH_SIZE}; the fastest rounds`,
    columns: ["", "us/event", "share"],
    rows: [
      ...inOrder.map(([name, us]) => [name, us, percent(us / whole)]),
      ["sum of the parts", sum, percent(sum / whole)],
      ["rest: HTTP, authentication, scheduling, garbage", whole - sum, percent(1 - sum / whole)],
      [`end to end, ${CALLERS} callers`, whole, percent(1)],
    ],
  };
  const verifyLimit = 1_000_000 / costs.verifyEd25519;
  const limits: Table = {
    title: "Limits of this machine, one thread",
    columns: ["", "a second"],
    rows: [
      ["INSERT of one row with its own commit", 1_000 / commitMs],
      ["Ed25519 verifications", verifyLimit],
      ["Ed25519 signatures", 1_000_000 / costs.sign],
      ["verification and receipt signature of an event", 1_000_000 / (costs.verifyEd25519 + costs.sign)],
      ["events end to end", endToEnd],
    ],
  };
  return {
    tables: [perEvent, limits],
    targets: [
      {
        name: "checking a payload of 400 bytes against a schema",
        value: costs.validatePayload,
        unit: " us",
        bound: { atMost: 20 },
      },
    ],
    notes: [
      `Checking a payload against its schema takes ${percent(costs.validatePayload / costs.verifyEd25519)} of verifying ` +
        "the event's signature; the events above have no schema.",
      `End to end is ${percent(endToEnd / verifyLimit)} of the verification limit, and ` +
        `${percent((endToEnd * (costs.verifyEd25519 + costs.sign)) / 1_000_000)} of what verifying and signing alone would allow.`,
    ],
  };
}

async function appendCost(server: Server, quick: boolean): Promise<number> {
  progress("E: appendEvents");
  const batches = 50;
  const timings: number[] = [];
  for (let round = 0; round < (quick ? 3 : 8); round++) {
    await objectCall(server, "append", { op: "prepare", batches, batchSize: BATCH_SIZE, commandIds: false });
    const { ms } = await objectCall(server, "append", { op: "append", commitEach: true });
    if (round > 0) timings.push(ms);
  }
  return (Math.min(...timings) * 1_000) / (batches * BATCH_SIZE);
}

/** Milliseconds. */
async function commitCost(server: Server, quick: boolean): Promise<number> {
  progress("E: one row, one commit");
  const timings: number[] = [];
  for (let round = 0; round < (quick ? 2 : 5); round++) {
    timings.push((await objectCall(server, "commits", { op: "commits", count: COMMITS })).ms / COMMITS);
  }
  return Math.min(...timings);
}

/** Events a second, measured beside the limits rather than taken from section A, minutes earlier. */
async function endToEndRate(bench: Bench): Promise<number> {
  progress("E: end to end");
  const server = await bench.servers.start("production");
  const agent = await newLoadAgent(server);
  const seconds = Math.min(bench.options.seconds, MAX_SECONDS);
  const options = { server, agent, batchSize: BATCH_SIZE, callers: CALLERS, commandIds: false, seconds };
  const rates: number[] = [];
  for (let round = 0; round < (bench.options.quick ? 2 : 4); round++) {
    const run = await bench.clients.prepare(options);
    const { eventsPerSecond, firstError } = await run();
    if (firstError !== null) throw new Error(firstError);
    rates.push(eventsPerSecond);
  }
  return Math.max(...rates);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

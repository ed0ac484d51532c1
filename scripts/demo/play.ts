import { installAll } from "../admin/install-schemas.ts";
import { readCatalogue } from "../lib/catalogue.ts";
import { call } from "../lib/client.ts";
import { type Agents, registerAgents, registerAuditor, type Stream } from "./agents.ts";
import { type Anchoring, verifyAnchors } from "./anchoring.ts";
import { type Planned, planDay } from "./day.ts";
import { flawedEvents } from "./flaws.ts";
import { DAY } from "./happening.ts";
import { orderHistory } from "./history.ts";
import { type Outgoing, signDay } from "./outbox.ts";
import { type Progress, silentProgress } from "../lib/progress.ts";
import { sealLog, verifyProofs } from "./proofs.ts";
import { pushDay, type Pushed } from "./push.ts";
import type { DemoServer } from "./server.ts";
import { DOMAINS, type Domain, type Pace, type Summary } from "./summary.ts";
import { count, counted } from "../lib/text.ts";
import { agentKeys, type LoggedEvent, pullAndVerify, sequencerKeys, verifyReceipts } from "./verify.ts";

/**
 * Plays the day from the first key to the last signature.
 *
 * @throws Error with a sentence for the first thing that is not as it should be
 */
export async function play(
  server: DemoServer,
  { events, seed }: { readonly events: number; readonly seed: string },
  progress: Progress,
): Promise<Summary> {
  const stream: Stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
  progress.start("Register");
  const agents = await registerAgents(server, stream);
  const auditor = await registerAuditor(server, stream);
  progress.done("Registered", "three agents with their keys, and an auditor who may only read");

  progress.start("Install");
  const entries = readCatalogue();
  await installAll(server, { tenantId: stream.tenantId, entries, isDryRun: false }, silentProgress);
  progress.done("Installed", `${counted(entries.length, "schema")}, which every event is checked against`);

  const start = yesterday();
  const planned = planDay(seed, start, events);
  const signing = await sign(planned, agents, progress);
  const pushing = await pushAll(signing.outgoing, planned, agents, progress);
  const { receipts } = pushing.pushed;

  progress.startEvents("Check", events);
  const sequencer = await sequencerKeys(server);
  const verifyReceiptsPace = await timed(events, () =>
    verifyReceipts(signing.outgoing, receipts, sequencer, progress.advance),
  );
  progress.done("Checked", `${count(receipts.size)} receipts against the sequencer's public key`, verifyReceiptsPace);

  progress.startEvents("Audit", events);
  const directories = await agentKeys(auditor, agents, stream, sequencer);
  let log: LoggedEvent[] = [];
  const pullPace = await timed(events, async () => {
    log = await pullAndVerify(auditor, stream, { outgoing: signing.outgoing, receipts }, directories, progress.advance);
  });
  const { head_sequence: head } = await call<{ head_sequence: number }>(
    auditor,
    "GET",
    `/api/v1/ves/head?tenant_id=${stream.tenantId}&store_id=${stream.storeId}`,
  );
  if (head !== log.length)
    throw new Error(`The sequencer gives ${head} as its head, but its log has ${log.length} events.`);
  const history = await orderHistory(auditor, stream, log, agents);
  progress.done("Audited", `${count(log.length)} events pulled back: no gap, every hash and signature good`, pullPace);

  progress.start("Prove");
  await sealLog(server, stream);
  const proven = await verifyProofs(auditor, stream, log);
  progress.done(
    "Proven",
    `${counted(proven.batches, "sealed batch")} and ${counted(proven.proofs, "inclusion proof")}`,
  );

  progress.start("Anchor");
  const anchoring = await verifyAnchors(
    auditor,
    stream,
    { outgoing: signing.outgoing, receipts },
    server.node,
    progress,
  );
  progress.done("Anchored", anchored(anchoring));

  return {
    server: { url: server.url, startedForDemo: server.isOwn },
    ...stream,
    seed,
    day: new Date(start).toISOString().slice(0, 10),
    agents: agentsIn(log, agents),
    ...pushCounts(pushing.pushed),
    domains: domainsIn(log),
    verified: { receipts: receipts.size, keyDirectories: Object.keys(agents).length, events: log.length, ...proven },
    anchoring,
    history,
    paces: { sign: signing.pace, push: pushing.pace, verifyReceipts: verifyReceiptsPace, pullAndVerify: pullPace },
    explore: { docs: `${server.url}/docs`, readOnlyKey: auditor.apiKey, historyUrl: server.url + history.path },
  };
}

function anchored(anchoring: Anchoring): string {
  if (anchoring.status === "none") return `nothing: ${anchoring.reason}`;
  const { batches, chainId, verifiedSequence } = anchoring;
  const asked =
    verifiedSequence === null ? "" : `, and event ${count(verifiedSequence)} verified by the contract itself`;
  return `${counted(batches, "batch")} on chain ${chainId}${asked}`;
}

async function sign(
  planned: readonly Planned[],
  agents: Agents,
  progress: Progress,
): Promise<{ readonly outgoing: readonly Outgoing[]; readonly pace: Pace }> {
  progress.startEvents("Sign", planned.length);
  let outgoing: Outgoing[] = [];
  const pace = await timed(planned.length, async () => {
    outgoing = await signDay(planned, agents, progress.advance);
  });
  progress.done("Signed", `${count(planned.length)} events of one day in a shop`, pace);
  return { outgoing, pace };
}

async function pushAll(
  sound: readonly Outgoing[],
  planned: readonly Planned[],
  agents: Agents,
  progress: Progress,
): Promise<{ readonly pushed: Pushed; readonly pace: Pace }> {
  const flawed = await flawedEvents(planned, agents);
  const outgoing = [...sound, ...flawed].toSorted((a, b) => a.at - b.at);
  progress.startEvents("Push", outgoing.length);
  const started = performance.now();
  const pushed = await pushDay(outgoing, agents, progress);
  const pace = { events: pushed.sent, ms: Math.round(performance.now() - started) };
  const refused = `${counted(pushed.rejections.length, "bad event")} refused`;
  progress.done("Pushed", `${count(pushed.accepted)} events in ${count(pushed.requests)} requests, ${refused}`, pace);
  return { pushed, pace };
}

async function timed(events: number, work: () => Promise<void>): Promise<Pace> {
  const started = performance.now();
  await work();
  return { events, ms: Math.round(performance.now() - started) };
}

/** Midnight at the beginning of the last whole day (UTC). */
function yesterday(): number {
  return Math.floor(Date.now() / DAY - 1) * DAY;
}

function pushCounts({ requests, accepted, late, replays, rejections }: Pushed) {
  const replayed = replays.reduce((sum, replay) => sum + replay.events, 0);
  return { requests, accepted, late, replayed, rejected: rejections.length, replays, rejections };
}

function agentsIn(log: readonly LoggedEvent[], agents: Agents): Summary["agents"] {
  return Object.values(agents).map(({ name, signer }) => {
    const own = log.filter((event) => event.source_agent_id === signer.agentId);
    return { name, agentId: signer.agentId, vesVersion: own[0]?.ves_version ?? 0, events: own.length };
  });
}

function domainsIn(log: readonly LoggedEvent[]): Readonly<Record<Domain, number>> {
  const counts = DOMAINS.map((domain) => [
    domain,
    log.filter((event) => event.event_type.startsWith(`${domain}.`)).length,
  ]);
  return Object.fromEntries(counts) as Record<Domain, number>;
}

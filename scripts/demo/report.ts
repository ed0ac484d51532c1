import { styleText } from "node:util";
import type { Summary } from "./summary.ts";
import { count, counted, rate } from "../lib/text.ts";

const DOMAIN_NAMES = {
  order: "orders",
  inventory: "inventory",
  product: "products",
  customer: "customers",
  return: "returns",
} as const;

/** The summary for people. */
export function report(summary: Summary): string {
  const sections = [
    section("What is in the log now", contents(summary)),
    section("What went wrong on the way, and did no harm", [...mishaps(summary), "", ...rejections(summary)]),
    section("The life of one order, as every reader of the log finds it", history(summary)),
    section("What was verified, without trusting the server", verified(summary)),
    section("How fast it was on this machine", paces(summary)),
    section("Look further", explore(summary)),
  ];
  return `\n${sections.join("\n")}`;
}

function section(title: string, lines: readonly string[]): string {
  const body = lines.map((line) => (line === "" ? "\n" : `  ${line}\n`)).join("");
  return `${styleText("bold", title)}\n${body}`;
}

function contents({ accepted, agents, day, domains, seed }: Summary): string[] {
  const names = agents.map(({ name, events, vesVersion }) => `${name} ${count(events)} (version ${vesVersion})`);
  return [
    `${count(accepted)} events of ${day}, numbered 1 to ${count(accepted)} (seed ${JSON.stringify(seed)})`,
    Object.entries(domains)
      .map(([domain, events]) => `${DOMAIN_NAMES[domain as keyof typeof domains]} ${count(events)}`)
      .join(" · "),
    `signed by ${names.join(", ")}`,
  ];
}

function mishaps({ late, replays }: Summary): string[] {
  return [
    `${count(late)} events came late from agents that were offline, and were numbered when they came`,
    ...replays.map(({ agent, events, vesVersion, countedAsAccepted }) => {
      const counting = countedAsAccepted === 0 ? "nothing counted twice" : "all counted, as version 1 expects";
      const again = `${agent} lost an answer and pushed ${counted(events, "event")} again (version ${vesVersion})`;
      return `${again}: same receipts, ${counting}`;
    }),
  ];
}

function rejections({ rejections: list }: Summary): string[] {
  return [
    `${counted(list.length, "bad event")} refused, each by itself:`,
    ...list.flatMap(({ attempt, reason, message }) => [
      `${styleText("red", "✘")} ${attempt}`,
      `    ${styleText("yellow", reason)}`,
      styleText("dim", `    ${message}`),
    ]),
  ];
}

function history({ history: { entityId, steps } }: Summary): string[] {
  return [
    entityId,
    ...steps.map(({ sequenceNumber, eventType, agent, createdAt }) => {
      const number = `#${sequenceNumber}`.padStart(7);
      return `${styleText("dim", createdAt.slice(11, 16))} ${number}  ${eventType.padEnd(17)} ${styleText("dim", agent)}`;
    }),
  ];
}

function verified({
  verified: { receipts, keyDirectories, events, batches, proofs, stateRoot },
  anchoring,
}: Summary): string[] {
  const tick = styleText("green", "✔");
  return [
    `${tick} ${counted(receipts, "receipt")}, recomputed from the events that the agents hold`,
    `${tick} ${counted(keyDirectories, "key directory")} of agents, under the sequencer's signature`,
    `${tick} ${counted(events, "event")} of the log: no gap, payload hash, signature, place, nothing changed`,
    `${tick} the history of one entity, against the whole log`,
    `${tick} ${counted(batches, "sealed batch")}, their roots computed from the events; ${counted(proofs, "inclusion proof")}`,
    `  state root ${styleText("dim", stateRoot)}`,
    ...anchors(anchoring, tick),
  ];
}

function anchors(anchoring: Summary["anchoring"], tick: string): string[] {
  if (anchoring.status === "none") return [`  not on a chain: ${anchoring.reason}`];
  const { chainId, contract, batches, transactions, verifiedSequence } = anchoring;
  const place = `${counted(batches, "batch")} anchored on chain ${chainId} in ${counted(transactions.length, "transaction")}`;
  return [
    verifiedSequence === null
      ? `  ${place}; give --rpc-url to ask the contract itself`
      : `${tick} ${place}; the contract itself finds event ${count(verifiedSequence)}, and no altered one`,
    `  contract ${styleText("dim", contract)}`,
  ];
}

function paces({ paces: { sign, push, verifyReceipts, pullAndVerify } }: Summary): string[] {
  const line = (what: string, pace: Summary["paces"]["sign"]): string =>
    `${what.padEnd(26)} ${rate(pace).padStart(16)}  ${styleText("dim", `${(pace.ms / 1_000).toFixed(2)} s`)}`;
  return [
    line("signing", sign),
    line("pushing, 100 at a time", push),
    line("verifying receipts", verifyReceipts),
    line("pulling and verifying", pullAndVerify),
  ];
}

function explore({ server, explore: { docs, readOnlyKey, historyUrl } }: Summary): string[] {
  if (server.startedForDemo) {
    return [
      "The demo ran on a server of its own, which is gone again with its data. To look around in one that stays:",
      `  ${styleText("cyan", "npm start")}                  and in another terminal`,
      `  ${styleText("cyan", "npm run demo")}`,
    ];
  }
  return [
    `API reference    ${styleText("cyan", docs)}`,
    "The order above  (the key may only read this store)",
    `  curl -H 'Authorization: ApiKey ${readOnlyKey}' \\`,
    `    '${historyUrl}'`,
  ];
}

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Summary } from "../../scripts/demo/summary.ts";

const PROGRAM = join(import.meta.dirname, "..", "..", "scripts", "demo.ts");

/** Nothing can listen on port 0. */
const NOBODY = "http://127.0.0.1:0";

const REAPED_WITHIN_MS = 10_000;
const REAPED_POLL_MS = 50;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether a process that the demo started is still there. */
  readonly leftProcess: boolean;
}

let temporary: string;

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "demo-test-"));
});

afterEach(() => {
  rmSync(temporary, { recursive: true, force: true });
});

/** Runs the demo in a process group of its own, with a temporary directory of its own. */
function demo(args: readonly string[], interruptAt?: string): Promise<Ended> {
  const { SEQUENCER_URL, SEQUENCER_API_KEY, FORCE_COLOR, ...env } = process.env;
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", PROGRAM, ...args], {
    detached: true,
    env: { ...env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const group = -(child.pid ?? Number.NaN);
  let stdout = "";
  let stderr = "";
  let isInterrupted = false;
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (interruptAt === undefined || isInterrupted || !stdout.includes(interruptAt)) return;
    isInterrupted = true;
    process.kill(group, "SIGINT");
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      void staysAlive(group).then((leftProcess) => resolve({ code, stdout, stderr, leftProcess }));
    });
  });
}

/** Processes whose parent is gone already may take the system a moment to reap. */
async function staysAlive(group: number): Promise<boolean> {
  for (let waitedMs = 0; isAlive(group); waitedMs += REAPED_POLL_MS) {
    if (waitedMs > REAPED_WITHIN_MS) return true;
    await setTimeout(REAPED_POLL_MS);
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function reasonOf({ reason }: Summary["rejections"][number]): string {
  return reason.split(":", 1)[0] ?? "";
}

describe("npm run demo", () => {
  test("plays a day on a server of its own and leaves nothing behind", async () => {
    const { code, stdout, stderr, leftProcess } = await demo(["--events", "300", "--seed", "test", "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const summary = JSON.parse(stdout) as Summary;

    expect(summary.accepted).toBe(300);
    expect(summary.verified).toMatchObject({ receipts: 300, keyDirectories: 3, events: 300, proofs: 100 });
    expect(summary.verified.batches).toBeGreaterThan(0);
    expect(summary.verified.stateRoot).toMatch(/^[0-9a-f]{64}$/);
    expect(summary.anchoring).toMatchObject({
      status: "anchored",
      chainId: 31_337,
      batches: summary.verified.batches,
      verifiedSequence: expect.any(Number) as number,
    });
    expect(Object.values(summary.domains).reduce((sum, events) => sum + events)).toBe(300);
    expect(Object.values(summary.domains).every((events) => events > 0)).toBe(true);
    expect(summary.agents.map(({ name, vesVersion }) => [name, vesVersion])).toEqual([
      ["storefront", 2],
      ["warehouse", 2],
      ["support", 1],
    ]);
    expect(summary.late).toBeGreaterThan(0);

    expect(summary.rejections.map(reasonOf).toSorted()).toEqual([
      "agent_key_invalid",
      "duplicate_command_id",
      "duplicate_event_id",
      "invalid_payload_hash",
      "invalid_signature",
      "version_conflict",
    ]);
    expect(summary.rejected).toBe(6);
    expect(summary.rejections.every(({ message }) => message.length > 0)).toBe(true);

    const replayOf = (name: string) => summary.replays.find(({ agent }) => agent === name);
    const [storefront, support] = [replayOf("storefront"), replayOf("support")];
    expect(storefront).toMatchObject({ vesVersion: 2, countedAsAccepted: 0 });
    expect(support).toMatchObject({ vesVersion: 1, countedAsAccepted: support?.events });
    expect(summary.replayed).toBe((storefront?.events ?? 0) + (support?.events ?? 0));

    expect(summary.history.steps.map(({ eventType }) => eventType)).toEqual([
      "order.created",
      "order.confirmed",
      "order.processing",
      "order.shipped",
      "order.delivered",
    ]);
    expect(leftProcess).toBe(false);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("plays the shortest day there is", async () => {
    const { code, stdout, stderr } = await demo(["--events", "100", "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ accepted: 100, verified: { receipts: 100, events: 100 } });
  });

  test("Ctrl-C in the middle stops the server and removes its data", async () => {
    const { code, stderr, leftProcess } = await demo(["--events", "20000"], "Registered");
    expect({ code, stderr }).toEqual({ code: 130, stderr: "" });
    expect(leftProcess).toBe(false);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("a server that does not answer is named", async () => {
    const { code, stdout, stderr } = await demo(["--url", NOBODY, "--json"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toBe(`The demo failed: No sequencer answers at ${NOBODY}.\n`);
  });

  test.for([
    [["--speed", "9"], "Unknown option '--speed'. See npm run demo -- --help\n"],
    [["--events", "7"], '--events takes a whole number from 100 to 100000, not "7". See npm run demo -- --help\n'],
    [["--url", "here"], 'The URL must begin with http:// or https://, not be "here". See npm run demo -- --help\n'],
  ] as const)("refuses %j with a sentence", async ([args, sentence]) => {
    const { code, stdout, stderr } = await demo(args);
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: sentence });
  });
});

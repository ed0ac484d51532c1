import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Surroundings } from "../../../agent/src/cli/command.ts";
import { commands } from "../../../agent/src/cli/commands.ts";
import { checkSequencerKeys } from "../../../agent/src/cli/doctor/remote.ts";
import { openSqliteStore } from "../../../agent/src/store/sqlite.ts";
import { pinnedSequencerKeys } from "../../../agent/src/trust.ts";

/*
 * Commands that work on the agent's directory alone.
 */

const directory = mkdtempSync(join(tmpdir(), "agent-command-store-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let places = 0;

const surroundings: Surroundings = {
  env: {} as NodeJS.ProcessEnv,
  isJson: true,
  progress: { update: () => undefined, done: () => undefined } as unknown as Surroundings["progress"],
  interruption: () => new AbortController().signal,
};

interface Directory {
  readonly path: string;
  readonly stream: { readonly tenantId: string; readonly storeId: string; readonly agentId: string };
  readonly run: (name: string, ...args: readonly string[]) => Promise<object | null>;
}

async function newDirectory(...options: readonly string[]): Promise<Directory> {
  const path = join(directory, String(++places));
  const run = async (name: string, ...args: readonly string[]): Promise<object | null> => {
    const told = await commands[name]?.run([...args, "--dir", path], surroundings);
    return told?.json ?? null;
  };
  const stream = (await run("init", "--url", "http://127.0.0.1:1", ...options)) as Directory["stream"];
  return { path, stream, run };
}

const [ONE, TWO] = ["11".repeat(32), "22".repeat(32)];

describe("stateset-sync keys trust", () => {
  test("believes a key beside those that are pinned, and never another under their versions", async () => {
    const { path, stream, run } = await newDirectory();
    expect(await run("keys trust", `1=${ONE}`)).toEqual({ version: 1, publicKey: ONE, isNew: true });
    expect(await run("keys trust", `2=0x${TWO}`)).toEqual({ version: 2, publicKey: TWO, isNew: true });
    expect(await run("keys trust", `1=${ONE}`)).toMatchObject({ isNew: false });
    await expect(run("keys trust", `1=${TWO}`)).rejects.toMatchObject({ code: "SEQUENCER_KEY_CHANGED" });
    await expect(run("keys trust", TWO)).rejects.toThrow(/VERSION=KEY/);
    const store = openSqliteStore(join(path, "outbox.db"));
    expect(pinnedSequencerKeys(store, stream)).toEqual({ 1: ONE, 2: TWO });
    store.close();
  });

  test("adds to the keys that were given, where those are the only ones believed", async () => {
    const { run } = await newDirectory("--sequencer-key", `1=${ONE}`);
    await run("keys trust", `2=${TWO}`);
    expect(await run("init")).toMatchObject({ sequencerKeys: { 1: ONE, 2: TWO } });
    await expect(run("keys trust", `1=${TWO}`)).rejects.toMatchObject({ code: "SEQUENCER_KEY_CHANGED" });
  });

  test("is what the doctor tells of when a key is shown that is not believed", () => {
    const shown = {
      version: "1",
      aheadMs: 0,
      keys: new Map([
        [1, ONE],
        [2, TWO],
      ]),
    };
    expect(checkSequencerKeys(shown, { 1: ONE, 2: TWO })).toMatchObject({ status: "ok" });
    const message = expect.stringContaining(`stateset-sync keys trust 2=${TWO}`) as string;
    expect(checkSequencerKeys(shown, { 1: ONE })).toMatchObject({ status: "warn", message });
    expect(checkSequencerKeys(shown, { 1: TWO })).toMatchObject({ status: "fail" });
  });
});

describe("stateset-sync prune", () => {
  test("removes what is done with by age, and what was refused only when it is told to", async () => {
    const { path, stream, run } = await newDirectory();
    const day = 86_400_000;
    const store = openSqliteStore(join(path, "outbox.db"));
    const settled = [
      ["accepted", 40],
      ["accepted", 10],
      ["accepted", 40],
      ["rejected", 40],
      ["dropped", 40],
      ["conflict", 40],
    ] as const;
    store.transaction(stream, (tables) => {
      for (const [index, [state, days]] of settled.entries()) {
        const eventId = `event ${index + 1}`;
        const event = { eventId, entityType: "order", entityId: "1", eventType: "order.created", ...stream };
        const signed = { commandId: null, baseVersion: null, createdAt: "", signingHash: new Uint8Array(32) };
        tables.append({ ...event, ...signed, envelope: "{}", replaces: null, recordedAt: 1 });
        const [row] = tables.outbox({ eventId });
        const remoteSequence = state === "accepted" ? index + 1 : null;
        tables.update(row?.id ?? 0, { state, ackedAt: Date.now() - days * day, remoteSequence });
        // The third is not pulled.
        if (index >= 2) continue;
        const logged = { sequencedAt: "", pulledAt: 1, leafHash: new Uint8Array(32), quarantine: null };
        tables.addPulled({ ...event, ...logged, sequenceNumber: index + 1, envelope: "{}" });
      }
    });
    store.close();
    expect(await run("prune", "--older-than", "50", "--rejected")).toEqual({ removed: 0, remaining: 6 });
    expect(await run("prune")).toEqual({ removed: 2, remaining: 4 });
    expect(await run("prune", "--rejected")).toEqual({ removed: 1, remaining: 3 });
    expect(await run("prune", "--older-than", "1")).toEqual({ removed: 1, remaining: 2 });
    await expect(run("prune", "--older-than", "soon")).rejects.toThrow(/--older-than/);
  });
});

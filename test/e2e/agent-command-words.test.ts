import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleCommand, errorOf, newPlace, ORDER, run } from "./support/agent-command.ts";
import { removeTempDirs } from "./support/processes.ts";

beforeAll(bundleCommand);
afterAll(removeTempDirs);

describe.concurrent("its words", () => {
  test.for([
    [[], 0, /^Usage: stateset-sync COMMAND \[options\]\n\n {2}init [^]*Exit codes:\n {4}0 {2}done\n/, ""],
    [["help", "keys", "rotate"], 0, /^Usage: stateset-sync keys rotate \[options\]\n/, ""],
    [["record", "--help"], 0, /^Usage: stateset-sync record \[ENTITY_TYPE\] [^]* --payload-file PATH/, ""],
    [["keys"], 0, /^Usage: stateset-sync keys COMMAND/, ""],
    [["--version"], 0, /^\d+\.\d+\.\d+\n$/, ""],
    [["--fast"], 2, /^$/, "There is no such command. stateset-sync --help lists the commands.\n"],
    [["recrod"], 2, /^$/, "There is no command recrod. Did you mean record?\n"],
    [["keys", "rotat"], 2, /^$/, "There is no command keys rotat. Did you mean keys rotate?\n"],
    [["help", "nothing"], 2, /^$/, "There is no command nothing. stateset-sync --help lists the commands.\n"],
    [["push", "--fast"], 2, /^$/, "Unknown option '--fast'. See stateset-sync push --help\n"],
    [["history", "order"], 2, /^$/, "ENTITY_ID is missing. See stateset-sync history --help\n"],
    [["status", "now"], 2, /^$/, "There are too many arguments. See stateset-sync status --help\n"],
  ] as const)("%j", async ([args, code, out, err]) => {
    expect(await run(args)).toEqual({ code, out: expect.stringMatching(out) as string, err });
  });

  test("say what is missing, and what differs", async () => {
    const place = newPlace();
    expect((await errorOf(place, ["init"], 2))[1]).toMatch(/^Say where the sequencer is with --url\./);
    expect((await errorOf(place, ["status"], 2))[0]).toBe("NOT_SET_UP");
    await place.json(["init", "--url", "https://one.example", "--sequencer-key", `1=${"a".repeat(64)}`]);
    expect(await errorOf(place, ["init", "--url", "https://two.example"], 1)).toEqual([
      "CONFIG_DIFFERS",
      `${join(place.directory, "config.json")} has url "https://one.example": change it there, or give another --dir.`,
    ]);
    expect((await errorOf(place, ["init", "--agent", "me"], 2))[1]).toMatch(/^--agent takes a UUID, not "me"\./);
    expect((await errorOf(place, ["record", ...ORDER, "1"], 2))[0]).toBe("NO_KEY");
    expect((await errorOf(place, ["record", ...ORDER, "{"], 2))[1]).toMatch(/^The payload is no JSON/);
    expect((await errorOf(place, ["resolve", "--all"], 2))[1]).toMatch(/^Give --rebase or --drop\./);
    expect((await errorOf(place, ["watch", "--from", "0"], 2))[1]).toMatch(/^--from takes a whole number/);
  });

  test("have colours where they are asked for, and nowhere else", async () => {
    const place = newPlace();
    await place.json(["init", "--url", "http://127.0.0.1:9"]);
    const doctor = async (env: Readonly<Record<string, string>>): Promise<boolean> =>
      (await run(["doctor", "--dir", place.directory], { env })).out.includes("\u001b[");
    expect(await doctor({})).toBe(false);
    expect(await doctor({ FORCE_COLOR: "1" })).toBe(true);
  });
});

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { call } from "../../scripts/lib/client.ts";
import {
  ANY_UUID,
  errorOf,
  expectNoSecretShown,
  HEX_32,
  modeOf,
  newAgent,
  newPlace,
  ORDER,
  type Place,
  recordOne,
  run,
  secret,
  startCommandServer,
  streamOf,
  TIME,
} from "./support/agent-command.ts";
import { removeTempDirs, type ServerProcess, tempDir } from "./support/processes.ts";

let server: ServerProcess;

beforeAll(async () => {
  server = await startCommandServer();
});
afterEach(expectNoSecretShown);
afterAll(async () => {
  await server.kill();
  removeTempDirs();
});

describe.concurrent("keys, secrets and files", () => {
  test("refuses a credential that is wrong, and never says which", async () => {
    const place = newPlace();
    await place.json(["init", "--url", server.url]);
    await place.json(["keys", "generate"]);
    const wrong = secret("wrong-key-314159265358979");
    const env = { SEQUENCER_API_KEY: wrong };
    expect(await errorOf(place, ["keys", "register"], 1)).toEqual([
      "UNAUTHORIZED",
      "There is no API key to be used. Give another credential: stateset-sync init --api-key-file PATH keeps one.",
    ]);
    expect((await errorOf(place, ["keys", "register"], 1, { env }))[0]).toBe("UNAUTHORIZED");
    expect((await errorOf(place, ["pull"], 1, { env }))[0]).toBe("UNAUTHORIZED");
    const doctor = (await place.json(["doctor"], 1, { env })) as { checks: object[] };
    expect(doctor.checks.at(-1)).toMatchObject({ name: "credential", status: "fail" });
    // What may not stand in a header would be quoted by Node.
    const broken = { SEQUENCER_API_KEY: `${wrong}\n${wrong}` };
    expect((await errorOf(place, ["pull"], 2, { env: broken }))[0]).toBe("USAGE");
    for (const input of [`${wrong}\u0007`, "", `${wrong} ${wrong}`]) {
      expect((await errorOf(place, ["pull", "--api-key-file", "-"], 2, { input }))[0]).toBe("USAGE");
    }
    expect(await errorOf(place, ["pull", "--api-key-file", "/none"], 2)).toEqual([
      "USAGE",
      "--api-key-file: /none cannot be read: it is not there. See stateset-sync pull --help",
    ]);
    const withPassword = `http://user:${wrong}@127.0.0.1`;
    for (const args of [
      ["init", "--url", withPassword],
      ["init", "--api-key", wrong],
      [`--api-key=${wrong}`],
      ["pull", wrong],
    ]) {
      expect((await errorOf(newPlace(), args, 2))[0]).toBe("USAGE");
    }
    // A reader may not register keys.
    const { tenantId, agentId } = (await place.json(["status"])) as { tenantId: string; agentId: string };
    const minted = await call<{ apiKey: string }>(server, "POST", `/api/v1/agents/${agentId}/api-keys`, {
      tenantId,
      permissions: "read",
    });
    const reader = { SEQUENCER_API_KEY: secret(minted.apiKey) };
    expect(await errorOf(place, ["keys", "register"], 1, { env: reader })).toEqual([
      "FORBIDDEN",
      expect.stringMatching(/Admin permission required\. Use a credential that may do it: --api-key-file PATH\.$/),
    ]);
    expect(await place.json(["pull"], 0, { env: reader })).toMatchObject({ pulled: 0 });
  });

  test("keeps its files for nobody else, and refuses to work when others may use them", async () => {
    const place = await newAgent(server);
    const { directory } = place;
    const at = (...names: string[]): string => join(directory, ...names);
    const refusals: [path: string, mode: number, private_: number, args: string[]][] = [
      [directory, 0o755, 0o700, ["status"]],
      [directory, 0o710, 0o700, ["init", "--url", server.url]],
      [at("keys"), 0o750, 0o700, ["record", ...ORDER, "1"]],
      [at("keys", "1.json"), 0o644, 0o600, ["record", ...ORDER, "1"]],
      [at("keys", "1.json"), 0o640, 0o600, ["keys", "export"]],
      [at("api-key"), 0o263, 0o600, ["pull"]],
    ];
    for (const [path, mode, wanted, args] of refusals) {
      chmodSync(path, mode);
      const message = `${path} is open to others (mode ${mode.toString(8)}): run chmod ${wanted.toString(8)} ${path}.`;
      expect(await errorOf(place, args, 1)).toEqual(["UNSAFE_PERMISSIONS", message]);
      chmodSync(path, wanted);
    }
    chmodSync(at("outbox.db"), 0o644);
    const { checks } = (await place.json(["doctor"], 1)) as { checks: object[] };
    expect(checks[1]).toMatchObject({ name: "permissions", status: "fail" });
    chmodSync(at("outbox.db"), 0o600);
    expect((await place.run("record", ...ORDER, "1")).code).toBe(0);
    const open = join(tempDir(), "open");
    mkdirSync(open);
    chmodSync(open, 0o755);
    expect((await run(["init", "--url", server.url, "--dir", open])).err).toContain(`run chmod 700 ${open}`);
    expect(existsSync(join(open, "config.json"))).toBe(false);
  });

  test("rotates and revokes keys", async () => {
    const place = await newAgent(server);
    const first = await recordOne(place);
    expect((await errorOf(place, ["keys", "generate"], 1))[0]).toBe("KEY_EXISTS");
    expect(await place.json(["keys", "rotate"])).toEqual({ keyId: 2, publicKey: HEX_32, previousKeyId: 1 });
    expect(await errorOf(place, ["keys", "revoke", "2"], 1)).toEqual([
      "KEY_IN_USE",
      "Key 2 is in use: run stateset-sync keys rotate first, or give --force.",
    ]);
    expect((await errorOf(place, ["keys", "revoke", "1"], 1))[1]).toMatch(/^Key 1 has signed 1 event not sent yet/);
    const second = await recordOne(place);
    await place.json(["push"]);
    expect(await place.json(["keys", "revoke", "1"])).toEqual({ keyId: 1, revokedAt: TIME, wasUsed: false });
    expect(await place.json(["keys", "revoke", "1"])).toMatchObject({ keyId: 1 });
    expect((await errorOf(place, ["keys", "revoke", "9"], 1))[0]).toBe("NOT_FOUND");
    expect((await errorOf(place, ["keys", "register", "1"], 1))[0]).toBe("KEY_NOT_ACTIVE");
    expect(await place.json(["pull"])).toMatchObject({ pulled: 2, quarantined: 0 });
    for (const eventId of [first, second]) {
      const file = join(tempDir(), "proof.json");
      await place.json(["proof", eventId, "--out", file]);
      expect(await place.json(["verify", file])).toMatchObject({ valid: true });
    }
    const bounds = { validFrom: null, validTo: null };
    const one = { keyId: 1, publicKey: HEX_32, status: "revoked", isUsed: false, isLocal: true, ...bounds };
    const two = { ...one, keyId: 2, status: "active", isUsed: true, revokedAt: null };
    expect(await place.json(["keys", "list"])).toEqual({ keys: [{ ...one, revokedAt: TIME }, two] });
    expect(await place.json(["keys", "list", "--local"])).toMatchObject({ keys: [{ status: null }, { status: null }] });

    const exported = (await place.json(["keys", "export"])) as { publicKey: string };
    expect(exported).toEqual({
      tenantId: ANY_UUID,
      agentId: ANY_UUID,
      keyId: 2,
      publicKey: HEX_32,
      proofOfPossession: expect.stringMatching(/^[0-9a-f]{128}$/) as string,
    });
    const backup = join(tempDir(), "seed");
    await place.json(["keys", "export", "2", "--seed-to", backup]);
    expect((await errorOf(place, ["keys", "export", "2", "--seed-to", backup], 1))[0]).toBe("FILE_EXISTS");
    const restored = newPlace();
    await restored.json(["init", "--url", server.url]);
    const generate = ["keys", "generate", "--key-id", "2", "--seed-file", backup];
    expect(await restored.json(generate)).toMatchObject({ keyId: 2, publicKey: exported.publicKey });

    // The key in use is lost to somebody: it is ended at once, and what it signed is refused.
    await recordOne(place);
    expect(await place.json(["keys", "revoke", "2", "--force"])).toMatchObject({ wasUsed: true });
    expect(await place.json(["push"], 1)).toMatchObject({
      outcomes: [{ kind: "rejected", advice: "register-key", reason: expect.stringMatching(/^agent_key_invalid/) }],
    });
    expect((await errorOf(place, ["record", ...ORDER, "1"], 2))[0]).toBe("NO_KEY");
    expect(await place.json(["keys", "generate"])).toMatchObject({ keyId: 3 });
    await place.json(["keys", "register"]);
    await recordOne(place);
    expect((await place.run("push")).out).toBe("Pushed 1 event.\n");
    // A rotation that was cut off after its key was made is finished with that key.
    const key = JSON.parse(readFileSync(join(place.directory, "keys", "3.json"), "utf8"));
    await restored.json(["init"]);
    await place.json(["keys", "rotate"]);
    const config = join(place.directory, "config.json");
    writeFileSync(config, readFileSync(config, "utf8").replace('"keyId": 4', '"keyId": 3'));
    expect(await place.json(["keys", "rotate"])).toMatchObject({ keyId: 4, previousKeyId: key.keyId });
  });

  test("encrypts what it records, for one agent to read and another not to", async () => {
    const writer = await newAgent(server);
    const reader = await newAgent(server, streamOf(writer));
    const other = await newAgent(server, streamOf(writer));
    const { agentId } = (await reader.json(["status"])) as { agentId: string };
    const toReader = ["record", ...ORDER, '{"total":"encrypted"}', "--encrypt-to", agentId];
    expect((await errorOf(writer, toReader, 1))[0]).toBe("NO_ENCRYPTION_KEY");
    expect((await errorOf(reader, ["keys", "register", "--encryption"], 2))[0]).toBe("NO_KEY");
    const kid = expect.any(Number) as unknown;
    const older = (await reader.json(["keys", "generate", "--encryption"])) as { kid: number };
    expect(older).toEqual({
      kid,
      publicKey: HEX_32,
      file: join(reader.directory, "encryption-keys", `${older.kid}.json`),
    });
    expect([
      modeOf(reader.directory, "encryption-keys"),
      modeOf(`${reader.directory}/encryption-keys/${older.kid}.json`),
    ]).toEqual(["700", "600"]);
    expect(await reader.json(["keys", "register", "--encryption"])).toEqual({ kid: older.kid, publicKey: HEX_32 });
    const newer = (await reader.json(["keys", "generate", "--encryption"])) as { kid: number };
    const listed = async () => {
      const { keys } = (await reader.json(["keys", "list", "--encryption"])) as {
        keys: { kid: number; status: string; isUsed: boolean }[];
      };
      return keys.map((one) => [one.kid, one.status, one.isUsed]);
    };
    expect(await listed()).toEqual([
      [older.kid, "active", false],
      [newer.kid, "unregistered", true],
    ]);

    await writer.json(["keys", "generate", "--encryption"]);
    const { events } = (await writer.json(toReader)) as { events: { eventId: string }[] };
    await writer.json(["push"]);
    const eventId = events[0]?.eventId ?? "";
    expect(readFileSync(join(writer.directory, "outbox.db")).includes("total")).toBe(false);
    const read = async (place: Place) =>
      JSON.parse((await place.run("watch", "--json", "--from", "1", "--count", "1")).out) as object;
    const decrypted = { eventId, payload: { total: "encrypted" }, payloadState: { kind: "decrypted" } };
    expect(await read(reader)).toMatchObject(decrypted);
    expect(await read(writer)).toMatchObject(decrypted);
    expect(await read(other)).toMatchObject({ eventId, payload: null, payloadState: { kind: "not_for_us" } });
    expect(await reader.json(["history", "order", "ORD-1"])).toMatchObject({ events: [decrypted] });

    const revoked = await reader.json(["keys", "revoke", "--encryption", `${older.kid}`]);
    expect(revoked).toEqual({ kid: older.kid, revokedAt: expect.any(String) as unknown });
    expect(await listed()).toContainEqual([older.kid, "revoked", false]);
    expect((await errorOf(writer, toReader, 1))[0]).toBe("NO_ENCRYPTION_KEY");
    expect((await errorOf(writer, [...toReader.slice(0, -1), "somebody"], 2))[0]).toBe("USAGE");
  });
});

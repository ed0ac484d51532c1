import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildAgent } from "../../scripts/lib/build-agent.ts";
import { bundleWorker } from "../../scripts/lib/bundle-worker.ts";
import { newVariables } from "../../scripts/lib/dev-vars.ts";
import { type LocalServer, startWorker } from "../../scripts/lib/local-server.ts";
import { removeTempDirs, tempDir } from "./support/processes.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const AGENT = join(ROOT, "agent");
const TSC = join(ROOT, "node_modules", "typescript", "bin", "tsc");
const MCP_SDK = "@modelcontextprotocol/sdk";
const run = promisify(execFile);

/** Stands nowhere else, unlike the guide's: if it is printed, it was told. */
const API_KEY = "agent_guide_admin_key";

afterAll(removeTempDirs);

/** The blocks of a guide in one language, in order. */
function blocks(language: string, guide = "agents.md"): string[] {
  const text = readFileSync(join(ROOT, "docs", guide), "utf8");
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, code]) => code ?? "");
}

/** Runs commands of the guide as a shell would that somebody types them into. */
async function shell(commands: string, directory: string): Promise<string> {
  const { SEQUENCER_API_KEY, STATESET_DIR, FORCE_COLOR, ...env } = process.env;
  return (await run("bash", ["-euo", "pipefail", "-c", commands], { cwd: directory, env })).stdout;
}

/** The packages that a package needs, and those that they need. */
function dependenciesOf(directory: string): string[] {
  const { dependencies = {} } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as {
    dependencies?: object;
  };
  const direct = Object.keys(dependencies);
  return [...new Set([...direct, ...direct.flatMap((name) => dependenciesOf(join(ROOT, "node_modules", name)))])];
}

/** Files as npm would fetch them, of all packages that the agent needs: no registry is asked. */
async function packedDependencies(directory: string): Promise<string[]> {
  const pack = (name: string) =>
    run("npm", ["pack", join(ROOT, "node_modules", name), "--silent", "--ignore-scripts"], { cwd: directory });
  return (await Promise.all(dependenciesOf(AGENT).map(pack))).map(({ stdout }) => join(directory, stdout.trim()));
}

/** A directory where the agent was packed and installed, by the guide's first commands. */
async function installed(): Promise<string> {
  const [directory, packages] = [tempDir(), await packedDependencies(tempDir())];
  const [install = ""] = blocks("sh");
  const { version } = JSON.parse(readFileSync(join(AGENT, "package.json"), "utf8")) as { version: string };
  const [buildAgain, npmInstall] = ["npm run -s build:agent\n", `npm install ./stateset-agent-${version}.tgz`];
  expect(install).toContain(buildAgain);
  expect(install).toContain(npmInstall);
  const offline = `${npmInstall} --offline --no-audit --no-fund --loglevel error ${packages.join(" ")}`;
  await shell(install.replace(buildAgain, "").replace(npmInstall, offline).replaceAll(".data/shop", directory), ROOT);
  return directory;
}

let directory: string;
beforeAll(async () => {
  await buildAgent();
  directory = await installed();
});

describe("the guide's five minutes", () => {
  let server: LocalServer;

  beforeAll(async () => {
    const variables = { ...newVariables(), SEAL_MAX_EVENTS: "1", BOOTSTRAP_ADMIN_API_KEY: API_KEY };
    server = await startWorker({ bundle: await bundleWorker(), variables, dataDirectory: tempDir(), port: 0 });
  });
  afterAll(() => server.stop());

  const here = (code: string): string => code.replaceAll("http://127.0.0.1:8080", server.url);

  test("lead to a proof that somebody else verifies, with the command", async () => {
    const commands = blocks("sh").filter((code) => code.includes("stateset-sync"));
    expect(commands).toHaveLength(3);
    const said = await shell(commands.map(here).join("\n").replaceAll("dev_admin_key", API_KEY), directory);
    const checks = ["content", "signature", "receipt", "inclusion", "stateRoot"];
    const ok = (names: readonly string[]): string[] => names.map((name) => `ok    ${name}`);
    const lines = said.trimEnd().split("\n");
    expect(lines.slice(lines.indexOf("Pushed 1 event."))).toEqual([
      "Pushed 1 event.",
      `The proof of event 1 is in ${join(directory, "proof.json")}`,
      "Pulled 1 event, up to 1, and verified 1 sealed batch.",
      ...ok([...checks, "log"]),
      "The proof is valid.",
      ...ok(checks),
      "The proof is valid.",
      ...ok(checks.slice(1)),
      "fail  content: payload_plain_hash is not the hash of payload",
      "The proof is NOT valid.",
      "exit code 1",
    ]);
    expect(said).not.toContain(API_KEY);
  });

  test("lead there in JavaScript too", async () => {
    for (const code of blocks("js")) {
      const [, name] = /^\/\/ (\S+)\n/.exec(code) ?? [];
      writeFileSync(join(directory, name ?? ""), here(code).replaceAll("dev_admin_key", API_KEY));
    }
    const commands = blocks("sh")
      .filter((code) => code.startsWith("node "))
      .join("");
    const said = [...commands.matchAll(/# (.*)$/gm)].flatMap(([, comment]) => (comment ?? "").split(/, then: /));
    expect((await shell(commands, directory)).trimEnd().split("\n")).toEqual(said);
    // The second time it is the same agent, with the next number.
    expect(await shell("node shop.mjs", directory)).toMatch(/^accepted 3\ntrue /);
  });
});

describe("the guide to the MCP server", () => {
  test("configures a client whose server has the tools that it describes", async () => {
    const place = await installed();
    const program = join(place, "node_modules", "@stateset", "agent", "dist", "stateset-agent-mcp.js");
    await expect(run("node", [program], { cwd: place })).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`npm install ${MCP_SDK}`),
    });
    mkdirSync(join(place, "node_modules", "@modelcontextprotocol"));
    symlinkSync(join(ROOT, "node_modules", MCP_SDK), join(place, "node_modules", MCP_SDK));

    const [configuration = ""] = blocks("json", "mcp.md");
    const { command, args, env } = (
      JSON.parse(configuration) as {
        mcpServers: Record<"shop", { command: string; args: string[]; env: Record<string, string> }>;
      }
    ).mcpServers.shop;
    const client = new Client({ name: "test", version: "1" });
    await client.connect(
      new StdioClientTransport({
        command,
        args,
        cwd: place,
        env: { ...env, VES_PRIVATE_KEY: "00".repeat(32), PATH: process.env["PATH"] ?? "" },
      }),
    );
    const { tools } = await client.listTools();
    await client.close();
    const guide = readFileSync(join(ROOT, "docs", "mcp.md"), "utf8");
    const described = [...guide.matchAll(/^\| `(stateset_\w+)`/gm)].map(([, name]) => name);
    expect(described).toEqual(tools.map(({ name }) => name));
    const { stdout: help } = await run("node", [program, "--help"]);
    const variables = (text: string) => new Set(text.match(/\b(STATESET|VES)_[A-Z_]+/g));
    expect(variables(guide)).toEqual(variables(help));
  });
});

describe("the package", () => {
  test("has types for whoever imports it", async () => {
    const program = `
      import { createAgent, memoryStore, type AgentStatus, type Outcome } from "@stateset/agent";
      import { generateEncryptionKey, type EncryptionKeyring } from "@stateset/agent/encryption";
      import { openSqliteStore } from "@stateset/agent/sqlite";
      import { toHex, verifyEvidence } from "@stateset/agent/protocol";
      const identity = { tenantId: "", storeId: "", agentId: "", keyId: 1 };
      const { kid, privateKey } = await generateEncryptionKey();
      const keyring: EncryptionKeyring = new Map([[kid, privateKey]]);
      const store = openSqliteStore("x");
      const agent = await createAgent({ url: "", credential: "", identity, keys: { signing: "", encryption: { keyring } }, store });
      for await (const watched of agent.watch({ from: 1 })) {
        if (watched.kind === "event") console.log(watched.event.payloadState.kind);
        // @ts-expect-error only an event has a payload
        console.log(watched.event.payload);
      }
      const status: AgentStatus = agent.status();
      const numbers: number[] = (await agent.push()).outcomes.map((outcome: Outcome) =>
        outcome.kind === "accepted" || outcome.kind === "replayed" ? outcome.sequenceNumber : status.headSequence);
      // @ts-expect-error a number is no text
      const text: string = status.pulledSequence;
      console.log(numbers, text, toHex, verifyEvidence, memoryStore);
    `;
    writeFileSync(join(directory, "use.mts"), program);
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2024,dom"];
    await run(process.execPath, [TSC, ...options, "use.mts"], { cwd: directory });
  });

  test.each(["index", "encryption", "protocol"])(
    "its %s can be bundled for a browser, and asks for nothing of Node's",
    async (entry) => {
      const { outputFiles } = await build({
        entryPoints: [join(AGENT, "dist", `${entry}.js`)],
        bundle: true,
        platform: "browser",
        format: "esm",
        minify: true,
        write: false,
        logLevel: "silent",
      });
      const [bundle] = outputFiles;
      expect(bundle?.text).not.toMatch(/from\s*"node:|require\(/);
      expect(bundle?.text).not.toMatch(/\bimport\s*["{*]/);
      expect(bundle?.contents.length).toBeGreaterThan(10_000);
    },
  );

  test("has a command that runs where it is installed", async () => {
    const { version } = JSON.parse(readFileSync(join(AGENT, "package.json"), "utf8")) as { version: string };
    expect(await shell("npx stateset-sync --version && node_modules/.bin/stateset-sync help init", directory)).toMatch(
      new RegExp(`^${version}\\nUsage: stateset-sync init `),
    );
  });

  test("names the versions that this repository is tested with", () => {
    const of = (path: string) =>
      JSON.parse(readFileSync(path, "utf8")) as {
        version: string;
        dependencies: Record<string, string>;
        devDependencies?: Record<string, string>;
        peerDependencies?: Record<string, string>;
      };
    const [own, root] = [of(join(AGENT, "package.json")), of(join(ROOT, "package.json"))];
    expect(own.version).toBe(root.version);
    for (const [name, version] of Object.entries(own.dependencies)) expect(root.dependencies[name]).toBe(version);
    expect(root.devDependencies?.[MCP_SDK]).toBe(own.peerDependencies?.[MCP_SDK]);
  });
});
